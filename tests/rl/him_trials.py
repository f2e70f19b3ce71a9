# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A HIMPPO on the dummy task, and rollouts for it."""

from __future__ import annotations

from typing import Any

import torch
from dummy_env import DummyEnv, train_cfg

from himloco_rl.algorithms import HIMPPO

SYMMETRY = {"use_data_augmentation": True, "use_mirror_loss": True, "mirror_estimator": True}


def build(num_envs: int = 8, steps: int = 4, cfg: dict[str, Any] | None = None, **algorithm: Any) -> HIMPPO:
    cfg = cfg or train_cfg(**algorithm)
    cfg["num_steps_per_env"], cfg["multi_gpu"] = steps, None
    env = DummyEnv(num_envs, max_episode_length=3)
    return HIMPPO.construct_algorithm(env.get_observations(), env, cfg, "cpu")


def rollout(algorithm: HIMPPO, seed: int = 0) -> None:
    env = DummyEnv(algorithm.storage.num_envs, max_episode_length=3, seed=seed)
    observations = env.get_observations()
    with torch.inference_mode():
        for _ in range(algorithm.storage.num_transitions_per_env):
            observations, rewards, dones, extras = env.step(algorithm.act(observations))
            algorithm.process_env_step(observations, rewards, dones, extras)
        algorithm.compute_returns(observations)
