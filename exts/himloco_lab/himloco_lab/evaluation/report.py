# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Results as JSON, as Markdown tables, and as one HTML file with its pictures inside."""

from __future__ import annotations

import base64
import html
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .commands import AXES

FIGURES = {
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
}
"""Key of a figure in a row -> its title."""
Results = Mapping[str, Mapping[str, Any]]
"""Name of a policy -> ``rows`` (see :func:`.metrics.summarise`) and ``settings``."""


def write_json(results: Results, path: Path) -> None:
    """Write the results, whole or not at all."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    beside.write_text(json.dumps(results, indent=1, allow_nan=False))
    os.replace(beside, path)


def read_json(path: Path) -> dict[str, dict[str, Any]]:
    """Return earlier results; nothing where there are none.

    Raises:
        ValueError: If the file holds something else.
    """
    if not path.exists():
        return {}
    try:
        results = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON ({error})") from None
    if not isinstance(results, dict) or not all(
        isinstance(one, dict) and {"rows", "settings"} <= set(one) for one in results.values()
    ):
        raise ValueError(f"{path} holds no results of an evaluation")
    return results


def overall(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the mean of every figure over the commands that have it, each command counting once."""
    means: dict[str, float | None] = {}
    for figure in FIGURES:
        values = [row[figure] for row in rows if row[figure] is not None]
        means[figure] = float(np.mean(values)) if values else None
    return means


def markdown(results: Results) -> str:
    """Return one table of all policies, and one of each policy's commands."""
    header = ["policy", *FIGURES.values()]
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * len(FIGURES)]
    for name, result in results.items():
        means = overall(result["rows"])
        lines.append("| " + " | ".join([_cell(name), *(_number(means[figure]) for figure in FIGURES)]) + " |")
    for name, result in results.items():
        lines += ["", f"## {name}", ""]
        lines += ["| " + " | ".join([*AXES, "robots", "falls", *FIGURES.values()]) + " |"]
        lines += ["|" + "---:|" * (len(AXES) + 2 + len(FIGURES))]
        for row in result["rows"]:
            cells = [f"{row[axis]:g}" for axis in AXES] + [str(row["robots"]), str(row["falls"])]
            lines.append("| " + " | ".join([*cells, *(_with_interval(row, figure) for figure in FIGURES)]) + " |")
    return "\n".join(lines) + "\n"


def write_html(results: Results, path: Path, title: str) -> None:
    """Write the report: the table of all policies, and pictures of errors by command, in one file."""
    sections = [f"<h1>{html.escape(title)}</h1>", _html_table(results)]
    for axis in AXES:
        sections.append(f'<img alt="commanded and measured {axis}" src="{_picture(results, axis)}">')
    for name, result in results.items():
        settings = ", ".join(f"{key} {value}" for key, value in result["settings"].items())
        sections.append(f"<p><b>{html.escape(name)}</b>: {html.escape(settings)}</p>")
    style = "body{font-family:sans-serif;margin:2em}td,th{padding:.2em .6em;text-align:right}img{max-width:100%}"
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    path.write_text(f"{head}<style>{style}</style>" + "\n".join(sections) + "</html>\n")


def _html_table(results: Results) -> str:
    head = "".join(f"<th>{html.escape(figure)}</th>" for figure in ("policy", *FIGURES.values()))
    body = []
    for name, result in results.items():
        means = overall(result["rows"])
        cells = "".join(f"<td>{_number(means[figure])}</td>" for figure in FIGURES)
        body.append(f"<tr><td>{html.escape(name)}</td>{cells}</tr>")
    return f"<table><tr>{head}</tr>{''.join(body)}</table>"


def _picture(results: Results, axis: str) -> str:
    """Return a picture, as a data address, of the error by commanded value of one axis, all policies in one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.0), layout="constrained")
    axes = figure.subplots()
    for name, result in results.items():
        rows = [row for row in result["rows"] if row[f"error_{axis}"] is not None]
        rows.sort(key=lambda row: row[axis])
        wide = [row[f"error_{axis}_ci95"] or 0.0 for row in rows]
        values = [row[f"error_{axis}"] for row in rows]
        axes.errorbar([row[axis] for row in rows], values, yerr=wide, fmt="o", markersize=3, label=name, capsize=2)
    axes.set_xlabel(f"commanded {axis}")
    axes.set_ylabel("mean error, 95 % interval")
    axes.legend(fontsize="small")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 100.0 else f"{value:.3g}"


def _with_interval(row: Mapping[str, Any], figure: str) -> str:
    half = row.get(f"{figure}_ci95")
    return _number(row[figure]) + (f" ± {half:.2g}" if half is not None else "")
