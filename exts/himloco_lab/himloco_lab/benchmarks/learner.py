# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One update of HIM beside one of rsl_rl's PPO."""

from __future__ import annotations

import contextlib
import copy
import io
import statistics
import time
from typing import Any

import torch
from isaaclab.utils import to_dict
from isaaclab_rl.rsl_rl import handle_deprecated_rsl_rl_cfg
from isaaclab_rl.rsl_rl.utils import check_rsl_rl_version
from rsl_rl.algorithms import PPO

from himloco_lab.tasks.locomotion.config.g1.agents.rsl_rl_him_cfg import G1FlatHIMRunnerCfg
from himloco_rl.algorithms import HIMPPO
from himloco_rl.extensions import mirror_batch

from .dummy_rollouts import DummyRollouts

_STOCK_KEYS = (
    "num_learning_epochs",
    "num_mini_batches",
    "learning_rate",
    "schedule",
    "gamma",
    "lam",
    "entropy_coef",
    "desired_kl",
    "max_grad_norm",
    "value_loss_coef",
    "use_clipped_value_loss",
    "clip_param",
)


def measure_learner(num_envs: int, num_steps: int, updates: int, seed: int) -> dict[str, Any]:
    """Time updates, one learner after the other, again and again.

    Args:
        num_envs: Environments of a rollout.
        num_steps: Its steps per environment.
        updates: Updates of each learner that are measured, after one that is not.
        seed: Seed.

    Returns:
        Median milliseconds of an update for each learner [ms].
    """
    torch.manual_seed(seed)
    env = DummyRollouts(num_envs)
    learners = {name: _build(name, env, num_steps) for name in CASES}
    times: dict[str, list[float]] = {name: [] for name in learners}
    for _ in range(1 + updates):
        for name, learner in learners.items():
            _collect(learner, env, num_steps)
            start = time.perf_counter()
            learner.update()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {"update_ms": {name: statistics.median(values[1:]) for name, values in times.items()}}


CASES: dict[str, tuple[bool, dict[str, Any] | None]] = {
    "HIM": (True, None),
    "PPO": (False, None),
    "HIM, augmented": (True, {"use_data_augmentation": True}),
    "PPO, augmented": (False, {"use_data_augmentation": True, "data_augmentation_func": mirror_batch}),
    "HIM, as trained": (
        True,
        {"use_data_augmentation": True, "use_mirror_loss": True, "mirror_estimator": True},
    ),
}
"""Learners by name: whether it is HIM, and its symmetry settings."""


def _build(name: str, env: DummyRollouts, num_steps: int) -> PPO:
    """One of :data:`CASES` with the sizes of the Flat task's networks."""
    him, symmetry = CASES[name]
    agent = handle_deprecated_rsl_rl_cfg(G1FlatHIMRunnerCfg(), check_rsl_rl_version())
    cfg: dict[str, Any] = copy.deepcopy(to_dict(agent))
    cfg |= {"num_steps_per_env": num_steps, "multi_gpu": None, "torch_compile_mode": None}
    if not him:
        cfg["actor"].pop("estimator_cfg")
        cfg["actor"]["class_name"] = "MLPModel"
        cfg["algorithm"] = {key: cfg["algorithm"][key] for key in _STOCK_KEYS} | {"class_name": "PPO"}
        cfg["obs_groups"].pop("estimator")
    cfg["algorithm"]["symmetry_cfg"] = copy.copy(symmetry)
    algorithm: type[PPO] = HIMPPO if him else PPO
    with contextlib.redirect_stdout(io.StringIO()):  # the models print themselves
        return algorithm.construct_algorithm(env.get_observations(), env, cfg, "cpu")


def _collect(learner: PPO, env: DummyRollouts, num_steps: int) -> None:
    """Fill the learner's storage; not part of what is timed."""
    obs = env.get_observations()
    with torch.inference_mode():
        for _ in range(num_steps):
            obs, rewards, dones, extras = env.step(learner.act(obs))
            learner.process_env_step(obs, rewards, dones, extras)
        learner.compute_returns(obs)
