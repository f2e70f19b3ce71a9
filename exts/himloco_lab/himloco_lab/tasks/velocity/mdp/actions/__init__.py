# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Action terms."""

from .actions_cfg import CommandedJointPositionActionCfg, DelayedJointPositionActionCfg

__all__ = ["CommandedJointPositionActionCfg", "DelayedJointPositionActionCfg"]
