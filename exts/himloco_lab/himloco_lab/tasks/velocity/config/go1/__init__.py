# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registrations of the Go1's tasks."""

import gymnasium as gym

_CONFIGS = "himloco_lab.tasks.velocity.config.quadruped.robots_cfg"

gym.register(
    id="Himloco-Go1-Rough-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{_CONFIGS}:Go1RoughEnvCfg",
        "rsl_rl_cfg_entry_point": f"{_CONFIGS}:Go1RoughHIMRunnerCfg",
        "default_agent": "rsl_rl",
    },
)

gym.register(
    id="Himloco-Go1-Flat-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{_CONFIGS}:Go1FlatEnvCfg",
        "rsl_rl_cfg_entry_point": f"{_CONFIGS}:Go1FlatHIMRunnerCfg",
        "default_agent": "rsl_rl",
    },
)
