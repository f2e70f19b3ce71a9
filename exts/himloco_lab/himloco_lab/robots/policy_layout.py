# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What policies of a robot see, do and are told, as plain data.

Every number that training, deployment, evaluation and benchmarks have to agree on is written here or in the robot's
:class:`PolicyLayout`. Loads neither a simulator nor torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Range = tuple[float, float]

VX, VY, YAW_RATE, HEIGHT = range(4)
"""Places of the parts of a command: forward and left [m/s], turn to the left [rad/s], height of the base [m]."""

VELOCITY = slice(VX, HEIGHT)
"""The parts of a command that say where to go: vx, vy, yaw rate."""

FALL_TILT = math.asin(0.8)
"""Angle between the base's z axis and the vertical that counts as a fall [rad] (HomieRL: \\|g_xy\\| > 0.8)."""

SCAN_SIZE = (1.6, 1.0)
"""Extent of the height scan along and across the heading [m]."""

SCAN_RESOLUTION = 0.1
"""Spacing of its points [m]: 17 x 11 of them."""


@dataclass(frozen=True)
class FrameTerm:
    """One term of a frame of observations: value = scale * clip(raw)."""

    name: str
    width: int
    scale: float | tuple[float, ...] = 1.0
    """One for all values, or one for each."""

    clip: Range | None = None
    """Bounds of the raw value."""

    joints: tuple[str, ...] | None = None
    """The joints that are measured, in the order of the values; None for what is not about joints."""


@dataclass(frozen=True)
class PolicyLayout:
    """Scales, rates and ranges of HIMLoco's quadrupeds unless a robot says otherwise.

    The tasks are built with these numbers, and what runs a policy that comes without a manifest takes them for granted.
    """

    physics_dt: float = 0.005
    """Physics step [s]."""

    decimation: int = 4
    """Physics steps per policy step: 50 Hz."""

    history_length: int = 6
    """Frames that a policy sees, oldest first (HIM: five past ones and the present)."""

    velocity_scale: tuple[float, float, float] = (2.0, 2.0, 0.25)
    """Of commanded vx, vy and yaw rate."""

    lin_vel_scale: float = 2.0
    """Of the base's linear velocity, which the critic sees and the estimator predicts."""

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

    @property
    def policy_dt(self) -> float:
        """Policy step [s]."""
        return self.physics_dt * self.decimation

    def frame(self, joints: tuple[str, ...], num_actions: int) -> tuple[FrameTerm, ...]:
        """Return the terms of one frame of observations of these joints, in order.

        The references clip a value after they scale it, Isaac Lab and the manifest before: so :attr:`clip` is divided
        by the scale.
        """

        def term(
            name: str, width: int, scale: float | tuple[float, ...] = 1.0, joints: tuple[str, ...] | None = None
        ) -> FrameTerm:
            bound = self.clip / (max(scale) if isinstance(scale, tuple) else scale)
            return FrameTerm(name, width, scale, (-bound, bound), joints)

        return (
            term("velocity_command", 3, self.velocity_scale),
            *((term("height_command", 1),) if self.sees_height else ()),
            term("base_ang_vel", 3, self.ang_vel_scale),
            term("projected_gravity", 3),
            term("joint_pos", len(joints), joints=joints),
            term("joint_vel", len(joints), self.joint_vel_scale, joints),
            term("actions", num_actions),
        )
