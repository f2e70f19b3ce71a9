# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The results' file, and what its figures are called."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Entry = Mapping[str, Any]
"""``suite``, ``policy``, ``engine``, ``settings``, and what the suite found."""

TRACKING = {
    "falls_per_hour": "falls per robot-hour",
    "error_vx": "error vx [m/s]",
    "error_vy": "error vy [m/s]",
    "error_yaw_rate": "error yaw rate [rad/s]",
    "error_height": "error height [m]",
    "response_time": "response time [s]",
    "overshoot": "overshoot",
    "foot_slip": "foot slip [m/s]",
    "power": "power [W]",
    "cost_of_transport": "cost of transport",
    "action_rate": "action rate",
    "error_estimate": "error of its velocity estimate [m/s]",
}
"""Key of a figure in a row of the tracking suite -> its title."""
TOUR = {
    "completed": "completed",
    "position_error": "position error [m]",
    "yaw_error": "yaw error [deg]",
    "survival": "mean survival [s]",
    "power": "power [W]",
    "energy": "energy [J]",
    "vibration": "vibration [rad/s²]",
}
"""Key of a figure in a tour's summary -> its title."""
SIZES = {
    "payload": "payload [kg]",
    "friction": "friction",
    "delay": "delay [physics steps]",
    "arms": "arms, ratio",
    "terrain": "terrain level",
}
"""Group of the robustness suite, impulses apart -> what its sizes are."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a file beside *path* that takes its place when the block ends: it is written whole or not at all."""
    beside = path.with_name(f"{path.stem}.{os.getpid()}.tmp{path.suffix}")
    yield beside
    os.replace(beside, path)


def write_json(results: Mapping[str, Entry], path: Path) -> None:
    """Write the results, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(results, indent=1, allow_nan=False))


def read_json(path: Path) -> dict[str, dict[str, Any]]:
    """Return earlier results, nothing where there are none; a ValueError if the file holds something else."""
    if not path.exists():
        return {}
    try:
        results = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON ({error})") from None
    if not isinstance(results, dict) or not all(
        isinstance(one, dict) and {"suite", "policy", "engine", "settings"} <= set(one) for one in results.values()
    ):
        raise ValueError(f"{path} holds no results of an evaluation")
    return results


def of_suite(entries: Iterable[Entry], suite: str) -> list[Entry]:
    """Return the entries of one suite."""
    return [entry for entry in entries if entry["suite"] == suite]


def label(entry: Entry) -> str:
    """Return what a legend calls an entry."""
    return f"{entry['policy']} in {entry['engine']}"


def overall(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the mean of every figure of the tracking suite over the commands that have it, each counting once."""
    values = {figure: [row[figure] for row in rows if row.get(figure) is not None] for figure in TRACKING}
    return {figure: float(np.mean(some)) if some else None for figure, some in values.items()}


def survived(rows: Sequence[Mapping[str, Any]], group: str) -> float | None:
    """Return the share of robots that survived a group of the robustness suite; None without any."""
    mine = [row for row in rows if row["group"] == group]
    robots = sum(row["robots"] for row in mine)
    return sum(row["survived"] * row["robots"] for row in mine) / robots if robots else None


def outcome(suite: str, found: Mapping[str, Any]) -> str:
    """Return in a line what a suite found."""
    if suite == "tour":
        summary = found["summary"]
        return f"{summary['completed']:.0%} of {summary['runs']} runs completed"
    rows = found["rows"]
    robots = sum(row["robots"] for row in rows)
    falls = sum(row["falls"] if "falls" in row else round((1 - row["survived"]) * row["robots"]) for row in rows)
    return f"{falls} of {robots} robots fell"


def number(value: float | None) -> str:
    """Return three digits; nothing for None."""
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 100.0 else f"{value:.3g}"
