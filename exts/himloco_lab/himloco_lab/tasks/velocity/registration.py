# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registration of a robot's tasks under names that say what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym


def register_tasks(
    robot: str,
    package: str,
    tasks: Sequence[str] = ("Rough", "Flat"),
    env_module: str = "cfg",
    agent_module: str = "cfg",
    **entries: Any,
) -> None:
    """Register ``Himloco-<robot>-<task>-v0`` for every task of a package under ``config``.

    The task ``Rough-Perceptive`` is the class ``<Robot>RoughPerceptiveEnvCfg``, learnt by
    ``<Robot>RoughPerceptiveHIMRunnerCfg``; the others likewise. Everything is named by a string, so that registering
    loads no simulator.

    Args:
        robot: As it stands in the names, such as ``Robot`` in ``RobotFlatEnvCfg``.
        package: The package's ``__name__``.
        tasks: Which tasks it has.
        env_module: Module of the package with the environments; ``{task}`` becomes ``rough_perceptive`` and so on.
        agent_module: Module of the package with the learners.
        **entries: Further entries of the registration.
    """
    for task in tasks:
        class_name = f"{robot}{task.replace('-', '')}"
        module = env_module.format(task=task.replace("-", "_").lower())
        gym.register(
            id=f"Himloco-{robot}-{task}-v0",
            entry_point="isaaclab.envs:ManagerBasedRLEnv",
            disable_env_checker=True,
            kwargs={
                "env_cfg_entry_point": f"{package}.{module}:{class_name}EnvCfg",
                "rsl_rl_cfg_entry_point": f"{package}.{agent_module}:{class_name}HIMRunnerCfg",
                "default_agent": "rsl_rl",
                **entries,
            },
        )
