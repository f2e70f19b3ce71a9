# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Isaac Lab 3.0's flags, taken from Isaac Lab itself, and the older ones beside them."""

from __future__ import annotations

import argparse
import math

from isaaclab.app import add_launcher_args
from isaaclab.app.sim_launcher import fuse_kit_args
from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import add_rsl_rl_args
from isaaclab_rl.entrypoints.common import (
    add_common_play_args,
    add_common_train_args,
    add_video_args,
    enable_cameras_for_video,
)
from isaaclab_tasks.utils import setup_preset_cli

from himloco_lab.errors import CliError, Parser, suggestion

AGENT_ENTRY = "rsl_rl_cfg_entry_point"
"""Key under which a task registers its learner's configuration."""
_AGENT_HELP = "Name under which the task registers its learner's configuration."

OLDEST_FIRST, NEWEST_FIRST = "oldest-first", "newest-first"
"""Orders in which a policy may have been given its frames; the first is this repository's."""

_LARGEST = 2**31 - 1
BOUNDS: dict[str, tuple[float, float]] = {
    "num_envs": (1, _LARGEST),
    "max_iterations": (1, _LARGEST),
    "max_steps": (1, _LARGEST),
    "seed": (-1, 2**32 - 1),  # numpy takes no more than 32 bits; -1 draws one
    "nproc_per_node": (1, 1024),
    "video_length": (1, _LARGEST),
    "video_interval": (1, _LARGEST),
    "capture_env_sensors": (0, _LARGEST),
    "capture_env_sensors_length": (1, _LARGEST),
    "capture_env_sensors_interval": (1, _LARGEST),
    "anim_recording_start_time": (0, _LARGEST),
    "anim_recording_stop_time": (0, _LARGEST),
    "max_visible_envs": (0, _LARGEST),
    "port": (1, 65535),
    "num_commands": (1, 10000),
    "robots": (1, 10000),
    "duration": (3, 600),
    "runs": (1, 100000),
    "tour_duration": (1, 60),
}
"""Least and greatest value of every numeric flag."""


def train_parser() -> Parser:
    """Return the parser of ``scripts/train.py``."""
    parser = Parser(description="Train a HIM policy.")
    add_common_train_args(parser, agent_default=AGENT_ENTRY, agent_help=_AGENT_HELP)
    parser.add_argument("--external_callback", help="Dotted path of a function that registers more tasks.")
    parser.add_argument(
        "--resume_optimizer_state",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Restore the optimizer with the checkpoint; --no-resume_optimizer_state starts it afresh.",
    )
    parser.add_argument(
        "--nproc_per_node",
        type=int,
        help="Processes that share --num_envs on a CPU; as many as there are cores for when omitted.",
    )
    add_rsl_rl_args(parser)
    resume = parser.add_argument_group("resume", description="The older way to continue a run.")
    resume.add_argument(
        "--resume",
        action="store_true",
        help="Continue from a checkpoint: the newest model of the newest run, unless --load_run and --checkpoint say"
        " which; --checkpoint may then be a file name such as model_500.pt, its number, or a regular expression.",
    )
    resume.add_argument("--load_run", help="Name or regular expression of the run to resume; implies --resume.")
    add_launcher_flags(parser)
    return parser


def agent_parser(policy: str) -> Parser:
    """Return the parser of ``scripts/<policy>_agent.py``, *policy* being ``zero`` or ``random``."""
    parser = Parser(description=f"Run a task with {policy} actions.")
    add_task_flags(parser, has_agent=False)
    parser.add_argument("--num_envs", type=int, help="Number of environments to simulate.")
    parser.add_argument("--max_steps", type=int, help="Number of steps to run; until Ctrl-C when omitted.")
    add_video_args(parser, action=f"the {policy} agent's run")
    add_launcher_flags(parser)
    return parser


def export_parser() -> Parser:
    """Return the parser of ``scripts/export.py``."""
    parser = Parser(description="Export a trained policy to ONNX and TorchScript, and check the files.")
    add_task_flags(parser)
    parser.add_argument(
        "--checkpoint",
        default="latest",
        help="latest, a file, or a run folder (its newest model); the newest checkpoint of the task when omitted.",
    )
    parser.add_argument("--output_dir", help="Where the files go; the run's folder exported when omitted.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the observations that the files are checked on.")
    add_launcher_flags(parser)
    return parser


def play_parser() -> Parser:
    """Return the parser of ``scripts/play.py``."""
    parser = Parser(description="Play a policy: a checkpoint, or any ONNX or TorchScript file that fits the task.")
    add_common_play_args(parser, agent_default=AGENT_ENTRY, agent_help=_AGENT_HELP)
    played = parser.add_mutually_exclusive_group()
    played.add_argument(
        "--checkpoint",
        help="latest, best, a file, or a run folder (its newest model); the task's newest when nothing is named.",
    )
    played.add_argument("--policy", help="zero, random, or an ONNX or TorchScript file, whatever trained it.")
    _add_history(parser)
    parser.add_argument("--max_steps", type=int, help="Number of steps to play; until Ctrl-C when omitted.")
    parser.add_argument(
        "--command",
        type=_number,
        nargs="+",
        metavar="VALUE",
        help="Command VX VY YAW [HEIGHT] at first [m/s, m/s, rad/s, m]; with a viewer standing, without one what the"
        " task draws.",
    )
    parser.add_argument("--port", type=int, default=8080, help="Port of the browser viewer (--viz viser).")
    parser.add_argument(
        "--bind_address",
        default="127.0.0.1",
        help="Interface of the browser viewer; 0.0.0.0 lets other machines steer the robot too.",
    )
    add_launcher_flags(parser)
    return parser


