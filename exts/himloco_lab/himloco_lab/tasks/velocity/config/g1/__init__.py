# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registrations of the G1's tasks."""

import gymnasium as gym

_AGENTS = f"{__name__}.agents.rsl_rl_him_cfg"

gym.register(
    id="Himloco-G1-Flat-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.flat_env_cfg:G1FlatEnvCfg",
        "rsl_rl_cfg_entry_point": f"{_AGENTS}:G1FlatHIMRunnerCfg",
        "default_agent": "rsl_rl",
    },
)

gym.register(
    id="Himloco-G1-Rough-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.rough_env_cfg:G1RoughEnvCfg",
        "rsl_rl_cfg_entry_point": f"{_AGENTS}:G1RoughHIMRunnerCfg",
        "rsl_rl_lean_cfg_entry_point": f"{_AGENTS}:G1RoughLeanHIMRunnerCfg",
        "default_agent": "rsl_rl",
    },
)

gym.register(
    id="Himloco-G1-Rough-Perceptive-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.rough_env_cfg:G1RoughPerceptiveEnvCfg",
        "rsl_rl_cfg_entry_point": f"{_AGENTS}:G1RoughPerceptiveHIMRunnerCfg",
        "default_agent": "rsl_rl",
    },
)

gym.register(
    id="Himloco-G1-Sturdy-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.sturdy_env_cfg:G1SturdyEnvCfg",
        "rsl_rl_cfg_entry_point": f"{_AGENTS}:G1SturdyHIMRunnerCfg",
        "default_agent": "rsl_rl",
    },
)
