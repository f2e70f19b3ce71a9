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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace import ROOT, python_command, tools_environment

from himloco_lab.errors import FAILURE, CliError

TIMEOUT = 1800
"""Longest that one worker may take [s]; the longest takes three minutes on two cores."""
_LINE = re.compile(r"^it (\d+)/\d+ .*?(\d+) steps/s \(collect ([\d.]+) s, learn ([\d.]+) s\)")


def run_worker(function: str, settings: dict[str, Any], launcher: Sequence[str] = ()) -> dict[str, Any]:
    """Call ``"package.module:function"``, seen from ``tools``, in a process of its own; return its result, as JSON.

    A *launcher*, Python's arguments such as torchrun's, may start several, of which the first one's result counts.

    Raises:
        CliError: If it fails; the end of what it printed goes to stderr.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, *launcher, "-m", "benchmarks.launches", function, json.dumps(settings), str(out)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, cwd=folder, env=tools_environment(), check=False
        )
        if not out.is_file():
            raise _failure(f"measuring {function} with {settings}", done.returncode, done.stdout + done.stderr)
        return json.loads(out.read_text())


def _failure(what: str, code: int, output: str) -> CliError:
    """Print the end of what a process said, and return the error to raise."""
    print(output[-6000:], file=sys.stderr)
    return CliError(f"{what} ended with code {code}; see above", FAILURE)


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
    """Read a line that ``scripts/train.py`` printed at *clock_s* [s]; None if it is no progress line."""
    match = _LINE.search(line.strip())
    if match is None:
        return None
    return Iteration(int(match[1]), clock_s, float(match[2]), float(match[3]), float(match[4]))


def training_speed(iterations: list[Iteration], warm_up: int) -> dict[str, float]:
    """Speed after the first *warm_up* of a run's iterations, by the clock: all that is between two lines counts.

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


def measure_training(
    task: str, iterations: int, warm_up: int, overrides: list[str], num_envs: int | None = None, processes: int = 1
) -> dict[str, Any]:
    """Run ``scripts/train.py`` for so many iterations, of which the speed leaves out *warm_up*; 0 for no speed.

    The number of environments is the script's choice if None; that of processes is the same on every machine.

    Raises:
        CliError: If the training fails.
    """
    command = [*python_command(), str(ROOT / "scripts" / "train.py"), "--task", task, "--device", "cpu"]
    command += ["--max_iterations", str(iterations), "--nproc_per_node", str(processes)]
    command += [] if num_envs is None else ["--num_envs", str(num_envs)]
    command += overrides
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "stderr").open("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=tools_environment(), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        found = [parse_iteration(line, time.perf_counter() - start) for line in process.stdout]
        _, status, usage = os.wait4(process.pid, 0)  # which says its peak memory
        process.returncode = os.waitstatus_to_exitcode(status)
        made = [iteration for iteration in found if iteration is not None]
        if process.returncode != 0 or not made:
            errors.seek(0)
            raise _failure(" ".join(command), process.returncode, errors.read())
    speed = training_speed(made, warm_up) if warm_up else {}
    # Linux counts in KiB
    return {"first_iteration_s": made[0].clock_s, "peak_gb": usage.ru_maxrss * 1024 / 1e9, **speed}


def measure_command(script: str, arguments: list[str]) -> dict[str, Any]:
    """Time one of ``scripts`` from the command to its end [s], in a folder of its own.

    Raises:
        CliError: If it fails; the end of what it printed goes to stderr.
    """
    command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    if done.returncode:
        raise _failure(" ".join(command), done.returncode, done.stdout + done.stderr)
    return {"seconds": seconds}


def main(argv: list[str]) -> None:
    """Be a worker: call the function that *argv* names, and write what it returns as JSON."""
    function, settings, out = argv
    result = pkgutil.resolve_name(function)(**json.loads(settings))
    if os.environ.get("RANK", "0") == "0":
        Path(out).write_text(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
