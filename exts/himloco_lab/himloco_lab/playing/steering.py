# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a person at the sliders or the keyboard asks of a robot."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field

REQUESTS = ("push", "reset", "terrain")
"""What can be asked for once: a push, a new episode, the next kind of ground."""


@dataclass(frozen=True)
class Axis:
    """One number of the command."""

    label: str
    """Name and unit."""
    low: float
    high: float
    """Bounds, those that the task draws from."""
    rest: float
    """What a robot is asked for that shall stand."""
    step: float
    """What a key press adds."""


@dataclass
class Steering:
    """A command under a person's hands; sliders write it from a thread of their own.

    Single items are replaced, never a list that another thread reads.
    """

    axes: tuple[Axis, ...]
    command: list[float] = field(default_factory=list)
    """vx, vy [m/s], yaw rate [rad/s], base height [m]."""
    requests: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    """Of :data:`REQUESTS`, not carried out yet."""

    def __post_init__(self) -> None:
        """Begin with standing."""
        if not self.command:
            self.command = [axis.rest for axis in self.axes]

    def set(self, index: int, value: float) -> None:
        """Command *value* on one axis, within its bounds."""
        axis = self.axes[index]
        self.command[index] = min(max(value, axis.low), axis.high)

    def nudge(self, index: int, direction: int) -> None:
        """Add a key press's step on one axis, up (1) or down (-1)."""
        self.set(index, round(self.command[index] + direction * self.axes[index].step, 6))

    def rest(self) -> None:
        """Ask for standing."""
        for index, axis in enumerate(self.axes):
            self.command[index] = axis.rest

    def ask(self, request: str) -> None:
        """Ask for one of :data:`REQUESTS`."""
        self.requests.put(request)


def gait_axes(
    lin_vel_x: tuple[float, float], lin_vel_y: tuple[float, float], ang_vel_z: tuple[float, float], height: list[float]
) -> tuple[Axis, ...]:
    """Return the axes of a gait command from the ranges that the task draws from."""
    return (
        Axis("Forward [m/s]", *lin_vel_x, 0.0, 0.1),
        Axis("Sideways [m/s]", *lin_vel_y, 0.0, 0.1),
        Axis("Turn [rad/s]", *ang_vel_z, 0.0, 0.1),
        Axis("Height [m]", height[0], height[1], height[1], 0.05),
    )
