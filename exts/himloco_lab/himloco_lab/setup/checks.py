# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What is checked of the resolved configurations, so that a run which cannot work ends before a simulation is built."""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib.util
import io
import os
import sys
import tempfile
from typing import Any

from isaaclab.app.sim_launcher import validate_launch
from isaaclab.utils import validate
from isaaclab_physx.app import KitLauncher
from isaaclab_rl.entrypoints.common import apply_video_recording

from himloco_lab.errors import FAILURE, CliError
from himloco_lab.setup.arguments import BOUNDS, check_folder_name

_POSITIVE = (
    "env.scene.num_envs",
    "env.sim.dt",
    "env.decimation",
    "env.episode_length_s",
    "agent.max_iterations",
    "agent.num_steps_per_env",
    "agent.save_interval",
)
"""Keys whose value must be greater than zero for a run to make a single step."""

_FILM_HERE = "scripts/play.py --video without --viz films a policy here"

_KITLESS_PHYSICS = "physics=ovphysx or physics=newton_mjwarp"


def check_configs(env_cfg: Any, agent_cfg: Any | None) -> None:
    """Refuse configurations that cannot run.

    Args:
        env_cfg: The environment's configuration, overrides applied.
        agent_cfg: The learner's configuration, or None.

    Raises:
        CliError: If a value that must be positive is not, a folder's name is none, or Isaac Lab's own checks object.
    """
    root = {"env": env_cfg, "agent": agent_cfg}
    for key in _POSITIVE:
        section, *path = key.split(".")
        value = root[section]
        for name in path:
            value = getattr(value, name, None)
        if isinstance(value, (int, float)) and not value > 0:
            raise CliError(f"{key}={value}: must be greater than zero")
    if agent_cfg is not None:
        least, greatest = BOUNDS["seed"]
        if not least <= agent_cfg.seed <= greatest:
            raise CliError(f"agent.seed={agent_cfg.seed}: must be at least {least} and at most {greatest}")
        check_folder_name("agent.experiment_name", agent_cfg.experiment_name)
        check_folder_name("agent.run_name", agent_cfg.run_name)
    try:
        validate(env_cfg)
    except (TypeError, ValueError) as error:
        raise CliError(f"the environment's configuration is not complete: {error}") from None


def check_packages(args: argparse.Namespace, agent_cfg: Any) -> None:
    """Refuse a logger whose package is not installed here, and a frontend that HIM's tasks do not have.

    Raises:
        CliError: Naming the package or the flag.
    """
    if args.frontend != "torch":
        raise CliError(f"--frontend {args.frontend}: only torch is supported here; leave --frontend out")
    package = agent_cfg.logger
    if package in ("wandb", "neptune") and importlib.util.find_spec(package) is None:
        raise CliError(f"--logger {package}: the package is not installed here; use --logger tensorboard", FAILURE)


def check_processes(distributed: bool) -> None:
    """Refuse a process of a group (torchrun) that was not told so, and variables that do not make sense.

    Raises:
        CliError: Naming the variable or the missing flag.
    """
    numbers = {}
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        text = os.environ.get(name, "1" if name == "WORLD_SIZE" else "0")
        if not text.isdecimal():
            raise CliError(f"{name}={text!r} in the environment: must be a whole number, as torchrun sets it")
        numbers[name] = int(text)
    if numbers["WORLD_SIZE"] > 1 and not distributed:
        raise CliError(
            f"torchrun started {numbers['WORLD_SIZE']} processes: add --distributed to train with all of them"
        )
    if numbers["RANK"] >= max(numbers["WORLD_SIZE"], 1):
        raise CliError(
            f"RANK={numbers['RANK']} in the environment: must be less than WORLD_SIZE={numbers['WORLD_SIZE']}"
        )


def check_launch(env_cfg: Any, args: argparse.Namespace) -> None:
    """Refuse physics, renderer and viewer that cannot start here together; settle automatic choices in *env_cfg*.

    Raises:
        CliError: If two of them exclude each other, or Isaac Sim is needed and is not installed.
    """
    keep_viewer_here(env_cfg, args)
    try:
        _, needs_kit = validate_launch(env_cfg, args)
    except ValueError as error:
        raise CliError(str(error).split("\n\n")[0]) from None
    check_shared_memory(env_cfg)
    if needs_kit and not KitLauncher.is_available():
        remedy = f"use {_KITLESS_PHYSICS}, and --viz viser to watch"
        raise CliError(f"Isaac Sim is not installed here and is needed by {', '.join(needs_kit)}; {remedy}", FAILURE)


def check_display(args: argparse.Namespace) -> None:
    """Refuse Newton's window where there is no display: Isaac Lab would draw it where nobody sees it, for ever.

    Raises:
        CliError: If it is asked for, not to be filmed, and there is no display.
    """
    has_display = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY")
    if "newton_gl" in (args.visualizer or []) and not (args.video or args.headless or has_display):
        raise CliError(
            "--viz newton_gl: there is no display to open a window on, DISPLAY is not set; use --viz viser or --video",
            FAILURE,
        )


def keep_viewer_here(env_cfg: Any, args: argparse.Namespace) -> None:
    """Let the browser viewer that ``--viz viser`` adds serve this machine only, where Isaac Lab's serves the network.

    Args:
        env_cfg: The environment's configuration; a viser viewer that it names itself stays as it is.
        args: The flags.
    """
    configured = env_cfg.sim.visualizer_cfgs or []
    configured = configured if isinstance(configured, list) else [configured]
    if "viser" in (args.visualizer or []) and all(cfg.visualizer_type != "viser" for cfg in configured):
        from isaaclab_visualizers.viser import ViserVisualizerCfg

        env_cfg.sim.visualizer_cfgs = [*configured, ViserVisualizerCfg(bind_address="127.0.0.1")]


def check_shared_memory(env_cfg: Any, folder: str = "/dev/shm") -> None:
    """Refuse PhysX where its semaphores have no place: it would abort the process.

    Args:
        env_cfg: The environment's configuration.
        folder: Where Linux keeps them.

    Raises:
        CliError: Naming the folder.
    """
    if "newton" in type(env_cfg.sim.physics).__module__.lower():
        return
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CliError(
            f"PhysX needs {folder}, which cannot be written here ({error.strerror}); mount a tmpfs there (docker:"
            " --shm-size=1g), or use physics=newton_mjwarp",
            FAILURE,
        ) from None


def check_video(env_cfg: Any, args: argparse.Namespace) -> None:
    """Refuse ``--video`` where Isaac Lab's recorder could record or write nothing.

    Raises:
        CliError: If the package that writes films is missing, or no viewer that is asked for can be recorded.
    """
    if not args.video:
        return
    if importlib.util.find_spec("moviepy") is None:  # what Isaac Lab's recorder writes its films with
        raise CliError(f"--video needs the package moviepy, which is not installed here; {_FILM_HERE}", FAILURE)
    if not args.visualizer and not env_cfg.video_recorders and not KitLauncher.is_available():
        raise CliError(
            f"--video records Isaac Sim's viewer, which is not installed here; add --viz newton_gl; {_FILM_HERE}",
            FAILURE,
        )
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            apply_video_recording(copy.deepcopy(env_cfg), "", args)
    except ValueError as error:
        raise CliError(str(error).split("\n\n")[0]) from None
