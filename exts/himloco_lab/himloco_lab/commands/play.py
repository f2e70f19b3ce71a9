# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/play.py``: watch a policy, and steer it."""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from isaaclab.envs.utils.video_recorder_cfg import VideoRecorderCfg
from isaaclab_physx.app import KitLauncher
from isaaclab_rl.entrypoints.common import (
    apply_env_overrides,
    apply_video_recording,
    normalize_task_name,
    pre_launch_video_config,
    set_hydra_args,
    video_playback_steps,
)

from himloco_lab.deployment.video import VideoError, choose_backend, mp4_problem
from himloco_lab.errors import FAILURE, CliError, run_command
from himloco_lab.robots.policy_layout import HEIGHT
from himloco_lab.runs.checkpoints import find_checkpoint, log_root, recorded_agent
from himloco_lab.runs.loading import check_policy, open_any, open_env, policy_file
from himloco_lab.setup.arguments import check_history, parse, play_parser
from himloco_lab.setup.machine import apply_device, check_display, check_launch, check_num_envs, check_video
from himloco_lab.setup.overrides import check_configs, resolve_configs
from himloco_lab.setup.registry import find_task

if TYPE_CHECKING:
    from himloco_lab.playing.film import EnvFilm

SEED = 42
"""Isaac Lab's, where the user names none."""

WITHOUT_PICTURES = ("viser", "rerun", "none")
"""Viewers that Isaac Lab takes no pictures of, and none."""


def main(argv: list[str] | None = None) -> int:
    """Play as *argv* says, and return the exit code."""
    return run_command(_play, argv)


def _play(argv: list[str]) -> None:
    args, overrides = parse(play_parser(), argv)
    args.task = find_task(args.task, args.agent).id
    check_history(args.history, args.policy is not None and policy_file(args.policy) is not None)
    env_cfg, agent_cfg = resolve_configs(args.task, args.agent, overrides, play_mode=not args.train_env_cfg)
    apply_env_overrides(args, env_cfg, apply_device=False)
    apply_device(args, overrides, env_cfg, agent_cfg)
    if args.num_envs is None and not any(token.startswith("env.scene.num_envs=") for token in overrides):
        env_cfg.scene.num_envs = 1  # to look at
    check_num_envs(env_cfg.scene.num_envs, env_cfg.sim.device)
    if not args.train_env_cfg:
        _drop_rewards(env_cfg)
    check_configs(env_cfg, agent_cfg)
    check_command(args, env_cfg.commands.base_velocity.ranges)
    filmed = needs_mujoco_film(env_cfg, args)
    if not filmed:
        check_video(env_cfg, args)
    env_cfg.seed = agent_cfg.seed = SEED if args.seed is None else args.seed
    checkpoint, recorded = None, {}
    if args.policy is None:
        root = log_root(agent_cfg.experiment_name)
        checkpoint = find_checkpoint(args.checkpoint or "latest", root, task=args.task, agent_entry=args.agent)
        recorded = recorded_agent(checkpoint)
        check_policy(checkpoint, args.task, env_cfg, agent_cfg, recorded)
    check_display(args)
    _add_viewer(args, env_cfg)
    set_hydra_args(overrides)

    folder = checkpoint.parent if checkpoint else log_root("play") / normalize_task_name(args.task)
    film_path, film_steps = plan_film(args, folder, checkpoint) if filmed else (None, None)
    pre_launch_video_config(env_cfg, args)
    check_launch(env_cfg, args)
    apply_video_recording(env_cfg, str(folder), args, subdir="play", checkpoint_path=str(checkpoint or ""))

    from isaaclab.app import launch_simulation

    ranges = copy.deepcopy(env_cfg.commands.base_velocity.ranges)  # before a curriculum narrows them
    with launch_simulation(env_cfg, args), contextlib.ExitStack() as cleanup:
        vec_env = open_env(args.task, env_cfg, agent_cfg, recorded, cleanup)
        named: Any = checkpoint or args.policy
        policy = open_any(vec_env, args.task, agent_cfg, named, args.policy is None, env_cfg.seed, args.history)

        from himloco_lab.playing.session import PlaySession

        film = None if film_path is None else open_film(vec_env.unwrapped, film_path, cleanup)
        limits = (args.max_steps, video_playback_steps(args, env_cfg), film_steps)
        print(f"[INFO] Playing {checkpoint or args.policy} on {args.task}, Ctrl-C ends it")
        has_window = "kit" in (args.visualizer or []) and not args.headless
        session = PlaySession(vec_env, policy, ranges, args.command, film, has_window)
        max_steps = min((steps for steps in limits if steps is not None), default=None)
        with video_errors_end_the_command():
            print(session.run(max_steps, real_time=args.real_time or bool(args.visualizer)))


