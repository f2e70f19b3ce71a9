# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the report draws, thinned out so that it can lie in the results' file."""

from __future__ import annotations

from typing import Any

import numpy as np

from .commands import AXES
from .metrics import SETTLING, Recording
from .tour import TourRecording

EVERY = 0.1
"""Seconds between two points of a curve."""
BINS = np.linspace(-0.6, 0.6, 49)
"""Edges of the error histograms [m/s], [rad/s]; for the height a tenth of them [m]."""


def tracking_series(recording: Recording) -> dict[str, Any]:
    """Return curves, histograms, survival, and one robot's feet and estimate.

    ``curves``: for the largest command of every axis, alone, commanded value and means over its robots by time;
    ``errors``: counts of measured - commanded in :data:`BINS` by axis, of all robots once they have settled;
    ``alive``: share of robots that stand, by time; ``feet`` and ``estimate``: contacts, and velocity beside its
    estimate, of the first robot under the largest forward command. Times count from the command's step.
    """
    r = recording
    stride = max(round(EVERY / r.dt), 1)
    times = (np.arange(len(r.measured)) - r.start + 1) * r.dt
    alone = np.count_nonzero(r.command - r.rest, axis=1) <= 1
    curves = {}
    for index, axis in enumerate(AXES):
        steps = np.where(alone, np.abs(r.command[:, index] - r.rest[index]), 0.0)
        if steps.max() == 0.0:
            continue
        chosen = (r.command == r.command[int(np.argmax(steps))]).all(axis=1)
        alive = r.alive[:, chosen]
        values = np.where(alive, r.measured[:, chosen, index], 0.0).sum(axis=1)
        mean = np.where(alive.any(axis=1), values / np.maximum(alive.sum(axis=1), 1), np.nan)
        curves[axis] = {
            "command": float(r.command[chosen][0, index]),
            "time": rounded(times[::stride], 2),
            "measured": rounded(mean[::stride]),
        }
    settled = r.alive & (times > SETTLING)[:, None]
    errors = {}
    for index, axis in enumerate(AXES):
        scale = 0.1 if axis == "height" else 1.0
        error = (r.measured[..., index] - r.command[:, index])[settled]
        edges = BINS * scale
        counts, _ = np.histogram(np.clip(error, edges[0], edges[-1]), edges)
        errors[axis] = counts.tolist()
    found = {
        "curves": curves,
        "errors": errors,
        "time": rounded(times[::stride], 2),
        "alive": rounded(r.alive.mean(axis=1)[::stride], 3),
    }
    walker = int(np.argmax(np.where(alone, r.command[:, 0], -np.inf)))
    lived = int(r.alive[:, walker].sum())
    feet = r.contacts[:lived, walker].T
    found["feet"] = {"start": round(float(times[0]), 3), "dt": r.dt, "contacts": feet.astype(int).tolist()}
    estimate = r.estimate[:lived:stride, walker]
    if np.isfinite(estimate).any():
        found["estimate"] = {
            "time": rounded(times[:lived:stride], 2),
            "measured": rounded(r.measured[:lived:stride, walker, :2]),
            "estimated": rounded(estimate[:, :2]),
        }
    return found


def tour_series(recording: TourRecording) -> dict[str, Any]:
    """Return by time the share of robots that stand, and the means of their errors [m], [rad]."""
    r = recording
    stride = max(round(5 * EVERY / r.dt), 1)
    standing = np.maximum(r.alive.sum(axis=1), 1)

    def mean(values: np.ndarray) -> list[Any]:
        total = np.where(r.alive, values, 0.0).sum(axis=1)
        return rounded(np.where(r.alive.any(axis=1), total / standing, np.nan)[::stride])

    return {
        "time": rounded((np.arange(len(r.alive))[::stride] + 1) * r.dt, 2),
        "alive": rounded(r.alive.mean(axis=1)[::stride], 3),
        "position_error": mean(r.position_error),
        "yaw_error": mean(r.yaw_error),
    }


def rounded(values: np.ndarray, digits: int = 4) -> list[Any]:
    """Return nested lists, with None for NaN: JSON has none."""
    plain = np.round(values.astype(float), digits).astype(object)
    plain[np.isnan(values.astype(float))] = None
    return plain.tolist()
