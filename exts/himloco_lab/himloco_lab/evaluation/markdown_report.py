# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .commands import AXES
from .results import SIZES, TOUR, TRACKING, Entry, number, of_suite, overall, survived
from .velocities import NOTES

PUBLISHED = {
    "GR00T-WBC": (0.77, 0.78, 0.15, 5.0),
    "Decoupled-WBC": (0.75, 0.80, 0.13, 6.0),
    "HOMIE": (0.69, 0.73, 0.21, 39.0),
    "Grove": (0.62, 0.77, 0.21, 6.0),
    "AMO": (0.64, 0.73, 0.36, 16.0),
}
"""The public ranking's best: share completed in MuJoCo and in PhysX, position error [m], yaw error [deg]. What that
description leaves open may differ from what we chose, so these are points of orientation, not results."""


def markdown(entries: Sequence[Entry]) -> str:
    """Return the tables of :func:`overview`, and then every entry's own."""
    parts = [overview(entries)]
    for entry in of_suite(entries, "tracking"):
        header = [*AXES, "robots", "falls", *TRACKING.values()]
        rows = [_tracking_row(row) for row in entry["rows"]]
        parts.append(f"## Tracking: {entry['policy']} in {entry['engine']}\n\n" + table(header, rows, words=0))
    for entry in of_suite(entries, "robustness"):
        header = ["difficulty", "kind", "size", "robots", "survived", "95 % interval", "error vx [m/s]"]
        rows = [
            [
                row["group"],
                row["kind"],
                f"{row['size']:g}",
                str(row["robots"]),
                f"{row['survived']:.0%}",
                f"{row['survived_low']:.0%} to {row['survived_high']:.0%}",
                number(row["error_vx"]),
            ]
            for row in entry["rows"]
        ]
        parts.append(f"## Robustness: {entry['policy']} in {entry['engine']}\n\n" + table(header, rows, words=2))
    for entry in of_suite(entries, "tour"):
        parts.append(f"## Tour: {entry['policy']} in {entry['engine']}\n\n" + table(*punches(entry), words=1))
    return "\n\n".join(parts) + "\n"


def punches(entry: Entry) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of what a tour's robots fell after; no rows for a result of an earlier version."""
    rows = [
        [row["kind"], str(row["punches"]), str(row["falls"]), f"{row['falls'] / max(row['punches'], 1):.0%}"]
        for row in entry.get("punches", [])
        if row["punches"]
    ]
    return ["punches", "number", "falls before the next", "share"], rows


def overview(entries: Sequence[Entry]) -> str:
    """Return one table for each suite, with a line for each policy in each engine."""
    parts = []
    for suite, header, rows in tables(entries):
        parts.append(f"## {suite.capitalize()}\n\n{table(header, rows, words=2)}")
        if told := notes(suite):
            parts.append("\n".join(f"- {note}" for note in told))
    return "\n\n".join(parts)


def notes(suite: str) -> tuple[str, ...]:
    """Return what a reader of a suite's table must know."""
    return NOTES if suite == "velocities" else ()


def tables(entries: Sequence[Entry]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return suite, header and rows of every table of the overview."""
    found = []
    for suite, make in (
        ("tracking", _tracking),
        ("robustness", _robustness),
        ("velocities", _velocities),
        ("tour", _tour),
    ):
        mine = of_suite(entries, suite)
        if mine:
            header, rows = make(mine)
            found.append((suite, ["policy", "engine", *header], rows))
    return found


def table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> str:
    """Return a table whose first *words* columns stand on the left."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * words + "---:|" * (len(header) - words)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _tracking(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for entry in entries:
        means = overall(entry["rows"])
        rows.append([entry["policy"], entry["engine"], *(number(means[figure]) for figure in TRACKING)])
    return list(TRACKING.values()), rows


def _robustness(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    directions = list(dict.fromkeys(kind for entry in entries for kind in entry["largest"]))
    header = [f"survived: {title.split(' [')[0].split(',')[0]}" for title in SIZES.values()]
    header += [f"impulse {kind} [N s]" for kind in directions]
    rows = []
    for entry in entries:
        shares = [survived(entry["rows"], group) for group in SIZES]
        cells = ["" if share is None else f"{share:.0%}" for share in shares]
        cells += [number(entry["largest"].get(kind)) for kind in directions]
        rows.append([entry["policy"], entry["engine"], *cells])
    return header, rows


def _velocities(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    units = {"lin": "m/s", "ang": "rad/s", "combined": "m/s, rad/s"}
    rows = []
    for entry in entries:
        for row in entry["rows"]:
            cells = [f"{row['ground']}, {row['test']} ±{row['size']:g} {units[row['test']]}", str(row["robots"])]
            cells.append(str(row["falls"]))
            for axis in ("lin", "ang"):
                cells += [_with_interval(row, f"error_{axis}"), _with_interval(row, f"error_{axis}_all")]
                cells.append(number(row[f"published_{axis}"]))
            rows.append([entry["policy"], entry["engine"], *cells])
    errors = [
        f"error {axis}, {what}"
        for axis in ("lin [m/s]", "ang [rad/s]")
        for what in ("settled", "from the command on", "HIM's paper")
    ]
    return ["ground, command", "robots", "falls", *errors], rows


def _tour(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for entry in entries:
        summary = entry["summary"]
        share = f"{summary['completed']:.0%} ({summary['completed_low']:.0%} to {summary['completed_high']:.0%})"
        cells = [_with_interval(summary, figure) for figure in list(TOUR)[1:]]
        rows.append([entry["policy"], entry["engine"], str(summary["runs"]), share, *cells])
    for name, (in_mujoco, in_physx, position, yaw) in PUBLISHED.items():
        for engine, share in (("MuJoCo", in_mujoco), ("PhysX", in_physx)):
            rows.append([f"{name} (published)", engine, "", f"{share:.0%}", number(position), number(yaw), *[""] * 4])
    return ["runs", *TOUR.values()], rows


def _tracking_row(row: Mapping[str, Any]) -> list[str]:
    cells = [f"{row[axis]:g}" for axis in AXES] + [str(row["robots"]), str(row["falls"])]
    return cells + [_with_interval(row, figure) for figure in TRACKING]


def _with_interval(row: Mapping[str, Any], figure: str) -> str:
    half = row.get(f"{figure}_ci95")
    return number(row.get(figure)) + (f" ± {half:.2g}" if half is not None else "")
