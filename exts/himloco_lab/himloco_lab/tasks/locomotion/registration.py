# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registration of a robot's tasks under names that say what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym


def register_tasks(robot: str, package: str, tasks: Sequence[str] = ("Rough", "Flat"), **entries: Any) -> None:
    """Register ``Himloco-<robot>-<task>-v0`` for every task of a package under ``config``.

    The task ``Rough-Perceptive`` is ``<Robot>RoughPerceptiveEnvCfg`` in ``rough_perceptive_env_cfg.py``, learnt by
    ``<Robot>RoughPerceptiveHIMRunnerCfg`` in ``agents/rsl_rl_him_cfg.py``; the others likewise. Everything is named by
    a string, so that registering loads no simulator.

    Args:
        robot: As it stands in the names, such as ``Go2``.
        package: The package's ``__name__``.
        tasks: Which tasks it has.
        **entries: Further entries of the registration.
    """
    for task in tasks:
        class_name, module = f"{robot}{task.replace('-', '')}", task.replace("-", "_").lower()
        gym.register(
            id=f"Himloco-{robot}-{task}-v0",
            entry_point="isaaclab.envs:ManagerBasedRLEnv",
            disable_env_checker=True,
            kwargs={
                "env_cfg_entry_point": f"{package}.{module}_env_cfg:{class_name}EnvCfg",
                "rsl_rl_cfg_entry_point": f"{package}.agents.rsl_rl_him_cfg:{class_name}HIMRunnerCfg",
                "default_agent": "rsl_rl",
                **entries,
            },
        )
