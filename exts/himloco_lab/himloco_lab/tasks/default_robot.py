# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The robot that commands take where none is named, and that the benchmark measures.

No robot is named here: the one whose registration has an entry ``default_robot_entry_point`` is it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym

if TYPE_CHECKING:
    from himloco_rl.observations import ObservationLayout

ENTRY = "default_robot_entry_point"
"""Key of the registration."""


@dataclass(frozen=True)
class DefaultRobot:
    """What commands and benchmark need of it."""

    description: str
    """``"package.module:NAME"`` of its description."""

    rough: str
    """Registered name of its task on rough ground."""

    flat: str
    """Registered name of its task on level ground."""

    policy: Path
    """An exported policy that stands."""

    layout: Callable[[bool], ObservationLayout]
    """Names of its observations; with the critic's height scan or without."""

    variants: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    """Name of a case of the benchmark -> the environment's configuration with something done another way."""


@cache
def default_robot() -> DefaultRobot:
    """Return the robot. Loads no simulator."""
    import himloco_lab.tasks  # noqa: F401

    for spec in gym.registry.values():
        if ENTRY in spec.kwargs:
            module, _, name = spec.kwargs[ENTRY].partition(":")
            return getattr(importlib.import_module(module), name)
    raise LookupError(f"No task's registration has an entry {ENTRY!r}.")


def load_config(task: str, entry: str = "env_cfg_entry_point") -> Any:
    """Return a new configuration of a task: its environment's, or the learner's with ``rsl_rl_cfg_entry_point``."""
    import himloco_lab.tasks  # noqa: F401

    module, _, name = gym.registry[task].kwargs[entry].partition(":")
    return getattr(importlib.import_module(module), name)()
