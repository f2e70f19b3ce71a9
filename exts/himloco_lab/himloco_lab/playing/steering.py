# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a person asks of a robot: with sliders and buttons, with keys in the terminal or in Isaac Sim's window.

The keys are those of Isaac Lab's ``Se2Keyboard`` and a few more.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import queue
import re
import select
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from himloco_lab.robots.policy_layout import HEIGHT, VX, VY, YAW_RATE

MOVES = {
    "\x1b[A": (VX, 1),
    "\x1b[B": (VX, -1),
    "\x1b[D": (VY, 1),
    "\x1b[C": (VY, -1),
    "z": (YAW_RATE, 1),
    "x": (YAW_RATE, -1),
    "u": (HEIGHT, 1),
    "j": (HEIGHT, -1),
}
"""Key -> part of the command, direction. The first four are the arrow keys: up, down, left, right."""
REQUEST_KEYS = {"p": "push", "r": "reset", "t": "terrain"}
"""Key -> what can be asked for once: a push, a new episode, the next kind of ground."""
KEY_HELP = (
    "arrows: forward, back, left, right; z x: turn; u j: higher, lower; l: stand; p: push; r: reset; t: next terrain"
)


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
    command: list[float] = field(init=False)
    """vx, vy [m/s], yaw rate [rad/s], base height [m]; standing at first."""
    requests: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    """Of :data:`REQUEST_KEYS`, not carried out yet."""

    def __post_init__(self) -> None:
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
        """Ask for one of :data:`REQUEST_KEYS`' values."""
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


def press(steering: Steering, key: str) -> None:
    """Do what *key* stands for; other keys do nothing."""
    if key in MOVES:
        steering.nudge(*MOVES[key])
    elif key in REQUEST_KEYS:
        steering.ask(REQUEST_KEYS[key])
    elif key == "l":
        steering.rest()


def split_keys(text: str) -> Iterator[str]:
    """Cut what a terminal sends into keys; an arrow key is three characters."""
    for key in re.findall(r"\x1b\[.?|.", text, re.DOTALL):
        yield key.lower() if len(key) == 1 else key


@contextlib.contextmanager
def terminal_keys() -> Iterator[Callable[[], list[str]] | None]:
    """Read single keys from the terminal while the block runs; Ctrl-C stays what it is.

    Yields:
        A function that returns the keys pressed since it was last called, without waiting; None without a terminal.
    """
    if importlib.util.find_spec("termios") is None or not sys.stdin.isatty():
        yield None
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def read() -> list[str]:
        keys: list[str] = []
        while select.select([descriptor], [], [], 0.0)[0]:
            if not (received := os.read(descriptor, 64)):
                break
            keys.extend(split_keys(received.decode(errors="ignore")))
        return keys

    tty.setcbreak(descriptor)
    try:
        yield read
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class WindowKeys:
    """Keys of Isaac Sim's window: hold one to move, let go to stop. Not run here, where there is no Isaac Sim."""

    def __init__(self, steering: Steering, device: Any = None) -> None:
        """Listen to an :class:`isaaclab.devices.Se2Keyboard`, made here when None."""
        if device is None:
            from isaaclab.devices import Se2Keyboard, Se2KeyboardCfg

            device = Se2Keyboard(Se2KeyboardCfg())
        self._steering, self._device, self._last = steering, device, [0.0, 0.0, 0.0]
        for key in ("u", "j", "l", *REQUEST_KEYS):
            device.add_callback(key.upper(), functools.partial(press, steering, key))

    def read(self) -> None:
        """Command the velocities of the keys that are held down, if they have changed."""
        held = self._device.advance().tolist()
        if held != self._last:
            for index, value in enumerate(held):
                self._steering.set(index, value)
            self._last = held
