# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The robot's remote control: its 40 bytes in every state message, and what its sticks and buttons ask for."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from himloco_lab.deployment.manifest import Command
from himloco_lab.robots.policy_layout import HEIGHT

BUTTONS = (
    *("R1", "L1", "start", "select", "R2", "L2", "F1", "F2"),
    *("A", "B", "X", "Y", "up", "right", "down", "left"),
)
"""Names of the buttons, the lowest bit first (unitree_rl_gym, deploy/deploy_real/common/remote_controller.py)."""

DEAD_ZONE = 0.05
"""Part of a stick's way in which it counts as let go."""

HEIGHT_STEP = 0.02
"""What a press of up or down adds to the commanded height [m]."""

_KEYS, _LX, _RX, _RY, _LY, SIZE = 2, 4, 8, 12, 20, 40
"""Where the values stand, and how many bytes there are."""


@dataclass(frozen=True)
class Remote:
    """What the remote control shows at one moment; sticks from -1 to 1, right and up positive."""

    buttons: frozenset[str] = frozenset()
    lx: float = 0.0
    ly: float = 0.0
    rx: float = 0.0
    ry: float = 0.0

    @classmethod
    def from_bytes(cls, content: bytes) -> Remote:
        """Read what a state message carries."""
        (keys,) = struct.unpack_from("<H", content, _KEYS)
        lx, rx, ry = struct.unpack_from("<3f", content, _LX)
        (ly,) = struct.unpack_from("<f", content, _LY)
        buttons = frozenset(name for bit, name in enumerate(BUTTONS) if keys >> bit & 1)
        return cls(buttons, lx, ly, rx, ry)

    def to_bytes(self) -> bytes:
        """Return what a state message carries."""
        content = bytearray(SIZE)
        struct.pack_into("<H", content, _KEYS, self.keys)
        struct.pack_into("<3f", content, _LX, self.lx, self.rx, self.ry)
        struct.pack_into("<f", content, _LY, self.ly)
        return bytes(content)

    @property
    def keys(self) -> int:
        """The buttons as bits."""
        return sum(1 << BUTTONS.index(name) for name in self.buttons)

    @property
    def is_emergency(self) -> bool:
        """Whether the buttons that stop the robot are pressed: select, or L2 with B, which is Unitree's own."""
        return "select" in self.buttons or {"L2", "B"} <= self.buttons


@dataclass
class Operator:
    """What the person with the remote control asks for."""

    ranges: Command
    """What the policy was trained for: a stick at its end asks for the end of the range."""

    height: float = field(init=False)
    """Commanded height [m]."""

    _last: frozenset[str] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Begin with the height of standing."""
        self.height = self.ranges.standing[HEIGHT]

    def pressed(self, remote: Remote) -> frozenset[str]:
        """Return the buttons that were not pressed before, and keep the height that up and down ask for.

        What is held down when this is first called counts as pressed before: nothing moves at a program's start.
        """
        new = frozenset[str]() if self._last is None else remote.buttons - self._last
        self._last = remote.buttons
        self.change_height(HEIGHT_STEP * (("up" in new) - ("down" in new)))
        return new

    def change_height(self, by: float) -> None:
        """Add to the commanded height [m], within the range of the training."""
        self.height = min(max(self.height + by, self.ranges.height[0]), self.ranges.height[1])

    def command(self, remote: Remote) -> np.ndarray:
        """Return vx, vy [m/s], yaw rate [rad/s] and height [m], shape ``[4]``.

        The left stick walks, forward and to its side; the right one turns. A robot's y axis points to its left and it
        turns to its left, where a stick's numbers are positive to the right.
        """
        ranges = self.ranges
        return np.array(
            [
                _spread(remote.ly, ranges.lin_vel_x),
                _spread(-remote.lx, ranges.lin_vel_y),
                _spread(-remote.rx, ranges.ang_vel_z),
                self.height,
            ]
        )


def _spread(stick: float, ends: tuple[float, float]) -> float:
    """Return the part of a range that a stick asks for; nothing within the dead zone, or where it is no number."""
    if not DEAD_ZONE < abs(stick) <= 1.0 + 1e-3:
        return 0.0
    return min(stick, 1.0) * max(ends[1], 0.0) if stick > 0.0 else max(stick, -1.0) * max(-ends[0], 0.0)
