# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Measurements in processes of their own: a worker that imports a function, or a command that a user would type.

A process carries one simulation, and its peak memory is its own.
"""

from __future__ import annotations

import json
import os
import pkgutil
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace import ROOT, python_command, tools_environment

from himloco_lab.errors import FAILURE, CliError

TIMEOUT = 1800
"""Longest that one worker may take [s]; the longest takes three minutes on two cores."""
_LINE = re.compile(r"^it (\d+)/\d+ .*?(\d+) steps/s \(collect ([\d.]+) s, learn ([\d.]+) s\)")


def run_worker(function: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Call a function in a process of its own.

    Args:
        function: ``"package.module:function"``, seen from ``tools``.
        settings: Its arguments.

    Returns:
        What it returned, passed through JSON.

    Raises:
        CliError: If it fails; the end of what it printed goes to stderr.
    """
    return run_for_json(["-m", "benchmarks.launches", function, json.dumps(settings)])


def run_for_json(arguments: list[str]) -> dict[str, Any]:
    """Run Python on *arguments* and the name of a file, and return what it writes there as JSON.

    Raises:
        CliError: If it writes nothing; the end of what it printed goes to stderr.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, *arguments, str(out)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, cwd=folder, env=tools_environment(), check=False
        )
        if not out.is_file():
            print(f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}", file=sys.stderr)
            raise CliError(f"measuring {' '.join(arguments)} ended with code {done.returncode}; see above", FAILURE)
        return json.loads(out.read_text())


@dataclass(frozen=True)
class Iteration:
    """One of the progress lines of a training."""

    number: int
    """1 for the first."""
    clock_s: float
    """When the line was read [s]."""
    steps_per_s: float
    """What the line says [env-steps/s]."""
    collect_s: float
    """Time of the rollout [s]."""
    learn_s: float
    """Time of the update [s]."""

    @property
    def steps(self) -> float:
        """Environment steps of the rollout, from the line's own numbers."""
        return self.steps_per_s * (self.collect_s + self.learn_s)


def parse_iteration(line: str, clock_s: float) -> Iteration | None:
    """Read a progress line; None if the line is none.

    Args:
        line: A line that ``scripts/train.py`` printed.
        clock_s: When it was read [s].
    """
    match = _LINE.search(line.strip())
    if match is None:
        return None
    return Iteration(int(match[1]), clock_s, float(match[2]), float(match[3]), float(match[4]))


def training_speed(iterations: list[Iteration], warm_up: int) -> dict[str, float]:
    """Speed after the first iterations, by the clock: logging and everything between two lines count.

    Args:
        iterations: All iterations of a run.
        warm_up: How many to leave out.

    Raises:
        ValueError: If none would be left.
    """
    if not 1 <= warm_up < len(iterations):
        raise ValueError(f"{len(iterations)} iterations of which {warm_up} warm up: at least 1 and 1 more are needed.")
    start, rest = iterations[warm_up - 1], iterations[warm_up:]
    steps = sum(iteration.steps for iteration in rest)
    return {
        "env_steps_per_s": steps / (rest[-1].clock_s - start.clock_s),
        "collect_steps_per_s": steps / sum(iteration.collect_s for iteration in rest),
        "collect_s": sum(iteration.collect_s for iteration in rest) / len(rest),
        "learn_s": sum(iteration.learn_s for iteration in rest) / len(rest),
        "iterations": len(rest),
    }


def measure_training(settings: dict[str, Any]) -> dict[str, Any]:
    """Train a task for a few iterations.

    Args:
        settings: ``task``, ``num_envs`` (None for the script's choice), ``iterations``, ``warm_up``, ``processes`` and
            ``overrides``.

    Raises:
        CliError: If the training fails.
    """
    arguments = ["--task", settings["task"], "--device", "cpu", "--max_iterations", str(settings["iterations"])]
    arguments += ["--nproc_per_node", str(settings["processes"])]  # the same on a machine with more cores
    if settings["num_envs"] is not None:
        arguments += ["--num_envs", str(settings["num_envs"])]
    iterations, peak_gb = _launch_training([*arguments, *settings["overrides"]])
    result = {"first_iteration_s": iterations[0].clock_s, "peak_gb": peak_gb}
    if settings["warm_up"]:
        result |= training_speed(iterations, settings["warm_up"])
    return result


def _launch_training(arguments: list[str]) -> tuple[list[Iteration], float]:
    """Run ``scripts/train.py``; return its iterations, the clock at 0 at the command, and its peak memory [GB]."""
    command = [*python_command(), str(ROOT / "scripts" / "train.py"), *arguments]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "stderr").open("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=tools_environment(), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        found = [parse_iteration(line, time.perf_counter() - start) for line in process.stdout]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        iterations = [iteration for iteration in found if iteration is not None]
        if process.returncode != 0 or not iterations:
            errors.seek(0)
            print(errors.read()[-4000:], file=sys.stderr)
            raise CliError(f"{' '.join(command)} ended with code {process.returncode}; see above", FAILURE)
        return iterations, usage.ru_maxrss * 1024 / 1e9  # Linux counts in KiB


def measure_command(script: str, arguments: list[str]) -> dict[str, Any]:
    """Time one of ``scripts`` from the command to its end, in a folder of its own.

    Args:
        script: Its file name.
        arguments: Its arguments.

    Raises:
        CliError: If it fails; the end of what it printed goes to stderr.
    """
    command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    if done.returncode:
        print(f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}", file=sys.stderr)
        raise CliError(f"{' '.join(command)} ended with code {done.returncode}; see above", FAILURE)
    return {"seconds": seconds}


def main(argv: list[str]) -> None:
    """Be a worker: call the function that *argv* names, and write what it returns as JSON."""
    function, settings, out = argv
    Path(out).write_text(json.dumps(pkgutil.resolve_name(function)(**json.loads(settings))))


if __name__ == "__main__":
    main(sys.argv[1:])
