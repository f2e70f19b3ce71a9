# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The layout that policies of a robot share, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class PolicyLayout:
    """Scales and ranges of HIMLoco's quadrupeds (facts 4.9) unless a robot says otherwise.

    The tasks build their observations and actions with these numbers, and what runs a policy that comes without a
    manifest takes them for granted.
    """

    history_length: int = 6
    """Frames that a policy sees."""

    velocity_scale: tuple[float, float, float] = (2.0, 2.0, 0.25)
    """Of commanded vx, vy and yaw rate."""

    ang_vel_scale: float = 0.25
    """Of the base's angular velocity."""

    joint_vel_scale: float = 0.05
    """Of joint velocities."""

    clip: float = 100.0
    """Half-width that scaled values and actions are clipped to."""

    sees_height: bool = False
    """Whether the commanded height follows the commanded velocity in a frame."""

    action_scale: float = 0.25
    """[rad] per unit of action."""

    lin_vel_x: Range = (-1.0, 1.0)
    """Commanded forward velocity [m/s]."""

    lin_vel_y: Range = (-1.0, 1.0)
    """Commanded velocity to the left [m/s]."""

    ang_vel_z: Range = (-2.0, 2.0)
    """Commanded yaw rate [rad/s]."""

    height: Range = (0.3, 0.3)
    """Commanded height of the base [m]; standing means the upper end."""
