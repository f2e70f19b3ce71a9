# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Runners."""

from .checkpoint_files import CheckpointError, read_checkpoint, require_parts
from .environment_state import environment_state_dict, load_environment_state_dict
from .finite_steps import BrokenSimulationError
from .him_on_policy_runner import HIMOnPolicyRunner
from .learning_guards import DivergedError
from .step_dump import Replayed, replay, require_dump

__all__ = [
    "BrokenSimulationError",
    "CheckpointError",
    "DivergedError",
    "HIMOnPolicyRunner",
    "Replayed",
    "environment_state_dict",
    "load_environment_state_dict",
    "read_checkpoint",
    "replay",
    "require_dump",
    "require_parts",
]
