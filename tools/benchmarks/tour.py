# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Robots a second on the evaluation's tour in MuJoCo."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from himloco_lab.evaluation.mujoco_arena import MujocoArena, find_mujoco_policy, with_physics_dt
from himloco_lab.evaluation.tour import HELD, PHYSICS_DT, make_plan, run_tour
from himloco_lab.robots.description import find_description
from himloco_lab.robots.policy_layout import HEIGHT

from . import POLICY, ROBOT


def measure_tour(robots: int, tour_seconds: float, seed: int) -> dict[str, Any]:
    """Run robots on the tour of so many seconds in this process, without punches so that they stay on their feet.

    A robot is simulated until it falls, and the tour ends with the last one. So what counts is the simulated time in
    which robots stood or were held, over the time from the reset to that end; loading is left out.

    Returns:
        ``robot_seconds_per_s``: by the clock; ``robot_seconds_per_cpu_s``: by the processor's time, which other
        processes on the machine take less from; ``stood_share``: how much of the tour was simulated.
    """
    one = find_mujoco_policy("stand", POLICY, ROBOT)
    manifest = with_physics_dt(one.manifest, PHYSICS_DT)
    policy = one.make_policy(seed, 0)
    arena = MujocoArena(manifest, find_description(ROBOT), lambda number: policy, range(robots))
    plan = make_plan(range(robots), seed, len(arena.links))
    plan = dataclasses.replace(plan, punch_force=np.zeros_like(plan.punch_force))
    command = manifest.command
    limits = np.array([command.lin_vel_x, command.lin_vel_y, command.ang_vel_z]).T
    start, cpu_start = time.perf_counter(), time.process_time()
    recording = run_tour(arena, plan, limits, command.standing[HEIGHT], seed, tour_seconds)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    stood = robots * HELD + float(recording.alive.sum()) * recording.dt
    return {
        "robot_seconds_per_s": stood / seconds,
        "robot_seconds_per_cpu_s": stood / cpu_seconds,
        "stood_share": stood / (robots * (HELD + tour_seconds)),
    }
