# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Built robots, kept on disk under a hash of everything they are built from.

Several processes may ask at once: a file lock lets one build while the others wait. A file appears under its name only
when it is complete, and carries a checksum, so a broken one is noticed and built again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from himloco_rl.checkpoints.files import write_atomically

from .description import RobotDescription
from .rigid_body import RigidBodyModel
from .urdf import load_model
from .usd_builder import BUILDER_VERSION, write_usd

LOCK_TIMEOUT = 300.0
"""Longest wait for another process's build [s]; a build takes a few seconds."""


def cached_usd(description: RobotDescription, folder: Path | None = None) -> Path:
    """Return the path of the robot's USD file in ``folder`` or :func:`cache_folder`, built now if it is not sound."""
    model = load_model(description)
    target = (folder or cache_folder()) / f"{description.name}-{input_hash(description, model)[:16]}.usd"
    return build_once(target, lambda path: write_usd(model, description, path))


def build_once(target: Path, build: Callable[[Path], None]) -> Path:
    """Return ``target``, calling ``build`` on a file beside it first unless a sound one is there."""
    if is_sound(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{target}.lock", timeout=LOCK_TIMEOUT)
    try:
        with lock:
            if not is_sound(target):  # another process may have built it while this one waited
                _build(target, build)
    except Timeout:
        raise TimeoutError(
            f"Waited {LOCK_TIMEOUT:.0f} s for another process to build {target}; end it or remove {target}.lock."
        ) from None
    return target


def is_sound(target: Path) -> bool:
    """Whether the file is there and matches the checksum stored beside it."""
    try:
        return _checksum_file(target).read_text().strip() == hashlib.sha256(target.read_bytes()).hexdigest()
    except (OSError, UnicodeDecodeError):
        return False


def input_hash(description: RobotDescription, model: RigidBodyModel) -> str:
    """Return a hex digest of all that the built file depends on."""
    digest = hashlib.sha256(f"{BUILDER_VERSION}\n{description!r}\n".encode())
    digest.update(description.urdf.locate().read_bytes())
    meshes = sorted(
        {visual.shape for body in model.bodies.values() for visual in body.visuals if isinstance(visual.shape, Path)}
    )
    for mesh in meshes:
        # names and sizes suffice: hashing tens of megabytes at every start would cost more than it tells
        digest.update(f"\n{mesh.name} {mesh.stat().st_size if mesh.is_file() else 'missing'}".encode())
    return digest.hexdigest()


def cache_folder() -> Path:
    """Return the first writable of ``$HIMLOCO_CACHE_DIR``, the user's XDG cache, and a temporary folder of the user."""
    chosen = os.environ.get("HIMLOCO_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "himloco_lab" / "robots"
    fallback = Path(tempfile.gettempdir()) / f"himloco_lab-{os.getuid()}"
    candidates = [*([Path(chosen).expanduser()] if chosen else []), home, fallback]
    for folder in candidates:
        if _is_writable(folder):
            return folder
    listed = ", ".join(str(folder) for folder in candidates)
    raise PermissionError(f"No writable cache folder among {listed}; point HIMLOCO_CACHE_DIR at one.")


def _build(target: Path, build: Callable[[Path], None]) -> None:
    # under its own name in a folder of its own: OpenUSD chooses its format by the suffix
    with tempfile.TemporaryDirectory(prefix=f".{target.stem}-", dir=target.parent) as folder:
        scratch = Path(folder) / target.name
        build(scratch)
        data = scratch.read_bytes()
    # the file first: as long as its checksum does not match it counts as broken
    write_atomically(target, data)
    write_atomically(_checksum_file(target), hashlib.sha256(data).hexdigest().encode())


def _checksum_file(target: Path) -> Path:
    return target.with_name(target.name + ".sha256")


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
