# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/train.py`` as users start it: time to the first iteration, speed, peak memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from himloco_lab.errors import FAILURE, CliError

_LINE = re.compile(r"^it (\d+)/\d+ .*?(\d+) steps/s \(collect ([\d.]+) s, learn ([\d.]+) s\)")


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


def launch_training(repository: Path, arguments: list[str]) -> tuple[list[Iteration], float]:
    """Run ``scripts/train.py`` in a folder of its own.

    Args:
        repository: Folder of the repository.
        arguments: Arguments of the script.

    Returns:
        Its iterations, with the clock at 0 when the command was given, and its peak memory [GB].

    Raises:
        CliError: If it fails.
    """
    command = [*python_command(repository), str(repository / "scripts" / "train.py"), *arguments]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "stderr").open("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
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


def measure_training(repository: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Train a task for a few iterations.

    Args:
        repository: Folder of the repository.
        settings: ``task``, ``num_envs`` (None for the script's choice), ``iterations``, ``warm_up``, ``processes``.
    """
    arguments = ["--task", settings["task"], "--device", "cpu", "--max_iterations", str(settings["iterations"])]
    arguments += ["--nproc_per_node", str(settings["processes"])]  # the same on a machine with more cores
    if settings["num_envs"] is not None:
        arguments += ["--num_envs", str(settings["num_envs"])]
    iterations, peak_gb = launch_training(repository, [*arguments, *settings.get("overrides", [])])
    result = {"first_iteration_s": iterations[0].clock_s, "peak_gb": peak_gb}
    if settings["warm_up"]:
        result |= training_speed(iterations, settings["warm_up"])
    return result


def python_command(repository: Path) -> list[str]:
    """``himloco.sh -p`` where that is how this process was started, so that its checks count; else this Python."""
    through_script = os.environ.get("VIRTUAL_ENV") == sys.prefix and (Path(sys.prefix) / ".himloco/stamp").is_file()
    return [str(repository / "himloco.sh"), "-p"] if through_script else [sys.executable]
