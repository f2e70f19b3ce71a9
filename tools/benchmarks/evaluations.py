# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How fast ``scripts/evaluate.py`` is: its tracking suite by the clock, and a tour in MuJoCo on one core."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from himloco_lab.errors import FAILURE, CliError
from himloco_lab.tasks.default_robot import default_robot


def measure_tour(robots: int, tour_seconds: float, seed: int) -> dict[str, Any]:
    """Run robots on the tour in this process, without punches so that they stay on their feet.

    A robot is simulated until it falls, and the tour ends with the last one. So what counts is the simulated time in
    which robots stood or were held, over the time from the reset to that end; loading is left out.

    Args:
        robots: How many, one after the other in every step.
        tour_seconds: Length of the tour [s].
        seed: Of the plan.

    Returns:
        ``robot_seconds_per_s``: by the clock; ``robot_seconds_per_cpu_s``: by the processor's time, which other
        processes on the machine take less from; ``stood_share``: how much of the tour was simulated.
    """
    import dataclasses

    from himloco_lab.evaluation.mujoco_arena import MujocoArena, find_mujoco_policy, with_physics_dt
    from himloco_lab.evaluation.tour import HELD, PHYSICS_DT, make_plan, run_tour
    from himloco_lab.robots.description import find_description

    one = find_mujoco_policy("stand", default_robot().policy, default_robot().description)
    manifest = with_physics_dt(one.manifest, PHYSICS_DT)
    policy = one.make_policy(seed, 0)
    arena = MujocoArena(manifest, find_description(default_robot().description), lambda number: policy, range(robots))
    plan = make_plan(range(robots), seed, len(arena.links))
    plan = dataclasses.replace(plan, punch_force=np.zeros_like(plan.punch_force))
    command = manifest.command
    limits = np.array([command.lin_vel_x, command.lin_vel_y, command.ang_vel_z]).T
    start, cpu_start = time.perf_counter(), time.process_time()
    recording = run_tour(arena, plan, limits, command.standing[3], seed, tour_seconds)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    stood = robots * HELD + float(recording.alive.sum()) * recording.dt
    return {
        "robot_seconds_per_s": stood / seconds,
        "robot_seconds_per_cpu_s": stood / cpu_seconds,
        "stood_share": stood / (robots * (HELD + tour_seconds)),
    }


def measure_tracking(repository: Path, engine: str, commands: int, robots: int) -> dict[str, Any]:
    """Time the tracking suite of the standing policy from the command to the report.

    Args:
        repository: Folder of the repository.
        engine: One of ``--engine``.
        commands: Of the grid.
        robots: For each command.

    Raises:
        CliError: If it fails.
    """
    script = str(repository / "scripts" / "evaluate.py")
    flags = [
        "--task",
        default_robot().flat,
        "--device",
        "cpu",
        "--policy",
        str(default_robot().policy),
        "--engine",
        engine,
    ]
    sizes = ["--num_commands", str(commands), "--robots", str(robots)]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [sys.executable, script, *flags, *sizes, "--output_dir", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    if done.returncode:
        print(f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}", file=sys.stderr)
        raise CliError(f"{' '.join(command)} ended with code {done.returncode}; see above", FAILURE)
    return {"seconds": seconds}