SUITES = ("tracking", "robustness", "velocities", "tour")
"""Suites of ``scripts/evaluate.py``."""
ENGINES = ("physx", "isaacsim_physx", "ovphysx", "newton_mjwarp", "mujoco")
"""Engines of ``scripts/evaluate.py``: the tasks' presets, and MuJoCo without Isaac Lab."""


def evaluate_parser() -> Parser:
    """Return the parser of ``scripts/evaluate.py``."""
    parser = Parser(description="Measure how well policies follow commands, and compare them.")
    add_task_flags(parser)
    parser.add_argument(
        "--checkpoint",
        nargs="+",
        help="latest, best, files, or run folders; the task's newest when no policy is named either.",
    )
    parser.add_argument("--policy", nargs="+", help="zero, random, ONNX or TorchScript files, any number.")
    _add_history(parser)
    parser.add_argument(
        "--suite", nargs="+", choices=SUITES, default=["tracking"], help="What to measure, one or several."
    )
    parser.add_argument(
        "--engine",
        nargs="+",
        choices=ENGINES,
        help="Engines, one or several; the task's own, or what physics=NAME says, when omitted.",
    )
    parser.add_argument("--num_commands", type=int, help="Commands of the tracking suite's grid; 64.")
    parser.add_argument("--robots", type=int, default=4, help="Robots for each command, and for each difficulty.")
    parser.add_argument("--duration", type=float, default=8.0, help="Seconds under the command, from 3 on.")
    parser.add_argument(
        "--groups",
        nargs="+",
        help="Difficulties of the robustness suite, or grounds of the velocities suite; all when omitted.",
    )
    parser.add_argument("--runs", type=int, default=64, help="Runs of the tour.")
    parser.add_argument(
        "--tour_duration", type=float, default=60.0, help="Seconds of the tour; fewer than 60 break it off."
    )
    parser.add_argument("--seed", type=int, default=0, help="The same seed, the same numbers.")
    parser.add_argument("--output_dir", help="Where the results go; logs/evaluations/<task> when omitted.")
    add_launcher_flags(parser)
    parser.set_defaults(num_envs=None)
    return parser


def add_task_flags(
    parser: argparse.ArgumentParser, *, has_agent: bool = True, task_help: str = "Name of the task."
) -> None:
    """Add ``--task``, ``--agent`` if the command reads a learner's configuration, and ``--disable_fabric``."""
    parser.add_argument("--task", help=task_help)
    if has_agent:
        parser.add_argument("--agent", default=AGENT_ENTRY, help=_AGENT_HELP)
    parser.add_argument("--disable_fabric", action="store_true", help="Disable fabric and use USD I/O operations.")


def _add_history(parser: Parser) -> None:
    parser.add_argument(
        "--history",
        choices=(OLDEST_FIRST, NEWEST_FIRST),
        default=OLDEST_FIRST,
        help="Order of the frames that the --policy files were trained with; HIMLoco's have the newest first.",
    )


def _number(text: str) -> float:
    """Return one of several numbers after a flag.

    Raises:
        argparse.ArgumentTypeError: If it is none, such as an override right behind the numbers.
    """
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number; overrides go before the flag") from None


def check_history(history: str, has_files: bool) -> None:
    """Refuse an order of frames where there is no file that it could belong to.

    Raises:
        CliError: If frames are to be reversed for checkpoints, which were trained here.
    """
    if history != OLDEST_FIRST and not has_files:
        raise CliError(f"--history {history}: is for files that --policy names; checkpoints are {OLDEST_FIRST}")


def add_launcher_flags(parser: argparse.ArgumentParser) -> None:
    """Add Isaac Lab's flags of device, viewer and Kit to a parser."""
    add_launcher_args(parser)
    parser.add_argument(
        "--headless",
        action="store_true",
        help="Open no window, as is the default without --viz; with --viz kit, Isaac Sim runs without one.",
    )
    # None lets the machine decide, where Isaac Lab's default is cuda:0
    parser.set_defaults(device=None)


def parse(parser: Parser, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Parse *argv* and check every value that can be checked without a task.

    Returns:
        The flags, and the remaining ``key=value`` overrides as they were typed.

    Raises:
        CliError: If a flag is unknown, or a value has the wrong type or is out of its bounds.
    """
    args, overrides = setup_preset_cli(parser, fuse_kit_args(argv))
    for token in overrides:
        name = token.partition("=")[0]
        if name.startswith("-"):
            raise CliError(f"unknown option {name}: {suggestion(name, parser._option_string_actions)}")
        if name.startswith("~"):
            raise CliError(f"{token}: to switch something off, set it to null: {name[1:]}=null")
        if "=" not in token:
            raise CliError(f"unexpected argument {token!r}: after the options come overrides such as env.decimation=4")
    for name, (least, greatest) in BOUNDS.items():
        value = getattr(args, name, None)
        if value is not None and not least <= value <= greatest:
            raise CliError(f"--{name} {value}: must be at least {least} and at most {greatest}")
    for name, value in vars(args).items():
        values = value if isinstance(value, list) else [value]
        if any(isinstance(item, float) and not math.isfinite(item) for item in values):
            raise CliError(f"--{name} {' '.join(map(str, values))}: must be finite")
    for name in ("experiment_name", "run_name", "run_timestamp"):
        check_folder_name(f"--{name}", getattr(args, name, None))
    enable_cameras_for_video(args)
    return args, overrides


def check_folder_name(flag: str, value: str | None) -> None:
    """Refuse a *value* that cannot name one folder below the log folder."""
    if value is not None and (value in (".", "..") or "/" in value or "\\" in value or not value.isprintable()):
        raise CliError(f"{flag} {value!r}: must be the name of one folder, without slashes")
