# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Curves that a resumed run continues, and logging that may fail without ending a training."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from rsl_rl.utils.log_writer import LogWriter
from rsl_rl.utils.wandb_log_writer import WandbLogWriter
from tensorboard.compat.proto import event_pb2

from himloco_rl.checkpoints.files import write_atomically

_EVENT: Any = event_pb2.Event  # pyright: ignore[reportAttributeAccessIssue]
_HEADER, _CHECKSUM = struct.Struct("<Q4x"), 4
"""A record's length and its checksum, and the checksum that follows the record, as TensorFlow writes them."""
OVER_SECONDS = "/time"
"""End of the tags whose steps are seconds, not iterations."""


def cut_curves(folder: str | Path, iteration: int) -> None:
    """Take from a run's TensorBoard files whatever came after an iteration, which a resumed run will write again.

    TensorBoard's own way, ``purge_step``, would also hide curves whose steps are seconds.

    Args:
        folder: The run's folder.
        iteration: The last one that stays.
    """
    for left in Path(folder).glob("events.out.tfevents.*.tmp"):  # by a process that was killed while it did this
        left.unlink(missing_ok=True)
    for path in sorted(Path(folder).glob("events.out.tfevents.*")):
        data = path.read_bytes()
        end = _end_of(data, iteration)
        if end is not None:
            write_atomically(path, data[:end])


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
        if late and any(not value.tag.endswith(OVER_SECONDS) for value in event.summary.value):
            return start
        start = body + length + _CHECKSUM
    return None


class TolerantWriter(LogWriter):
    """Passes on to a log writer, which may fail: says so once, and leaves it alone from then on.

    What may fail is a file on a full disk, or a service behind a broken network.
    """

    def __init__(self, writer: Any) -> None:
        """Take a writer that has not failed yet.

        Args:
            writer: TensorBoard's, or one of rsl_rl's.
        """
        self.writer = writer
        self.failure: str | None = None
        """Why nothing is logged any more, or None."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Write a value; curves over seconds go nowhere in W&B, where steps must not fall."""
        if not (isinstance(self.writer, WandbLogWriter) and tag.endswith(OVER_SECONDS)):
            self._call("add_scalar", tag, scalar_value, global_step)

    def store_config(self, env_cfg: dict | object, train_cfg: dict) -> None:
        """Pass both configurations on."""
        self._call("store_config", env_cfg, train_cfg)

    def save_model(self, model_path: str, it: int) -> None:
        """Pass a checkpoint on."""
        self._call("save_model", model_path, it)

    def save_file(self, path: str) -> None:
        """Pass a file on."""
        self._call("save_file", path)

    def save_video(self, video: Path, it: int) -> None:
        """Pass a video on."""
        self._call("save_video", video, it)

    def flush(self) -> None:
        """Bring to the disk what TensorBoard keeps in memory."""
        self._call("flush")

    def stop(self) -> None:
        """End the log; TensorBoard's files need no end."""
        self._call("stop")

    def _call(self, method: str, *args: Any) -> None:
        """Call a method that the writer has, unless it has failed before."""
        call = getattr(self.writer, method, None)
        if call is None or self.failure is not None:
            return
        try:
            call(*args)
        except Exception as error:  # a service's client may raise anything
            self.failure = f"{error or type(error).__name__}"
            print(f"[WARNING] Curves are not written ({self.failure}); the training goes on", flush=True)
