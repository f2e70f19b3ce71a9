# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``--video`` where there is no Isaac Sim: what can be settled of a film before anything is built."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from isaaclab.envs.utils.video_recorder_cfg import VideoRecorderCfg
from isaaclab_physx.app import KitLauncher
from isaaclab_rl.entrypoints.common import apply_video_recording, video_playback_steps

from himloco_lab.deployment.video import VideoError, choose_backend, mp4_problem
from himloco_lab.errors import FAILURE, CliError

if TYPE_CHECKING:
    from himloco_lab.playing.film import EnvFilm

_IN_THE_BROWSER = ("viser", "rerun", "none")
"""Viewers that Isaac Lab takes no pictures of, and none."""


@dataclass(frozen=True)
class FilmPlan:
    """A film to be."""

    path: Path
    """The file; its folder exists and can be written to."""
    steps: int
    """Length in policy steps."""


def films_without_kit(env_cfg: Any, args: argparse.Namespace) -> bool:
    """Return whether ``--video`` is to be drawn by MuJoCo: nothing that Isaac Lab takes pictures of is there."""
    pictured = set(args.visualizer or ()) - set(_IN_THE_BROWSER)
    return args.video and not pictured and not env_cfg.video_recorders and not KitLauncher.is_available()


def plan_film(args: argparse.Namespace, folder: Path, checkpoint: Path | None) -> FilmPlan:
    """Settle file, length and way of drawing as Isaac Lab would, and take ``--video`` off Isaac Lab's hands.

    Args:
        args: The flags, changed.
        folder: Of the run; the film goes below it.
        checkpoint: What is played, for the film's name.

    Raises:
        CliError: If nothing can be drawn, encoded or written.
    """
    draft = SimpleNamespace(video_recorders=[VideoRecorderCfg()])
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            apply_video_recording(draft, str(folder), args, subdir="play", checkpoint_path=str(checkpoint or ""))
    except ValueError as error:
        raise CliError(str(error)) from None
    steps = video_playback_steps(args, draft) or 1
    (settings,) = draft.video_recorders
    if problem := mp4_problem():
        raise CliError(f"--video: {problem}", FAILURE)
    target = Path(settings.output_dir)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target):
            pass
    except OSError as error:
        raise CliError(
            f"--video: cannot write to {target} ({error.strerror}); make it a folder that takes files", FAILURE
        ) from None
    with told_in_a_line():
        os.environ["MUJOCO_GL"] = choose_backend()
    args.video = False
    return FilmPlan(_next_name(target, settings.output_filename_prefix), steps)


def open_film(env: Any, plan: FilmPlan, cleanup: contextlib.ExitStack) -> EnvFilm:
    """Open the film that was planned; *cleanup* closes it and says where it is.

    Args:
        env: The task, unwrapped.
        plan: From :func:`plan_film`.
        cleanup: Closes the film.
    """
    from himloco_lab.playing.film import EnvFilm

    film = EnvFilm(env, plan.path)

    def close() -> None:
        if pictures := film.close():
            print(f"[INFO] {plan.path} holds {pictures} pictures")

    cleanup.callback(close)
    return film


@contextlib.contextmanager
def told_in_a_line() -> Iterator[None]:
    """Tell the user in a line why there is no film.

    Raises:
        CliError: In place of a :class:`VideoError`.
    """
    try:
        yield
    except VideoError as error:
        raise CliError(f"--video: {error}", FAILURE) from error


def _next_name(folder: Path, prefix: str) -> Path:
    """Return Isaac Lab's name for the next film of a folder."""
    names = (re.fullmatch(rf"{re.escape(prefix)}_(\d+)\.mp4", path.name) for path in folder.iterdir())
    return folder / f"{prefix}_{max((int(name[1]) for name in names if name), default=-1) + 1:04d}.mp4"
