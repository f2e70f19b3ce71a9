# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registrations of the G1 tasks."""

import gymnasium as gym

for _terrain in ("Rough", "Flat"):
    gym.register(
        id=f"Himloco-G1-{_terrain}-v0",
        entry_point="isaaclab.envs:ManagerBasedRLEnv",
        disable_env_checker=True,
        kwargs={
            "env_cfg_entry_point": f"{__name__}.{_terrain.lower()}_env_cfg:G1{_terrain}EnvCfg",
            "rsl_rl_cfg_entry_point": f"{__name__}.agents.rsl_rl_him_cfg:G1{_terrain}HIMRunnerCfg",
            "default_agent": "rsl_rl",
        },
    )
