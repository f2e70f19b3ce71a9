# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/evaluate.py``: policies measured and compared, in any engine."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from rich.progress import Progress

from himloco_lab.commands.evaluation_plan import MUJOCO, Unit, check_checkpoints, engines_of, sources_of, units_of
from himloco_lab.errors import FAILURE, INTERRUPTED, CliError, run_command
from himloco_lab.setup.arguments import evaluate_parser, parse
from himloco_lab.setup.registry import find_task

_ONLY = "HIMLOCO_EVALUATE_ONLY"
"""Tells a process which unit of the command line is its own."""


def main(argv: list[str] | None = None) -> int:
    """Evaluate as *argv* says, and return the exit code."""
    return run_command(_evaluate, argv)


def _evaluate(argv: list[str]) -> None:
    args, overrides = parse(evaluate_parser(), argv)
    args.task = find_task(args.task, args.agent).id
    engines = engines_of(args, overrides)
    sources = sources_of(args, engines[0].agent_cfg)
    only = os.environ.get(_ONLY)
    if only is None:
        check_checkpoints(sources, engines[0], args.task)
    units = units_of(args, overrides, engines, sources)
    folder = _folder(args)
    path = folder / "results.json"
    pending = [unit for unit in units if not _is_measured(path, unit, tell=only is None)]
    try:
        if only is None and len(pending) > 1:
            _share_out(pending)
        else:
            for unit in pending:
                if only in (None, unit.key):
                    _measure(args, unit, path)
    except KeyboardInterrupt:
        if only is None:
            print(f"interrupted: what is done is kept in {folder}, and the same command goes on", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    if only is None:
        _report(args, units, path)


def _is_measured(path: Path, unit: Unit, tell: bool) -> bool:
    """Whether an earlier evaluation, with the same settings, has left this unit's results."""
    known = _earlier(path).get(unit.key, {}).get("settings") == unit.settings
    if known and tell:
        print(f"[INFO] {unit.key}: measured before, in {path}")
    return known


def _earlier(path: Path) -> dict[str, dict]:
    from himloco_lab.evaluation.results import read_json

    try:
        return read_json(path)
    except ValueError as error:
        raise CliError(f"{error}; move it away or choose another --output_dir", FAILURE) from None


def _share_out(units: list[Unit]) -> None:
    """Measure each in a process of its own: contacts and timers of one leave traces in the next's numbers."""
    for unit in units:
        process = subprocess.Popen([sys.executable, *sys.orig_argv[1:]], env={**os.environ, _ONLY: unit.key})
        try:
            code = process.wait()
        except KeyboardInterrupt:
            _end(process)
            raise
        if code:
            raise SystemExit(code)  # it has said why


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that Ctrl-C has reached as well, or hand the signal on to it."""
    for patience in (3.0, 10.0):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return
        process.send_signal(signal.SIGINT)
    process.kill()
    process.wait()


def _measure(args: argparse.Namespace, unit: Unit, path: Path) -> None:
    """Measure, and add what was found to the results."""
    from himloco_lab.evaluation.results import told, write_json

    with Progress(disable=not sys.stdout.isatty()) as bar:
        if unit.engine.name == MUJOCO:
            from himloco_lab.commands.evaluation_mujoco import measure_in_mujoco

            found = measure_in_mujoco(args, unit, path.parent, bar)
        else:
            from himloco_lab.commands.evaluation_env import measure_in_env

            found = measure_in_env(args, unit, bar)
    entry = {"suite": unit.suite, "policy": unit.source.name, "engine": unit.engine.name, "settings": unit.settings}
    write_json({**_earlier(path), unit.key: {**entry, **found}}, path)
    print(f"[INFO] {unit.key}: {told(unit.suite, found)}")


def _report(args: argparse.Namespace, units: list[Unit], path: Path) -> None:
    """Write and print the tables."""
    from himloco_lab.evaluation.html_report import write_html
    from himloco_lab.evaluation.markdown_report import markdown, overview

    results = _earlier(path)
    shown = [results[unit.key] for unit in units]
    path.with_name("report.md").write_text(markdown(shown))
    write_html(shown, path.with_name("report.html"), f"Policies on {args.task}")
    print(overview(shown))
    print(f"[INFO] Wrote results.json, report.md and report.html to {path.parent}")


def _folder(args: argparse.Namespace) -> Path:
    folder = Path(args.output_dir).absolute() if args.output_dir else Path("logs/evaluations").absolute() / args.task
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(f"cannot write to {folder}: {error.strerror}; choose --output_dir", FAILURE) from None
    return folder
