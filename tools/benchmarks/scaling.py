# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One process of the part ``scaling``, which torchrun starts: each has one core, robots of its own, and one learner.

In turn the first process makes an iteration alone, while the others wait, and all make one together. So both see the
machine in the same minute, and the same robots.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import Any, cast

import torch
from torch import distributed

from himloco_lab.tasks import load_config
from himloco_rl.distributed.process_group import join

from . import FLAT
from .learner import EAGER, build_learner, collect
from .stepping import open_environment

REPEATS = 30
"""How often a reduction alone is timed."""


def measure(num_envs: int, rounds: int, seed: int) -> dict[str, Any]:
    """Measure in this process, which has *num_envs* robots, together with the others.

    So many *rounds* alone and together are timed, after one that is not.

    Returns:
        Medians: rates of one process alone and of one among all [env-steps/s], seconds of an iteration and of its
        update [s], seconds in reductions, waiting included [s]; what is reduced [B], and one reduction's time [ms].
    """
    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper

    rank, local_rank, world_size = (int(os.environ[name]) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"))
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[local_rank % len(cores)]})
    torch.set_num_threads(1)
    torch.manual_seed(seed + rank)
    with open_environment("flat", num_envs, seed + rank) as built:
        env: Any = RslRlVecEnvWrapper(cast("Any", built), clip_actions=100.0)
        steps = load_config(FLAT, "rsl_rl_cfg_entry_point").num_steps_per_env
        env.episode_length_buf = torch.randint_like(env.episode_length_buf, int(env.max_episode_length))
        learner: Any = build_learner(EAGER["HIM, as trained"], env, steps)
        join("cpu", rank, local_rank, world_size)
        alone, together = [], []
        for number in range(rounds + 1):
            distributed.barrier()
            if rank == 0:
                alone.append(_iteration(learner, env, steps, 1))
            learner.broadcast_parameters()
            distributed.barrier()
            together.append(_iteration(learner, env, steps, world_size))
            if number == 0:  # the first of each warms up
                alone.clear()
                together.clear()
        result = {} if rank > 0 else _summary(alone, together, num_envs * steps)
        # parameters whose gradients are reduced together
        gradients = {"policy": learner.policy_parameters, "estimator": [*learner.actor.estimator.parameters()]}
        sizes = {name: sum(p.numel() for p in parameters) for name, parameters in gradients.items()}
        result["traffic_bytes"] = {name: torch.float32.itemsize * size for name, size in sizes.items()}
        for name, size in sizes.items():
            result[f"{name}_reduction_ms"] = _reduction_ms(size)
        result["number_reduction_ms"] = _reduction_ms(1)
        distributed.barrier()
        distributed.destroy_process_group()
    return result


def _iteration(learner: Any, env: Any, steps: int, world_size: int) -> dict[str, float]:
    """Make an iteration with so many processes; return its seconds, and those of its parts [s]."""
    learner.ranks.world_size = world_size
    for model in (learner.actor, learner.critic):  # rsl_rl's normalizers reduce whenever there is a group
        model.obs_normalizer.train(world_size > 1)
    reducing = [0.0]
    reduce = distributed.all_reduce

    def timed(*args: Any, **kwargs: Any) -> Any:
        begin = time.perf_counter()
        done = reduce(*args, **kwargs)
        reducing[0] += time.perf_counter() - begin
        return done

    distributed.all_reduce = timed
    try:
        start = time.perf_counter()
        collect(learner, env, steps)
        middle = time.perf_counter()
        learner.update()
        end = time.perf_counter()
    finally:
        distributed.all_reduce = reduce
    return {"total": end - start, "update": end - middle, "reducing": reducing[0]}


def _summary(alone: list[dict[str, float]], together: list[dict[str, float]], samples: int) -> dict[str, Any]:
    """Medians of the rounds."""

    def median(rounds: list[dict[str, float]], key: str) -> float:
        return statistics.median(one[key] for one in rounds)

    return {
        "alone_steps_per_s": samples / median(alone, "total"),
        "together_steps_per_s": samples / median(together, "total"),
        "alone_s": median(alone, "total"),
        "together_s": median(together, "total"),
        "alone_update_s": median(alone, "update"),
        "together_update_s": median(together, "update"),
        "reducing_s": median(together, "reducing"),
        "rounds": {"alone": alone, "together": together},
    }


def _reduction_ms(size: int) -> float:
    """Median time of one reduction of so many numbers [ms]."""
    numbers, times = torch.ones(size), []
    for _ in range(REPEATS):
        distributed.barrier()
        start = time.perf_counter()
        distributed.all_reduce(numbers)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)
