# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Measures a policy in MuJoCo, where neither Isaac Lab nor its observations are at hand: only an exported policy."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.progress import Progress

from himloco_lab.commands.evaluation_plan import Source, Unit
from himloco_lab.deployment.manifest import ManifestError
from himloco_lab.errors import FAILURE, CliError
from himloco_lab.setup.arguments import NEWEST_FIRST

RECORDING = 2
"""Counts the changes of what a recording holds."""

_EXPORT = "import sys; from himloco_lab.commands.export import main; sys.exit(main(sys.argv[1:]))"


def measure_in_mujoco(args: argparse.Namespace, unit: Unit, folder: Path, bar: Progress) -> dict[str, Any]:
    """Do the job on level ground, with all cores; a checkpoint is exported first.

    Args:
        args: The command line.
        unit: What to measure.
        folder: Where exports go, and what is done when it is interrupted.
        bar: Shows how far it is.

    Returns:
        What the suite found.

    Raises:
        CliError: If the policy cannot be exported, or does not fit its manifest.
    """
    from himloco_lab.evaluation.mujoco_pool import contestant, measure
    from himloco_lab.evaluation.suites import result_of

    source = unit.source
    path = _exported(args, source, folder) if source.is_checkpoint else source.path
    try:
        newest_first = args.history == NEWEST_FIRST and not source.is_checkpoint
        one = contestant(source.name, path, str(unit.engine.env_cfg.scene.robot.spawn.robot), newest_first)
        task = bar.add_task(unit.key, total=unit.job.num_robots)
        return result_of(measure(one, unit.job, _kept(unit, folder), lambda robots: bar.advance(task, robots)))
    except ManifestError as error:
        raise CliError(str(error), FAILURE) from None
    except OSError as error:
        raise CliError(f"cannot write to {folder}: {error.strerror}; choose --output_dir", FAILURE) from None


def _kept(unit: Unit, folder: Path) -> Path:
    """Return the folder of what a unit has done so far; another policy, job or version has another one."""
    whole = json.dumps([RECORDING, unit.key, unit.settings, importlib.metadata.version("himloco_lab")], sort_keys=True)
    return folder / "unfinished" / hashlib.sha256(whole.encode()).hexdigest()[:12]


def _exported(args: argparse.Namespace, source: Source, folder: Path) -> Path:
    """Return the ONNX file of a checkpoint, made now or by an earlier evaluation."""
    assert source.path is not None, "A checkpoint has a file."
    place = folder / "exported" / hashlib.sha256(source.path.read_bytes()).hexdigest()[:12]
    path = place / "policy.onnx"
    if not path.is_file():
        flags = ["--task", args.task, "--agent", args.agent, "--checkpoint", str(source.path), "--device", "cpu"]
        command = [sys.executable, "-c", _EXPORT, *flags, "--output_dir", str(place)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("error:")]
            raise CliError(said[-1].removeprefix("error: ") if said else done.stderr[-300:], FAILURE)
    return path
