# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How fast an environment steps, and where the time goes."""

from __future__ import annotations

import time
from typing import Any

import torch

from .environments import open_environment
from .timers import time_parts

ACTION_STD = 0.6
"""Standard deviation of the random actions: what an untrained policy draws."""
BLOCK = 10
"""Environment steps between two looks at physics alone."""
PHYSICS_BLOCK = 4
"""Steps' worth of physics alone in each look: 0.08 s, in which a robot without control does not get far."""


def measure_stepping(case: str, num_envs: int, warm_up: int, steps: int, parts_steps: int, seed: int) -> dict[str, Any]:
    """Step an environment with random actions.

    Blocks of environment steps and blocks of the same physics steps alone take turns, so that both see the same
    states: robots that stand, fall and lie in the proportion that random actions lead to.

    Args:
        case: Key of :data:`.environments.CONFIGS`.
        num_envs: Number of robots.
        warm_up: Environment steps before anything is measured.
        steps: Environment steps that are measured.
        parts_steps: Further ones whose parts are measured.
        seed: Seed.

    Returns:
        Rates [env-steps/s], milliseconds of each part of a step [ms], share of steps that end an episode.
    """
    start = time.perf_counter()
    torch.set_num_threads(1)  # as in the rollouts of HIMOnPolicyRunner
    with open_environment(case, num_envs, seed) as env, torch.inference_mode():
        env.reset()
        env.episode_length_buf.random_(0, int(env.max_episode_length))  # as at the start of a training
        built = time.perf_counter() - start
        _step(env, warm_up)
        env_s, physics_s, physics_steps, ended = 0.0, 0.0, 0, 0
        for _ in range(max(1, steps // BLOCK)):
            seconds, resets = _step(env, BLOCK)
            env_s, ended = env_s + seconds, ended + resets
            physics_s += _physics_alone(env, PHYSICS_BLOCK)
            physics_steps += PHYSICS_BLOCK
        measured = BLOCK * max(1, steps // BLOCK)
        return {
            "env_steps_per_s": num_envs * measured / env_s,
            "physics_steps_per_s": num_envs * physics_steps / physics_s,
            "ended_share": ended / (num_envs * measured),
            "parts_ms": _parts(env, parts_steps),
            "build_s": built,
        }


def _step(env: Any, count: int) -> tuple[float, int]:
    """Take random steps; returns the seconds they took and the episodes that ended."""
    ended = torch.zeros((), dtype=torch.long, device=env.device)
    start = time.perf_counter()
    for _ in range(count):
        actions = ACTION_STD * torch.randn(env.num_envs, env.action_manager.total_action_dim, device=env.device)
        _, _, terminated, truncated, _ = env.step(actions)
        ended += (terminated | truncated).sum()
    return time.perf_counter() - start, int(ended)


def _physics_alone(env: Any, count: int) -> float:
    """Step nothing but the engine, ``count`` environment steps' worth; returns the seconds."""
    start = time.perf_counter()
    for _ in range(count * env.cfg.decimation):
        env.sim.step(render=False)
    return time.perf_counter() - start


def _parts(env: Any, steps: int) -> dict[str, float]:
    """Milliseconds of one step by part [ms]."""
    timers = time_parts(env)
    seconds, _ = _step(env, steps)
    parts = {name: 1e3 * value / steps for name, value in timers.seconds.items()}
    return parts | {"rest": 1e3 * seconds / steps - sum(parts.values())}
