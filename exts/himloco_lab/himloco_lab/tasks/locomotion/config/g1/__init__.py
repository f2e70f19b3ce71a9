# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registrations of the G1 tasks."""

import gymnasium as gym

for _name in ("Rough", "Flat", "Rough-Perceptive"):
    _class, _module = _name.replace("-", ""), _name.replace("-", "_").lower()
    gym.register(
        id=f"Himloco-G1-{_name}-v0",
        entry_point="isaaclab.envs:ManagerBasedRLEnv",
        disable_env_checker=True,
        kwargs={
            "env_cfg_entry_point": f"{__name__}.{_module}_env_cfg:G1{_class}EnvCfg",
            "rsl_rl_cfg_entry_point": f"{__name__}.agents.rsl_rl_him_cfg:G1{_class}HIMRunnerCfg",
            "default_agent": "rsl_rl",
        },
    )
