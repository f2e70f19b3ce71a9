# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The report of an evaluation: tables in Markdown, and a page with the same tables and pictures."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from himloco_lab.deployment.manifest import COMMAND_PARTS

from .results import SIZES, TOUR, TRACKING, Entry, label, number, of_suite, overall, survived
from .tracking import error_bins
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

UNITS = {"vx": "m/s", "vy": "m/s", "yaw_rate": "rad/s", "height": "m"}

_STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:90em}td,th{padding:.2em .6em;text-align:right}"
    "td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}tr:nth-child(even){background:#f2f2f2}"
    "table{border-collapse:collapse;font-size:90%}img{max-width:100%}"
)


def markdown(entries: Sequence[Entry]) -> str:
    """Return the tables of :func:`overview`, and then every entry's own."""
    parts = [overview(entries)]
    for entry in of_suite(entries, "tracking"):
        header = [*COMMAND_PARTS, "robots", "falls", *TRACKING.values()]
        rows = [_tracking_row(row) for row in entry["rows"]]
        parts.append(f"## Tracking: {label(entry)}\n\n" + markdown_table(header, rows, words=0))
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
        parts.append(f"## Robustness: {label(entry)}\n\n" + markdown_table(header, rows, words=2))
    for entry in of_suite(entries, "tour"):
        parts.append(f"## Tour: {label(entry)}\n\n" + markdown_table(*punches(entry), words=1))
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
        parts.append(f"## {suite.capitalize()}\n\n{markdown_table(header, rows, words=2)}")
        if notes := SECTIONS[suite][2]:
            parts.append("\n".join(f"- {note}" for note in notes))
    return "\n\n".join(parts)


def tables(entries: Sequence[Entry]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return suite, header and rows of every table of the overview."""
    found = []
    for suite, (make_table, _, _) in SECTIONS.items():
        if mine := of_suite(entries, suite):
            header, rows = make_table(mine)
            found.append((suite, ["policy", "engine", *header], rows))
    return found


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> str:
    """Return a table whose first *words* columns stand on the left."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * words + "---:|" * (len(header) - words)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _tracking(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [entry["policy"], entry["engine"], *(number(mean) for mean in overall(entry["rows"]).values())]
        for entry in entries
    ]
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
            what = f"{row['ground']}, {row['test']} ±{row['size']:g} {units[row['test']]}"
            cells = [entry["policy"], entry["engine"], what, str(row["robots"]), str(row["falls"])]
            for axis in ("lin", "ang"):
                cells += [_with_interval(row, f"error_{axis}"), _with_interval(row, f"error_{axis}_all")]
                cells.append(number(row[f"published_{axis}"]))
            rows.append(cells)
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
    cells = [f"{row[axis]:g}" for axis in COMMAND_PARTS] + [str(row["robots"]), str(row["falls"])]
    return cells + [_with_interval(row, figure) for figure in TRACKING]


def _with_interval(row: Mapping[str, Any], figure: str) -> str:
    half = row.get(f"{figure}_ci95")
    return number(row.get(figure)) + (f" ± {half:.2g}" if half is not None else "")


def write_html(entries: Sequence[Entry], path: Path, title: str) -> None:
    """Write the report: for each suite a table of policies and engines, and its pictures; nothing is fetched."""
    sections = [f"<h1>{html.escape(title)}</h1>"]
    for suite, header, rows in tables(entries):
        _, draw, notes = SECTIONS[suite]
        sections += [f"<h2>{suite.capitalize()}</h2>", _html_table(header, rows)]
        sections += [f"<p>{html.escape(note)}</p>" for note in notes]
        for caption, address in draw(of_suite(entries, suite)) if draw else ():
            sections.append(f'<h3>{html.escape(caption)}</h3><img alt="{html.escape(caption)}" src="{address}">')
    for entry in of_suite(entries, "tour"):
        sections += [f"<h3>{html.escape(f'Falls after punches: {label(entry)}')}</h3>", _html_table(*punches(entry))]
    sections.append("<h2>Settings</h2>")
    for entry in entries:
        settings = ", ".join(f"{key} {value}" for key, value in entry["settings"].items())
        name = f"{entry['suite']}, {label(entry)}"
        sections.append(f"<p><b>{html.escape(name)}</b>: {html.escape(settings)}</p>")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    path.write_text(f"{head}<style>{_STYLE}</style>" + "\n".join(sections) + "</html>\n")


