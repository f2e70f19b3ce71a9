# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Steering from the terminal, with the keys of Isaac Lab's ``Se2Keyboard`` and a few more."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import sys
from collections.abc import Callable, Iterator

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
