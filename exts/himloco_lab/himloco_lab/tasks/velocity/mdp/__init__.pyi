# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

from isaaclab.envs.mdp import *

from .actions import CommandedJointPositionActionCfg, DelayedJointPositionActionCfg
from .commands import GaitCommandCfg, HeadingCommandCfg, UpperBodyCommandCfg
from .curriculums import (
    disturbances_by_survival,
    forward_range_by_tracking,
    speed_share_by_tracking,
    terrain_levels_by_tracking,
    upper_body_ratio,
)
from .events import (
    punch_links,
    push_by_force,
    push_by_replacing_velocity,
    randomize_masses,
    randomize_material_per_env,
    reset_joints_around_default,
)
from .observations import external_force, height_command, terrain_height_at, terrain_scan, velocity_command
from .terminations import contact_force_above, terrain_left_alive, time_out_alive

__all__ = [
    "CommandedJointPositionActionCfg",
    "DelayedJointPositionActionCfg",
    "GaitCommandCfg",
    "HeadingCommandCfg",
    "UpperBodyCommandCfg",
    "contact_force_above",
    "disturbances_by_survival",
    "external_force",
    "forward_range_by_tracking",
    "height_command",
    "punch_links",
    "push_by_force",
    "push_by_replacing_velocity",
    "randomize_masses",
    "randomize_material_per_env",
    "reset_joints_around_default",
    "speed_share_by_tracking",
    "terrain_height_at",
    "terrain_left_alive",
    "terrain_levels_by_tracking",
    "terrain_scan",
    "time_out_alive",
    "upper_body_ratio",
    "velocity_command",
]