def _html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = ["<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return f"<table><tr>{head}</tr>{''.join(body)}</table>"


def tracking_pictures(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return titles and data addresses of the tracking suite's pictures."""
    curves = _by_part(entries, _curve, "time [s]", "PART [UNIT]")
    errors = _by_part(entries, _errors_by_command, "commanded PART [UNIT]", "error [UNIT]")
    histograms = _by_part(entries, _histogram, "error of PART [UNIT]", "share")
    alive = _by_time(entries, {"alive": "share"}, "time since the command's step [s]", top=1.02)
    pictures = [
        ("Tracking over time: the largest command of every axis", curves),
        ("Mean error by command, with 95 % interval", errors),
        ("Measured minus commanded, of all robots, from 2 s after the step", histograms),
        ("Robots that stand", alive),
        ("Foot contacts under the largest forward command", _feet(entries)),
    ]
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
    panels = {"alive": "share that stands", "position_error": "position error [m]", "yaw_error": "yaw error [rad]"}
    return [("The tour, by time since the release", _by_time(entries, panels, "time [s]"))]


def _by_time(entries: Sequence[Entry], panels: Mapping[str, str], x: str, top: float | None = None) -> str:
    """Return a picture with a plot for each series of *panels* (name -> words along the y axis)."""
    figure, axes = _grid(1, len(panels))
    for plot, (name, title) in zip(axes, panels.items(), strict=True):
        for entry in entries:
            plot.plot(_array(entry["series"]["time"]), _array(entry["series"][name]), label=label(entry))
        plot.set_xlabel(x)
        plot.set_ylabel(title)
        plot.set_ylim(0.0, top)
    return _address(figure, axes[0])


def _by_part(entries: Sequence[Entry], draw: Callable[[Axes, Entry, str], None], x: str, y: str) -> str:
    """Return a picture with a plot for each part of a command; PART and UNIT stand for the part's in *x* and *y*."""
    figure, axes = _grid(1, len(COMMAND_PARTS))
    for plot, part in zip(axes, COMMAND_PARTS, strict=True):
        for entry in entries:
            draw(plot, entry, part)
        plot.set_xlabel(x.replace("PART", part).replace("UNIT", UNITS[part]))
        plot.set_ylabel(y.replace("PART", part).replace("UNIT", UNITS[part]))
    return _address(figure, axes[0])


def _curve(plot: Axes, entry: Entry, part: str) -> None:
    plot.axvline(0.0, color="gray", linewidth=0.6)
    curve = entry["series"]["curves"].get(part)
    if curve is not None:
        plot.plot(_array(curve["time"]), _array(curve["measured"]), label=label(entry))
        plot.axhline(curve["command"], color="black", linewidth=0.8, linestyle="--")


def _errors_by_command(plot: Axes, entry: Entry, part: str) -> None:
    rows = sorted((row for row in entry["rows"] if row[f"error_{part}"] is not None), key=lambda row: row[part])
    wide = [row[f"error_{part}_ci95"] or 0.0 for row in rows]
    commands, errors = [row[part] for row in rows], [row[f"error_{part}"] for row in rows]
    plot.errorbar(commands, errors, yerr=wide, fmt="o", markersize=3, capsize=2, label=label(entry))


def _histogram(plot: Axes, entry: Entry, part: str) -> None:
    counts = np.array(entry["series"]["errors"][part], dtype=float)
    plot.stairs(counts / max(counts.sum(), 1.0), error_bins(part), label=label(entry))


def _feet(entries: Sequence[Entry]) -> str:
    figure, axes = _grid(len(entries), 1, height=1.2)
    for plot, entry in zip(axes, entries, strict=True):
        feet = entry["series"]["feet"]
        for row, contacts in enumerate(feet["contacts"]):
            begin, end = np.flatnonzero(np.diff([0, *contacts, 0])).reshape(-1, 2).T
            spans = np.stack([feet["start"] + begin * feet["dt"], (end - begin) * feet["dt"]], axis=1)
            plot.broken_barh(spans.tolist(), (row - 0.4, 0.8))
        plot.set_yticks(range(len(feet["contacts"])), [f"foot {row + 1}" for row in range(len(feet["contacts"]))])
        plot.set_title(label(entry), fontsize="small", loc="left")
    axes[-1].set_xlabel("time since the command's step [s]")
    return _address(figure, None)


def _estimates(entries: Sequence[Entry]) -> str:
    chosen = [entry for entry in entries if "estimate" in entry["series"]]
    figure, axes = _grid(len(chosen), 2, height=2.0)
    for row, entry in enumerate(chosen):
        estimate = {name: _array(values) for name, values in entry["series"]["estimate"].items()}
        for column, name in enumerate(("vx", "vy")):
            plot = axes[2 * row + column]
            plot.plot(estimate["time"], estimate["measured"][:, column], label="measured")
            plot.plot(estimate["time"], estimate["estimated"][:, column], label="estimated", linestyle="--")
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


SECTIONS = {
    "tracking": (_tracking, tracking_pictures, ()),
    "robustness": (_robustness, robustness_pictures, ()),
    "velocities": (_velocities, None, NOTES),
    "tour": (_tour, tour_pictures, ()),
}
"""Suite -> what makes its table of the overview, what draws its pictures, and what a reader of the table must know."""
