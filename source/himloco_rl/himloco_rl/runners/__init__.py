# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Runners."""

from himloco_rl.sim_state.environment_state import environment_state_dict, load_environment_state_dict

from .him_on_policy_runner import HIMOnPolicyRunner

__all__ = [
    "HIMOnPolicyRunner",
    "environment_state_dict",
    "load_environment_state_dict",
]