def check_command(args: argparse.Namespace, ranges: Any) -> None:
    """Refuse commands of other than three or four numbers, and a height where the task has one for all."""
    asked = args.command
    if asked is None:
        return
    given = f"--command {' '.join(f'{value:g}' for value in asked)}"
    if len(asked) not in (3, 4):
        raise CliError(f"{given}: {len(asked)} numbers; give VX VY YAW or VX VY YAW HEIGHT")
    lowest, highest = ranges.height
    if len(asked) == 4 and lowest == highest != asked[HEIGHT]:
        raise CliError(f"{given}: {args.task} commands no height but {highest:g} m; leave HEIGHT out")


def _drop_rewards(env_cfg: Any) -> None:
    """Take away the rewards that nothing here looks at: with one robot they are a quarter of a step [measured]."""
    curricula = [term for term in vars(env_cfg.curriculum).values() if term is not None]
    followed = {term.params.get("reward_term") for term in curricula}
    for name in vars(env_cfg.rewards):
        if name not in followed:
            setattr(env_cfg.rewards, name, None)


def _add_viewer(args: argparse.Namespace, env_cfg: Any) -> None:
    """Put the steering wheel into Isaac Lab's browser viewer, if that is what the user asked for."""
    if "viser" not in (args.visualizer or []):
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((args.bind_address, args.port))
        except OSError as error:
            raise CliError(
                f"--port {args.port}: cannot listen on {args.bind_address} there ({error.strerror}); name another",
                FAILURE,
            ) from None
    from himloco_lab.playing.viewer_cfg import PlayViewerCfg

    viewer = PlayViewerCfg(port=args.port, bind_address=args.bind_address)
    others = [cfg for cfg in env_cfg.sim.visualizer_cfgs or [] if cfg.visualizer_type != "viser"]
    env_cfg.sim.visualizer_cfgs = [*others, viewer]


def needs_mujoco_film(env_cfg: Any, args: argparse.Namespace) -> bool:
    """Return whether ``--video`` is to be drawn by MuJoCo: nothing that Isaac Lab takes pictures of is there."""
    pictured = set(args.visualizer or ()) - set(WITHOUT_PICTURES)
    return args.video and not pictured and not env_cfg.video_recorders and not KitLauncher.is_available()


def plan_film(args: argparse.Namespace, folder: Path, checkpoint: Path | None) -> tuple[Path, int]:
    """Settle file and way of drawing as Isaac Lab would, and take ``--video`` off Isaac Lab's hands.

    Args:
        args: The flags, changed.
        folder: Of the run; the film goes below it.
        checkpoint: What is played, for the film's name.

    Returns:
        The file, whose folder exists and can be written to, and the film's length in policy steps.

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
    with video_errors_end_the_command():
        os.environ["MUJOCO_GL"] = choose_backend()
    args.video = False
    # Isaac Lab's name for the next film of a folder
    prefix = settings.output_filename_prefix
    names = (re.fullmatch(rf"{re.escape(prefix)}_(\d+)\.mp4", path.name) for path in target.iterdir())
    number = max((int(name[1]) for name in names if name), default=-1) + 1
    return target / f"{prefix}_{number:04d}.mp4", steps


def open_film(env: Any, path: Path, cleanup: contextlib.ExitStack) -> EnvFilm:
    """Open a film of a task (unwrapped); *cleanup* closes it and says where it is."""
    from himloco_lab.playing.film import EnvFilm  # not earlier: MuJoCo reads MUJOCO_GL when it is imported

    film = EnvFilm(env, path)

    def close() -> None:
        if pictures := film.close():
            print(f"[INFO] {path} holds {pictures} pictures")

    cleanup.callback(close)
    return film


@contextlib.contextmanager
def video_errors_end_the_command() -> Iterator[None]:
    """Report in one line why there is no film: raise a :class:`.CliError` in place of a :class:`VideoError`."""
    try:
        yield
    except VideoError as error:
        raise CliError(f"--video: {error}", FAILURE) from error
