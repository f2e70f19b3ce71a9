# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Signals as requests: stop after this iteration (SIGTERM, SIGINT), or save and continue (SIGUSR1)."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

STOPS = (signal.SIGTERM, signal.SIGINT)
"""What asks for a stop: a cluster that wants its machine back, and Ctrl-C."""
SAVES = signal.SIGUSR1
"""What asks for a checkpoint."""
REPEAT_WINDOW = 1.0
"""Signals this close together [s] are one request: a launcher passes on what the terminal has sent to all already."""


class StopSignals:
    """While entered, signals are noted instead of interrupting whatever runs; a second stop ends the process at once.

    They are noted by a thread of their own, which the interpreter's C handler wakes: neither a callback that swallows
    exceptions nor a call that waits for another process can lose one. Outside the main thread nothing is changed.
    """

    def __init__(self, raises_interrupt: Callable[[], bool] | None = None) -> None:
        """Note nothing yet; *raises_interrupt* tells whether a SIGINT is to raise KeyboardInterrupt as by default."""
        self.stop = 0
        """The signal that asked for a stop, or 0."""
        self.save = False
        """Whether a checkpoint is asked for."""
        self._raises_interrupt = raises_interrupt or (lambda: False)
        self._asked_at = 0.0
        self._undo = contextlib.ExitStack()

    @property
    def waiting_for(self) -> float:
        """Seconds since a stop was asked for; 0 if none was."""
        return time.monotonic() - self._asked_at if self.stop else 0.0

    def __enter__(self) -> StopSignals:
        """Take the signals over."""
        if threading.current_thread() is not threading.main_thread():
            return self
        ours, handlers = (self._undo.enter_context(end) for end in socket.socketpair())
        handlers.setblocking(False)
        thread = threading.Thread(target=self._listen, args=(ours,), daemon=True)
        thread.start()
        self._undo.callback(thread.join)
        self._undo.callback(handlers.send, b"\0")
        self._undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(handlers.fileno(), warn_on_full_buffer=False))
        for number in (*STOPS, SAVES):
            if signal.getsignal(number) is not signal.SIG_IGN:  # a shell's background job is not meant by Ctrl-C
                before = signal.signal(number, self._in_main_thread)
                self._undo.callback(signal.signal, number, signal.SIG_DFL if before is None else before)
        return self

    def __exit__(self, *_: Any) -> None:
        """Give the signals back to whoever had them."""
        self._undo.close()

    def _in_main_thread(self, number: int, frame: FrameType | None) -> None:
        """What Python calls between two instructions; the other thread has the signal already."""
        if number == signal.SIGINT and self._raises_interrupt():
            raise KeyboardInterrupt

    def _listen(self, end: socket.socket) -> None:
        """Take signals one after the other until a zero comes."""
        while data := end.recv(64):
            for number in data:
                if number == 0:
                    return
                self._note(number)

    def _note(self, number: int) -> None:
        """Take one signal."""
        if number == SAVES:
            self.save = True
        elif number in STOPS and not self._raises_interrupt():
            name = signal.Signals(number).name
            if not self.stop:
                self.stop, self._asked_at = number, time.monotonic()
                print(f"[INFO] {name}: stopping after this iteration; once more stops at once", flush=True)
            elif self.waiting_for > REPEAT_WINDOW:
                print(f"[INFO] {name} again: stopping at once, without saving", flush=True)
                os._exit(128 + number)
