# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registrations of the Aliengo's tasks."""

import gymnasium as gym

_CONFIGS = "himloco_lab.tasks.velocity.config.quadruped.robots_cfg"

gym.register(
    id="Himloco-Aliengo-Rough-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{_CONFIGS}:AliengoRoughEnvCfg",
        "rsl_rl_cfg_entry_point": f"{_CONFIGS}:AliengoRoughHIMRunnerCfg",
        "default_agent": "rsl_rl",
    },
)

gym.register(
    id="Himloco-Aliengo-Flat-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{_CONFIGS}:AliengoFlatEnvCfg",
        "rsl_rl_cfg_entry_point": f"{_CONFIGS}:AliengoFlatHIMRunnerCfg",
        "default_agent": "rsl_rl",
    },
)
