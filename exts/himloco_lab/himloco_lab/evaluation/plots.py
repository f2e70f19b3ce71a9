# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The report's pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .commands import AXES
from .results import SIZES, Entry, label
from .series import BINS

UNITS = {"vx": "m/s", "vy": "m/s", "yaw_rate": "rad/s", "height": "m"}


def tracking_pictures(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return titles and data addresses of the tracking suite's pictures."""
    pictures = [("Tracking over time: the largest command of every axis", _curves(entries))]
    pictures.append(("Mean error by command, with 95 % interval", _errors_by_command(entries)))
    pictures.append(("Measured minus commanded, of all robots, from 2 s after the step", _histograms(entries)))
    pictures.append(("Robots that stand", _survival(entries)))
    pictures.append(("Foot contacts under the largest forward command", _feet(entries)))
    if any("estimate" in entry["series"] for entry in entries):
        pictures.append(("Velocity and its estimate under the largest forward command", _estimates(entries)))
    return pictures


def robustness_pictures(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return titles and data addresses of the robustness suite's pictures."""
    pictures = []
    if any(entry["largest"] for entry in entries):
        pictures.append(("Largest impulse that at least half of the robots survived [N s]", _impulses(entries)))
    groups = [group for group in SIZES if any(row["group"] == group for entry in entries for row in entry["rows"])]
    if groups:
        pictures.append(("Share of robots that survived", _difficulties(entries, groups)))
    return pictures


def tour_pictures(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return titles and data addresses of the tour's pictures."""
    figure, axes = _grid(1, 3)
    panels = (
        ("alive", "share that stands"),
        ("position_error", "position error [m]"),
        ("yaw_error", "yaw error [rad]"),
    )
    for plot, (name, title) in zip(axes, panels, strict=True):
        for entry in entries:
            plot.plot(_array(entry["series"]["time"]), _array(entry["series"][name]), label=label(entry))
        plot.set_xlabel("time [s]")
        plot.set_ylabel(title)
        plot.set_ylim(bottom=0.0)
    return [("The tour, by time since the release", _address(figure, axes[0]))]


def _curves(entries: Sequence[Entry]) -> str:
    figure, axes = _grid(1, 4)
    for plot, axis in zip(axes, AXES, strict=True):
        for entry in entries:
            curve = entry["series"]["curves"].get(axis)
            if curve is not None:
                plot.plot(_array(curve["time"]), _array(curve["measured"]), label=label(entry))
                plot.axhline(curve["command"], color="black", linewidth=0.8, linestyle="--")
        plot.axvline(0.0, color="grey", linewidth=0.6)
        plot.set_xlabel("time [s]")
        plot.set_ylabel(f"{axis} [{UNITS[axis]}]")
    return _address(figure, axes[0])


def _errors_by_command(entries: Sequence[Entry]) -> str:
    figure, axes = _grid(1, 4)
    for plot, axis in zip(axes, AXES, strict=True):
        for entry in entries:
            rows = sorted((row for row in entry["rows"] if row[f"error_{axis}"] is not None), key=lambda row: row[axis])
            wide = [row[f"error_{axis}_ci95"] or 0.0 for row in rows]
            values = [row[f"error_{axis}"] for row in rows]
            places = [row[axis] for row in rows]
            plot.errorbar(places, values, yerr=wide, fmt="o", markersize=3, capsize=2, label=label(entry))
        plot.set_xlabel(f"commanded {axis} [{UNITS[axis]}]")
        plot.set_ylabel(f"error [{UNITS[axis]}]")
    return _address(figure, axes[0])


def _histograms(entries: Sequence[Entry]) -> str:
    figure, axes = _grid(1, 4)
    for plot, axis in zip(axes, AXES, strict=True):
        edges = BINS * (0.1 if axis == "height" else 1.0)
        for entry in entries:
            counts = np.array(entry["series"]["errors"][axis], dtype=float)
            plot.stairs(counts / max(counts.sum(), 1.0), edges, label=label(entry))
        plot.set_xlabel(f"error of {axis} [{UNITS[axis]}]")
        plot.set_ylabel("share")
    return _address(figure, axes[0])


def _survival(entries: Sequence[Entry]) -> str:
    figure, axes = _grid(1, 1)
    for entry in entries:
        axes[0].plot(_array(entry["series"]["time"]), _array(entry["series"]["alive"]), label=label(entry))
    axes[0].set_xlabel("time since the command's step [s]")
    axes[0].set_ylabel("share")
    axes[0].set_ylim(0.0, 1.02)
    return _address(figure, axes[0])


def _feet(entries: Sequence[Entry]) -> str:
    figure, axes = _grid(len(entries), 1, height=1.2)
    for plot, entry in zip(axes, entries, strict=True):
        feet = entry["series"]["feet"]
        for row, contacts in enumerate(feet["contacts"]):
            edges = np.flatnonzero(np.diff([0, *contacts, 0]))
            spans = [
                (feet["start"] + begin * feet["dt"], (end - begin) * feet["dt"])
                for begin, end in edges.reshape(-1, 2).tolist()
            ]
            plot.broken_barh(spans, (row - 0.4, 0.8))
        plot.set_yticks(range(len(feet["contacts"])), [f"foot {row + 1}" for row in range(len(feet["contacts"]))])
        plot.set_title(label(entry), fontsize="small", loc="left")
    axes[-1].set_xlabel("time since the command's step [s]")
    return _address(figure, None)


def _estimates(entries: Sequence[Entry]) -> str:
    chosen = [entry for entry in entries if "estimate" in entry["series"]]
    figure, axes = _grid(len(chosen), 2, height=2.0)
    for row, entry in enumerate(chosen):
        estimate = entry["series"]["estimate"]
        times = _array(estimate["time"])
        for column, name in enumerate(("vx", "vy")):
            plot = axes[2 * row + column]
            plot.plot(times, _array(estimate["measured"])[:, column], label="measured")
            plot.plot(times, _array(estimate["estimated"])[:, column], label="estimated", linestyle="--")
            plot.set_ylabel(f"{name} [m/s]")
            plot.set_title(label(entry), fontsize="small", loc="left")
    return _address(figure, axes[0])


def _impulses(entries: Sequence[Entry]) -> str:
    figure = Figure(figsize=(5.0, 4.0), layout="constrained")
    plot = figure.add_subplot(projection="polar")
    for entry in entries:
        kinds = list(entry["largest"])
        angles = np.linspace(0.0, 2.0 * np.pi, len(kinds), endpoint=False)
        sizes = list(entry["largest"].values())
        plot.plot([*angles, angles[0]], [*sizes, sizes[0]], marker="o", markersize=3, label=label(entry))
        plot.set_xticks(angles, kinds, fontsize="x-small")
    plot.set_theta_zero_location("N")  # pyright: ignore[reportAttributeAccessIssue]  # a polar plot has it
    return _address(figure, plot)


def _difficulties(entries: Sequence[Entry], groups: Sequence[str]) -> str:
    figure, axes = _grid(1, len(groups))
    for plot, group in zip(axes, groups, strict=True):
        for entry in entries:
            rows = [row for row in entry["rows"] if row["group"] == group]
            for kind in dict.fromkeys(row["kind"] for row in rows):
                mine = [row for row in rows if row["kind"] == kind]
                name = f"{label(entry)}, {kind}" if kind else label(entry)
                plot.plot([row["size"] for row in mine], [row["survived"] for row in mine], marker=".", label=name)
        plot.set_xlabel(SIZES[group])
        plot.set_ylim(-0.02, 1.02)
        if group == "terrain":
            plot.legend(fontsize="xx-small")
    return _address(figure, axes[0])


def _grid(rows: int, columns: int, height: float = 2.8) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(max(3.4 * columns, 8.0), height * rows + 0.4), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _array(values: Any) -> np.ndarray:
    return np.array(values, dtype=float)  # None becomes NaN, which leaves a gap


def _address(figure: Figure, legend: Any) -> str:
    """Return the picture as a data address, with a legend in one of its plots."""
    if legend is not None and legend.get_legend_handles_labels()[0]:
        legend.legend(fontsize="x-small")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=100)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
