# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module tells a type checker nothing about itself)

"""Films of a MuJoCo robot, drawn without a window."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .mujoco_sim import MujocoRobot

FPS = 25
"""Frames per second: every second policy step at 50 Hz."""

BACKENDS = ("egl", "osmesa")
"""Ways of drawing without a window, in the order in which they are tried."""

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


def check_encoder(path: Path) -> None:
    """Check that a film of that name can be written.

    Raises:
        VideoError: If there is no encoder for it, or no such folder.
    """
    if path.suffix not in (".mp4", ".gif"):
        raise VideoError(f"{path.name} must end in .mp4 or .gif")
    if not path.parent.is_dir():
        raise VideoError(f"there is no folder {path.parent}")
    if path.suffix == ".mp4" and not any(importlib.util.find_spec(name) for name in ("imageio_ffmpeg", "av")):
        raise VideoError(
            f"no encoder for .mp4 here: python -m pip install imageio-ffmpeg brings one, or name it {path.stem}.gif"
        )


class VideoRecorder:
    """Draws a robot from a camera that follows it, and writes the frames to a file."""

    def __init__(self, robot: MujocoRobot, path: Path, width: int = 640, height: int = 480) -> None:
        """Open the file.

        Args:
            robot: The robot, built with its visual meshes.
            path: Ends in ``.mp4`` or ``.gif``.
            width: Of the picture, in pixels.
            height: Of the picture, in pixels.
        """
        import imageio.v2 as imageio
        import mujoco

        self._robot = robot
        self._every = max(1, round(1.0 / (FPS * robot.manifest.timing.policy_dt)))
        self._step = 0
        self._renderer = mujoco.Renderer(robot.model, height, width)
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_TRACKING
        self._camera.trackbodyid = 1
        self._camera.distance, self._camera.azimuth, self._camera.elevation = 3.0, 135.0, -15.0
        options: dict[str, Any] = {"fps": FPS} if path.suffix == ".mp4" else {"duration": 1000.0 / FPS, "loop": 0}
        self._writer = imageio.get_writer(path, **options)

    def __call__(self, robot: MujocoRobot) -> None:
        """Draw a frame if one is due; call it after every policy step."""
        if self._step % self._every == 0:
            self._renderer.update_scene(robot.data, self._camera)
            self._writer.append_data(self._renderer.render())
        self._step += 1

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()
        self._renderer.close()
