# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Steering from the terminal or Isaac Sim's window, with the keys of Isaac Lab's ``Se2Keyboard`` and a few more."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import Any

from .steering import Steering

MOVES = {
    "\x1b[A": (0, 1),
    "\x1b[B": (0, -1),
    "\x1b[D": (1, 1),
    "\x1b[C": (1, -1),
    "z": (2, 1),
    "x": (2, -1),
    "u": (3, 1),
    "j": (3, -1),
}
"""Key -> axis of the command, direction. The first four are the arrow keys: up, down, left, right."""
ASKS = {"p": "push", "r": "reset", "t": "terrain"}
"""Key -> request."""
HELP = "arrows: forward, back, left, right; z x: turn; u j: higher, lower; l: stand; p: push; r: reset; t: next terrain"


def press(steering: Steering, key: str) -> None:
    """Do what *key* stands for; other keys do nothing."""
    if key in MOVES:
        steering.nudge(*MOVES[key])
    elif key in ASKS:
        steering.ask(ASKS[key])
    elif key == "l":
        steering.rest()


def split_keys(text: str) -> Iterator[str]:
    """Cut what a terminal sends into keys; an arrow key is three characters."""
    while text:
        length = 3 if text.startswith("\x1b[") else 1
        yield text[:length].lower() if length == 1 else text[:length]
        text = text[length:]


@contextlib.contextmanager
def terminal_keys() -> Iterator[Callable[[], list[str]] | None]:
    """Read single keys from the terminal while the block runs; yields None where there is no terminal.

    Yields:
        A function that returns the keys pressed since it was last called, without waiting. Ctrl-C stays what it is.
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
            received = os.read(descriptor, 64)
            if not received:
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
        """Listen to the window.

        Args:
            steering: What the keys act on.
            device: An :class:`isaaclab.devices.Se2Keyboard`; made here when None.
        """
        if device is None:
            from isaaclab.devices import Se2Keyboard, Se2KeyboardCfg

            device = Se2Keyboard(Se2KeyboardCfg())
        self._steering, self._device, self._last = steering, device, [0.0, 0.0, 0.0]
        for key in ("u", "j", "l", *ASKS):
            device.add_callback(key.upper(), functools.partial(press, steering, key))

    def read(self) -> None:
        """Command the velocities of the keys that are held down, if they have changed."""
        held = self._device.advance().tolist()
        if held != self._last:
            for index, value in enumerate(held):
                self._steering.set(index, value)
            self._last = held
