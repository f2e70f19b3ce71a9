# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Checkpoints as files: written whole or not at all, read without running anything, old ones removed."""

from __future__ import annotations

import contextlib
import io
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

PARTS = ("actor_state_dict", "critic_state_dict", "iter")
"""What every checkpoint of rsl_rl holds, whatever its algorithm."""
_NAME = re.compile(r"model_(\d+)\.pt")


class CheckpointError(ValueError):
    """A file that cannot be loaded; the message names it and says why, in one line."""


def write_atomically(path: str | Path, data: bytes | memoryview) -> None:
    """Write a file beside its place, flush it to the disk, and rename it.

    At any moment the path holds the old file or the new one. Its folder is created if it is missing.

    Raises:
        OSError: If it cannot be written; what was there before is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too, must survive a loss of power
    finally:
        os.close(folder)


def write_checkpoint(path: str | Path, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all; what a killed process left beside it is removed.

    Raises:
        OSError: If it cannot be written; what was there before is untouched.
    """
    for left in Path(path).parent.glob("model_*.pt.*.tmp"):
        left.unlink(missing_ok=True)
    whole = io.BytesIO()
    torch.save(checkpoint, whole)  # straight into a file it would hide why the file cannot be written
    write_atomically(path, whole.getbuffer())


def read_checkpoint(path: str | Path, map_location: str = "cpu") -> dict[str, Any]:
    """Read a checkpoint to a device without running anything that the file may hold.

    Raises:
        CheckpointError: If it is truncated or damaged, wants to run code, or is something else.
    """
    _require_whole(path)
    try:
        checkpoint = torch.load(path, weights_only=True, map_location=map_location)
    except Exception as error:  # whatever a hostile or broken file brings about in the reader
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if wanted is not None:
            raise CheckpointError(
                f"{path} wants to run {wanted[1]}, and checkpoints hold nothing but numbers: nothing of it was run; do"
                " not use the file, or ask whoever gave it to you"
            ) from None
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{path} is truncated or damaged, or no checkpoint of PyTorch ({reason[:120]}); choose another"
        ) from None
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f"{path} holds a {type(checkpoint).__name__}, which is no checkpoint; choose another")
    return checkpoint


def _require_whole(path: str | Path) -> None:
    """Compare every part of the archive with its checksum, which PyTorch's own reader leaves out.

    Raises:
        CheckpointError: If it differs, or there is no archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            # PyTorch's are never compressed; a few bytes could otherwise become all of the memory
            squeezed = next((part.filename for part in archive.infolist() if part.compress_type), None)
            damaged = archive.testzip() if squeezed is None else None
    except zipfile.BadZipFile:
        raise CheckpointError(f"{path} is no checkpoint of PyTorch, or a truncated one; choose another") from None
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {error.strerror}") from None
    except Exception as error:  # zlib's, struct's and others', which a broken archive may bring about
        raise CheckpointError(f"{path} is damaged ({type(error).__name__}); choose another") from None
    if any(name.endswith("constants.pkl") for name in names):
        raise CheckpointError(f"{path} is a TorchScript module, as export.py writes them, and no checkpoint")
    if squeezed is not None:
        raise CheckpointError(f"{path} is no checkpoint of PyTorch: its part {squeezed!r:.60} is compressed")
    if damaged is not None:
        raise CheckpointError(f"{path} is damaged: its part {damaged!r:.60} has another checksum; choose another")


def require_parts(path: str | Path, checkpoint: dict[str, Any]) -> None:
    """Refuse what other programs save.

    Raises:
        CheckpointError: If a part of rsl_rl's checkpoints is missing or of another kind.
    """
    missing = [part for part in PARTS if part not in checkpoint]
    if missing:
        holds = ", ".join(sorted(map(str, checkpoint))[:8]) or "nothing"
        raise CheckpointError(f"{path} is no checkpoint of rsl_rl: it holds {holds}, but no {' and no '.join(missing)}")
    for part, kind in zip(PARTS, (dict, dict, int), strict=True):
        if not isinstance(checkpoint[part], kind):
            raise CheckpointError(f"{path}: {part} is a {type(checkpoint[part]).__name__}, not a {kind.__name__}")
    if isinstance(checkpoint["iter"], bool) or not 0 <= checkpoint["iter"] < 2**31:
        raise CheckpointError(f"{path}: iter is {checkpoint['iter']!r:.40}, which is no iteration")


def remove_old(folder: str | Path, keep: int | None, keep_every: int | None) -> None:
    """Remove a folder's checkpoints but the newest, *keep* of them or all, and those of multiples of *keep_every*."""
    if keep is None:
        return
    found = [(int(match[1]), path) for path in Path(folder).iterdir() if (match := _NAME.fullmatch(path.name))]
    for iteration, path in sorted(found)[:-keep]:
        if keep_every is None or iteration % keep_every:
            path.unlink(missing_ok=True)
