# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Curves that a resumed run continues, and logging that may fail without ending a training."""

from __future__ import annotations

import contextlib
import functools
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2

_EVENT: Any = event_pb2.Event  # pyright: ignore[reportAttributeAccessIssue]
_HEADER, _CHECKSUM = struct.Struct("<Q4x"), 4
"""A record's length and its checksum, and the checksum that follows the record, as TensorFlow writes them."""
_OVER_SECONDS = "/time"
"""End of the tags whose steps are seconds, not iterations."""


def cut_curves(folder: str | Path, iteration: int) -> None:
    """Take from a run's TensorBoard files whatever came after an iteration, which a resumed run will write again.

    TensorBoard's own way, ``purge_step``, would also hide curves whose steps are seconds.

    Args:
        folder: The run's folder.
        iteration: The last one that stays.
    """
    for path in sorted(Path(folder).glob("events.out.tfevents.*")):
        end = _end_of(path.read_bytes(), iteration)
        if end is not None:
            beside = path.with_name(f"cut.{os.getpid()}.tmp")
            beside.write_bytes(path.read_bytes()[:end])
            os.replace(beside, path)


def _end_of(data: bytes, iteration: int) -> int | None:
    """Where the first event of a later iteration begins, or half a record that a kill left; None if all may stay."""
    start = 0
    while start < len(data):
        body = start + _HEADER.size
        length = _HEADER.unpack_from(data, start)[0] if body <= len(data) else len(data)
        if body + length + _CHECKSUM > len(data):
            return start
        try:
            event = _EVENT.FromString(data[body : body + length])
        except Exception:  # protobuf's own errors differ from build to build
            return start
        late = event.step > iteration
        if late and any(not value.tag.endswith(_OVER_SECONDS) for value in event.summary.value):
            return start
        start = body + length + _CHECKSUM
    return None


class TolerantWriter:
    """Lets a log writer fail: says so once, goes on without it, and tries again with a new one."""

    METHODS = ("add_scalar", "save_model", "save_file", "save_video", "store_config", "stop", "flush")
    """What may fail: a file on a full disk, a service behind a broken network."""

    def __init__(self) -> None:
        """Nothing has failed."""
        self.failure: str | None = None
        """Why nothing is logged at present, or None."""

    def protect(self, writer: Any) -> Any:
        """Return the writer, whose methods no longer raise.

        It stays an object of its own class, which rsl_rl asks for.

        Args:
            writer: TensorBoard's, or one of rsl_rl's.
        """
        for name in self.METHODS:
            method = getattr(writer, name, None)
            if method is not None:
                setattr(writer, name, functools.partial(self._call, method))
        return writer

    def reopen(self, make: Callable[[], Any]) -> Any | None:
        """Return a new writer in place of one that failed, or None if it cannot be had yet.

        Args:
            make: Makes one.
        """
        with contextlib.suppress(Exception):
            writer = make()
            self.failure = None
            print("[INFO] Curves are written again", flush=True)
            return self.protect(writer)
        return None

    def _call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a method unless the writer has failed before."""
        if self.failure is None:
            try:
                return method(*args, **kwargs)
            except Exception as error:  # a service's client may raise anything
                self.failure = f"{error or type(error).__name__}"
                print(f"[WARNING] Curves are not written ({self.failure}); the training goes on", flush=True)
        return None
