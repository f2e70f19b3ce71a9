# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One measurement in a process of its own: ``python -m benchmarks.worker KIND SETTINGS FILE``.

A process carries one simulation, and its peak memory is its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from himloco_lab.errors import FAILURE, CliError

TIMEOUT = 1800
"""Longest that one measurement may take [s]; the longest takes three minutes on two cores."""


def environment() -> dict[str, str]:
    """Variables of a process that imports from ``tools``."""
    tools = str(Path(__file__).resolve().parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (tools, os.environ.get("PYTHONPATH"))))}


def measure(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Measure in this process.

    Args:
        kind: ``stepping``, ``learner``, ``peaks`` or ``tour``.
        settings: Arguments of the measurement.

    Raises:
        ValueError: If there is no such kind.
    """
    if kind == "stepping":
        from .stepping import measure_stepping  # loads the simulator

        return measure_stepping(**settings)
    if kind == "learner":
        from .learner import measure_learner  # loads the learner

        return measure_learner(**settings)
    if kind == "peaks":
        from .peak_memory import update_peaks

        return update_peaks(**settings)
    if kind == "tour":
        from .evaluations import measure_tour

        return measure_tour(**settings)
    raise ValueError(f"no measurement is called {kind!r}; there are 'stepping', 'learner', 'peaks' and 'tour'.")


def run_worker(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Measure in a process of its own; arguments as in :func:`measure`.

    Raises:
        CliError: If it fails; the end of what it printed goes to stderr.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, "-m", "benchmarks.worker", kind, json.dumps(settings), str(out)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, cwd=folder, env=environment(), check=False
        )
        if not out.is_file():
            print(f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}", file=sys.stderr)
            raise CliError(f"measuring {kind} {settings} ended with code {done.returncode}; see above", FAILURE)
        return json.loads(out.read_text())


def main(argv: list[str]) -> None:
    """Measure what *argv* names and write the result as JSON."""
    kind, settings, out = argv
    Path(out).write_text(json.dumps(measure(kind, json.loads(settings))))


if __name__ == "__main__":
    main(sys.argv[1:])
