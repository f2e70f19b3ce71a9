# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Runners."""

from .environment_state import EnvironmentState
from .him_on_policy_runner import HIMOnPolicyRunner

__all__ = ["EnvironmentState", "HIMOnPolicyRunner"]
