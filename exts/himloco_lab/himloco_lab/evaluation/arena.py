# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a suite asks of an engine: robots that it can command, push and hold. One suite then serves all engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class State:
    """What one policy step leaves behind, R robots; of a robot that has fallen it means nothing."""

    velocity: Array
    """vx, vy [m/s] and yaw rate [rad/s] in the base's frame, shape ``[R, 3]``."""
    height: Array
    """Of the base, as the height command means it [m], shape ``[R]``."""
    pose: Array
    """x, y [m] and yaw [rad] relative to where the robot started, shape ``[R, 3]``."""
    fallen: Array
    """Whether the robot has fallen since the reset, shape ``[R]``."""
    power: Array
    """Σ |torque x joint velocity| [W], shape ``[R]``."""
    joint_vel: Array
    """Of all actuated joints [rad/s], shape ``[R, J]``."""
    contacts: Array
    """Whether each foot carries load, shape ``[R, F]``."""
    foot_speed: Array
    """Horizontal speed of each foot [m/s], shape ``[R, F]``."""
    actions: Array
    """The policy's raw output, shape ``[R, A]``."""
    estimate: Array
    """Velocity of the base as the policy estimates it [m/s], shape ``[R, 3]``; NaN where it has none."""

    @property
    def motion(self) -> Array:
        """What a command asks for, as measured: vx, vy [m/s], yaw rate [rad/s], base height [m]; shape ``[R, 4]``."""
        return np.concatenate([self.velocity, self.height[:, None]], axis=1)


@dataclass(frozen=True)
class Push:
    """A force on one link of each robot, through its center of mass, throughout a policy step."""

    links: Array
    """Index into :attr:`Arena.links`, shape ``[R]``."""
    force: Array
    """[N], in the frame that the robot started in, shape ``[R, 3]``."""


class Arena(Protocol):
    """Robots with one policy, all stepped at once. They start in their default pose, up to a little noise."""

    num_robots: int
    dt: float
    """Policy step [s]."""
    mass: float
    """Of one robot [kg]."""
    links: tuple[str, ...]
    """What can be pushed: the root, and the body behind every actuated joint."""
    arms: tuple[str, ...]
    """Joints that follow a command instead of the policy."""
    arm_default: Array
    """Their default positions [rad], shape ``[A]``."""
    arm_limits: Array
    """Lowest and highest position that training draws [rad], shape ``[A, 2]``."""

    def reset(self, seed: int) -> None:
        """Stand all robots up; the same seed, the same noise."""

    def step(self, command: Array, arms: Array | None = None, push: Push | None = None) -> State:
        """Let the policy act once.

        Args:
            command: vx, vy [m/s], yaw rate [rad/s], base height [m]; shape ``[R, 4]``.
            arms: Targets of :attr:`arms` [rad], shape ``[R, A]``; their defaults when None.
            push: Forces on the robots.
        """
        ...

    def hold(self) -> None:
        """Put all robots back into the pose that they started in, at rest; what they observed stays observed."""


def decimation_of(policy_dt: float, physics_dt: float) -> int:
    """Return how many physics steps [s] make a step of the policy [s], which must be a multiple of them."""
    decimation = round(policy_dt / physics_dt)
    if abs(decimation * physics_dt - policy_dt) > 1e-9:
        raise ValueError(f"a policy step of {policy_dt} s is no multiple of a physics step of {physics_dt} s")
    return decimation
