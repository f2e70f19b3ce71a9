# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module has no types)

"""Films of a robot, drawn by MuJoCo without a window, and words on their pictures."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FPS = 25
"""Frames per second, about: every second policy step at 50 Hz."""

BACKENDS = ("egl", "osmesa")
"""Ways of drawing without a window, in the order in which they are tried."""

LINE = 20
"""Height of a row of words, in pixels."""

MARGIN = 8
"""Left of the words and above and below them, in pixels."""

SHADE = 0.35
"""What is left of the picture's brightness behind the words."""

_PROBE = "import mujoco; mujoco.Renderer(mujoco.MjModel.from_xml_string('<mujoco/>'), 16, 16).render(); print('drawn')"


class VideoError(RuntimeError):
    """A film that cannot be made on this machine: says why, and what would help."""


def choose_backend(backends: Sequence[str] | None = None) -> str:
    """Return the first GL backend that draws, each tried in a process of its own: a broken one can end its process.

    MuJoCo takes its backend from ``MUJOCO_GL`` when it is first imported, so this must come before.

    Args:
        backends: What to try; ``MUJOCO_GL`` if it is set, else :data:`BACKENDS`.

    Raises:
        VideoError: If none draws.
    """
    chosen = os.environ.get("MUJOCO_GL")
    backends = backends or ([chosen] if chosen else list(BACKENDS))
    for backend in backends:
        environment = {**os.environ, "MUJOCO_GL": backend}
        try:
            tried = subprocess.run(
                [sys.executable, "-c", _PROBE],
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        except subprocess.TimeoutExpired:
            continue
        if "drawn" in tried.stdout:  # some backends draw and then complain while the process ends
            return backend
    raise VideoError(
        f"no GL backend draws on this machine (tried MUJOCO_GL={', '.join(backends)}): install libegl1 or libosmesa6"
    )


def mp4_problem() -> str | None:
    """Return why no ``.mp4`` can be written here, with the remedy, or None."""
    if any(importlib.util.find_spec(name) for name in ("imageio_ffmpeg", "av")):
        return None
    return f"no encoder for .mp4 here: {sys.executable} -m pip install imageio-ffmpeg brings one"


def check_encoder(path: Path) -> None:
    """Check that a film of that name can be written.

    Raises:
        VideoError: If there is no encoder for it, or no such folder.
    """
    if path.suffix not in (".mp4", ".gif"):
        raise VideoError(f"{path.name} must end in .mp4 or .gif")
    if not path.parent.is_dir():
        raise VideoError(f"there is no folder {path.parent}")
    if path.suffix == ".mp4" and (problem := mp4_problem()):
        raise VideoError(f"{problem}, or name it {path.stem}.gif")


class Film:
    """A file that takes MuJoCo's pictures of a model, one by one, and shows them at the speed of real time."""

    def __init__(self, model: Any, path: Path, dt: float, width: int = 640, height: int = 480) -> None:
        """Set up the camera; the file appears with the first picture.

        Args:
            model: What to draw, an ``mujoco.MjModel`` with its visual meshes; the camera follows its first body.
            path: Ends in ``.mp4`` or ``.gif``.
            dt: Time between two policy steps [s].
            width: Of the picture, in pixels.
            height: Of the picture, in pixels.
        """
        import imageio.v2 as imageio
        import mujoco

        self.path = path
        self._every, self._step = max(1, round(1.0 / (FPS * dt))), -1  # policy steps from one picture to the next
        self.renderer = mujoco.Renderer(model, height, width)
        self.camera = mujoco.MjvCamera()
        self.camera.type = mujoco.mjtCamera.mjCAMERA_TRACKING
        self.camera.trackbodyid = 1
        self.camera.distance, self.camera.azimuth, self.camera.elevation = 3.0, 135.0, -15.0
        seconds = self._every * dt
        options: dict[str, Any] = {"duration": 1000.0 * seconds, "loop": 0}
        if path.suffix == ".mp4":
            options = {"fps": 1.0 / seconds}
        self._writer = imageio.get_writer(path, **options)
        self._pictures = 0

    def is_due(self) -> bool:
        """Count a policy step, and return whether it gets a picture."""
        self._step += 1
        return self._step % self._every == 0

    def add(self, data: Any, write: Callable[[np.ndarray], np.ndarray] | None = None) -> None:
        """Draw a picture.

        Args:
            data: State of the model, ``mujoco.MjData``, whose positions have been computed.
            write: Adds words to the picture, shape ``[height, width, 3]``.

        Raises:
            VideoError: If the picture cannot be written.
        """
        self.renderer.update_scene(data, self.camera)
        picture = self.renderer.render()
        words = picture if write is None else write(picture)
        try:
            with _uninterrupted():
                self._writer.append_data(words)
        except OSError as error:
            reason = str(error).partition("\n")[0]  # the encoder's command line follows
            raise VideoError(f"cannot write {self.path} ({reason}): is the disk full?") from error
        self._pictures += 1

    def close(self) -> int:
        """Finish the file, which a second call leaves alone; return how many pictures it holds."""
        with _uninterrupted():
            self._writer.close()
        self.renderer.close()
        return self._pictures


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait: an encoder that is interrupted while it takes a picture is killed, and its file is none."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield  # nobody is interrupted here, or there is nobody to pass it on to
        return
    noted: list[Any] = []
    signal.signal(signal.SIGINT, lambda *arguments: noted.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if noted:
            before(*noted[0])


def write_table(picture: np.ndarray, rows: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the picture with a table over its upper edge.

    Args:
        picture: RGB, shape ``[H, W, 3]``, unsigned bytes.
        rows: As many cells in each; all columns are equally wide.
    """
    from PIL import Image, ImageDraw, ImageFont

    written = picture.copy()
    bottom = 2 * MARGIN + LINE * len(rows)
    written[:bottom] = (written[:bottom] * SHADE).astype(np.uint8)
    image = Image.fromarray(written)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    for line, row in enumerate(rows):
        for column, cell in enumerate(row):
            place = (MARGIN + column * (image.width - MARGIN) // len(row), MARGIN + line * LINE)
            draw.text(place, cell, fill="white", font=font)
    return np.asarray(image)
