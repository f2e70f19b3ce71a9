# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# MISSING is Isaac Lab's mark for what a user must give.
# pyright: reportAssignmentType=false

"""Configurations of the command terms."""

from dataclasses import MISSING

from isaaclab.managers import CommandTermCfg
from isaaclab.utils import configclass


@configclass
class GaitCommandCfg(CommandTermCfg):
    """Walk, stand or squat: velocity and base height together (HOMIE)."""

    class_type: str = "{DIR}.gait_command:GaitCommand"

    @configclass
    class Ranges:
        """Uniform ranges of a walking robot's command."""

        lin_vel_x: tuple[float, float] = MISSING
        """Forward velocity [m/s]."""

        lin_vel_y: tuple[float, float] = MISSING
        """Lateral velocity [m/s]."""

        ang_vel_z: tuple[float, float] = MISSING
        """Yaw rate [rad/s]."""

        height: tuple[float, float] = MISSING
        """Base height of a squatting robot [m]; a walking or standing one is asked for the upper end."""

    asset_name: str = MISSING
    """Name of the robot in the scene."""

    foot_body_names: list[str] = MISSING
    """Bodies whose origin the height is measured from, as ``tracking_base_height`` does."""

    foot_height_offset: float = 0.0
    """What is added to root height above the lower foot before it is compared with the command [m]; the task sets the
    robot's ``foot_height``."""

    rel_squat_envs: float = 1.0 / 3.0
    """Share of samples that squat (zero velocity, height from the range)."""

    rel_standing_envs: float = 1.0 / 6.0
    """Share of samples that stand (zero velocity, full height); the rest walks."""

    ranges: Ranges = MISSING
    """Ranges of the samples."""


@configclass
class HeadingCommandCfg(GaitCommandCfg):
    """Walk in a direction and look in one; some robots learn to run (HIMLoco)."""

    class_type: str = "{DIR}.gait_command:HeadingCommand"

    rel_squat_envs: float = 0.0
    rel_standing_envs: float = 0.0

    heading_stiffness: float = 0.5
    """Yaw rate per difference between the heading that is asked for and the robot's [1/s]."""

    fast_share: float = 0.2
    """Share of the robots whose forward velocity comes from a range that a curriculum widens."""

    max_speed: float = 2.0
    """What that range grows to, forwards and backwards [m/s]."""

    straight_speed: float = 1.0
    """Forward speed from which on such a robot is asked for no sideways velocity [m/s]."""

    least_speed: float = 0.2
    """Slower velocities become zero [m/s]."""


@configclass
class UpperBodyCommandCfg(CommandTermCfg):
    """Joint targets of the upper body that move on their own (HOMIE)."""

    class_type: str = "{DIR}.upper_body_command:UpperBodyCommand"

    asset_name: str = MISSING
    """Name of the robot in the scene."""

    joint_names: list[str] = MISSING
    """Upper-body joints, in the order of the command."""

    position_limits: dict[str, tuple[float, float]] = {}
    """Joint name -> range [rad] to stay in, where that is less than the joint's own."""

    initial_ratio: float = 0.0
    """Curriculum ratio r_a at the start, in [0, 1]: 0 hardly moves, 1 is close to uniform."""
