# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Figures of merit, from what was recorded; numpy only, so that every engine's recordings give the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from .commands import AXES

GRAVITY = 9.81
"""[m/s²]"""
SETTLING = 2.0
"""Seconds after the command's step that the tracking errors leave out."""
REACHED = 0.9
"""Share of the step at which a command counts as answered."""
SMOOTHING = 0.2
"""Seconds over which velocities are averaged for response time and overshoot: a step's rhythm is no response."""
LEAST_SPEED = 0.1
"""Speed below which a cost of transport means nothing [m/s]."""


@dataclass(frozen=True)
class Recording:
    """Robots under one command each; T steps of R robots. Robots stand at first, and the command steps at ``start``."""

    dt: float
    """Time between two records [s]."""
    start: int
    """First record under the command."""
    mass: float
    """Of one robot [kg]."""
    command: np.ndarray
    """vx, vy, yaw rate, height; shape ``[R, 4]``."""
    rest: np.ndarray
    """What was commanded before ``start``, shape ``[4]``."""
    measured: np.ndarray
    """vx, vy, yaw rate, height; shape ``[T, R, 4]``."""
    alive: np.ndarray
    """Whether the robot has not fallen up to this record, shape ``[T, R]``."""
    power: np.ndarray
    """Σ |torque x joint velocity| [W], shape ``[T, R]``."""
    contacts: np.ndarray
    """Whether each foot carries load, shape ``[T, R, F]``."""
    foot_speed: np.ndarray
    """Horizontal speed of each foot [m/s], shape ``[T, R, F]``."""
    actions: np.ndarray
    """Raw actions, shape ``[T, R, A]``."""
    pose: np.ndarray
    """x, y [m] and yaw [rad] relative to the start, shape ``[T, R, 3]``."""
    estimate: np.ndarray
    """The policy's estimate of its velocity [m/s], NaN without one, shape ``[T, R, 3]``."""

    @property
    def slip(self) -> np.ndarray:
        """Mean horizontal speed of the feet that carry load [m/s], NaN without one, shape ``[T, R]``."""
        count = self.contacts.sum(axis=-1)
        total = (self.foot_speed * self.contacts).sum(axis=-1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def join(recordings: Sequence[Recording]) -> Recording:
    """Return one recording of all robots; dt, start and rest must be alike."""
    first = recordings[0]
    series = ("measured", "alive", "power", "contacts", "foot_speed", "actions", "pose", "estimate")
    joined = {name: np.concatenate([getattr(one, name) for one in recordings], axis=1) for name in series}
    command = np.concatenate([one.command for one in recordings])
    return replace(first, command=command, **joined)


def summarise(recording: Recording) -> list[dict[str, Any]]:
    """Return one row for each command, in their order of appearance; several robots may share a command.

    A row holds the command, ``robots``, ``falls``, ``falls_per_hour`` (of robot time before a fall), and for every
    other figure its mean over the robots and, as ``<figure>_ci95``, half the width of its 95 % interval (Student's t).
    A figure that no robot lived to show is None.
    """
    figures = per_robot(recording)
    commands = [tuple(float(value) for value in command) for command in recording.command]
    rows = []
    for command in dict.fromkeys(commands):
        chosen = np.array([other == command for other in commands])
        seconds = float(recording.alive[:, chosen].sum() * recording.dt)
        falls = int((~recording.alive[-1, chosen]).sum())
        row: dict[str, Any] = dict(zip(AXES, command, strict=True))
        row |= {"robots": int(chosen.sum()), "falls": falls, "falls_per_hour": 3600.0 * falls / max(seconds, 1e-9)}
        for name, values in figures.items():
            row[name], row[f"{name}_ci95"] = mean_and_ci95(values[chosen])
        rows.append(row)
    return rows


def per_robot(recording: Recording) -> dict[str, np.ndarray]:
    """Return every figure for every robot, name -> shape ``[R]``; NaN where a robot did not live to show it.

    ``error_<axis>``: mean |measured - command| from :data:`SETTLING` after the step. ``response_time`` [s]: until the
    axis that steps most has gone :data:`REACHED` of its step. ``overshoot``: how far it goes beyond, as a share of the
    step. ``foot_slip`` [m/s], ``power`` [W], ``cost_of_transport``: P / (m g v), for speeds from :data:`LEAST_SPEED`.
    ``action_rate``: mean |second difference of the action|, of all joints. ``error_estimate``: mean distance of the
    policy's estimate of its horizontal velocity from the measured one [m/s].
    """
    r = recording
    under = np.arange(len(r.measured)) >= r.start
    settled = np.arange(len(r.measured)) >= r.start + round(SETTLING / r.dt)
    errors = np.abs(r.measured - r.command)
    figures = {
        f"error_{axis}": masked_mean(errors[..., index], r.alive & settled[:, None]) for index, axis in enumerate(AXES)
    }
    figures["response_time"], figures["overshoot"] = step_response(r)
    slip = r.slip
    figures["foot_slip"] = masked_mean(np.nan_to_num(slip), r.alive & under[:, None] & ~np.isnan(slip))
    figures["power"] = masked_mean(r.power, r.alive & under[:, None])
    speed = masked_mean(np.linalg.norm(r.measured[..., :2], axis=-1), r.alive & settled[:, None])
    power = masked_mean(r.power, r.alive & settled[:, None])
    with np.errstate(invalid="ignore"):
        moves = speed >= LEAST_SPEED
    figures["cost_of_transport"] = np.where(moves, power / (r.mass * GRAVITY * np.where(moves, speed, 1.0)), np.nan)
    second = np.abs(np.diff(r.actions, n=2, axis=0)).mean(axis=-1)
    figures["action_rate"] = masked_mean(second, (r.alive & under[:, None])[2:])
    estimated = ~np.isnan(r.estimate).any(axis=-1)
    distance = np.nan_to_num(np.linalg.norm(r.estimate[..., :2] - r.measured[..., :2], axis=-1))
    figures["error_estimate"] = masked_mean(distance, r.alive & under[:, None] & estimated)
    return figures


def step_response(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Return response time [s] and overshoot, shape ``[R]`` each, of the axis that steps most in its own unit."""
    r = recording
    window = max(round(SMOOTHING / r.dt), 1)
    times, beyond = np.full(len(r.command), np.nan), np.full(len(r.command), np.nan)
    for robot, step in enumerate(r.command - r.rest):
        axis = int(np.argmax(np.abs(step)))
        lived = int(r.alive[:, robot].sum())
        if step[axis] == 0.0 or lived <= r.start + window:
            continue
        path = r.measured[:lived, robot, axis]
        smooth = np.convolve(path, np.ones(window) / window, mode="valid")  # of this record and those before it
        share = (smooth[r.start - window + 1 :] - r.rest[axis]) / step[axis] if r.start >= window else smooth * np.nan
        reached = np.flatnonzero(share >= REACHED)
        if len(reached):
            times[robot] = (reached[0] + 1) * r.dt
        beyond[robot] = max(float(share.max()) - 1.0, 0.0)
    return times, beyond


def masked_mean(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the mean over time where *mask* holds, shape ``[T, R]`` -> ``[R]``; NaN where it never does."""
    count = mask.sum(axis=0)
    total = np.where(mask, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def mean_and_ci95(values: np.ndarray) -> tuple[float | None, float | None]:
    """Return mean and half the width of the 95 % interval of the mean, without NaN; None where there are too few."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None, None
    if len(values) == 1:
        return float(values[0]), None
    error = float(values.std(ddof=1)) / len(values) ** 0.5
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1)) * error
