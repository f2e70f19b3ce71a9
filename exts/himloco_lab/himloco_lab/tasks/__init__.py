# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Locomotion tasks. Importing this package registers all of them in gymnasium.

Isaac Lab imports it through the ``isaaclab.tasks`` entry point. Registrations name their configs as strings, so that
this loads neither the simulator nor torch; a new robot is a new package under ``velocity/config``.
"""

import importlib
import pkgutil
from typing import Any

import gymnasium as gym

from .velocity import config as _config

for _robot in pkgutil.iter_modules(_config.__path__, f"{_config.__name__}."):
    if _robot.ispkg:
        importlib.import_module(_robot.name)


def load_config(task: str, entry: str = "env_cfg_entry_point") -> Any:
    """Return a new configuration of a task: its environment's, or the learner's with ``rsl_rl_cfg_entry_point``."""
    module, _, name = gym.registry[task].kwargs[entry].partition(":")
    return getattr(importlib.import_module(module), name)()
