# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Results as one HTML file with its pictures inside."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from .markdown_report import notes, punches, tables
from .plots import robustness_pictures, tour_pictures, tracking_pictures
from .results import Entry, of_suite

_STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:90em}td,th{padding:.2em .6em;text-align:right}"
    "td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}tr:nth-child(even){background:#f2f2f2}"
    "table{border-collapse:collapse;font-size:90%}img{max-width:100%}"
)


def write_html(entries: Sequence[Entry], path: Path, title: str) -> None:
    """Write the report: for each suite a table of policies and engines, and its pictures; nothing is fetched."""
    sections = [f"<h1>{html.escape(title)}</h1>"]
    draw = {"tracking": tracking_pictures, "robustness": robustness_pictures, "tour": tour_pictures}
    for suite, header, rows in tables(entries):
        sections.append(f"<h2>{suite.capitalize()}</h2>")
        sections.append(_table(header, rows))
        sections += [f"<p>{html.escape(note)}</p>" for note in notes(suite)]
        for caption, address in draw.get(suite, _no_pictures)(of_suite(entries, suite)):
            sections.append(f'<h3>{html.escape(caption)}</h3><img alt="{html.escape(caption)}" src="{address}">')
    for entry in of_suite(entries, "tour"):
        sections.append(f"<h3>{html.escape(f'Falls after punches: {entry["policy"]} in {entry["engine"]}')}</h3>")
        sections.append(_table(*punches(entry)))
    sections.append("<h2>Settings</h2>")
    for entry in entries:
        settings = ", ".join(f"{key} {value}" for key, value in entry["settings"].items())
        name = f"{entry['suite']}, {entry['policy']} in {entry['engine']}"
        sections.append(f"<p><b>{html.escape(name)}</b>: {html.escape(settings)}</p>")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    path.write_text(f"{head}<style>{_STYLE}</style>" + "\n".join(sections) + "</html>\n")


def _no_pictures(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Draw nothing for a suite whose table says it all."""
    return []


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = ["<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return f"<table><tr>{head}</tr>{''.join(body)}</table>"
