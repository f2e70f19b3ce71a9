# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/replay.py``: repeat the step after which a training found NaN and ended."""

from __future__ import annotations

import argparse
import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isaaclab.app import launch_simulation
from isaaclab_rl.entrypoints.common import set_hydra_args

from himloco_lab.commands.list_envs import format_table
from himloco_lab.errors import FAILURE, CliError, Parser, run_command
from himloco_lab.runs.checkpoints import read
from himloco_lab.runs.loading import open_env, terms_differ
from himloco_lab.setup.arguments import add_launcher_flags, add_task_flags, parse
from himloco_lab.setup.machine import apply_device, check_launch
from himloco_lab.setup.overrides import check_configs, resolve_configs
from himloco_lab.setup.registry import find_task

if TYPE_CHECKING:
    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper

    from himloco_rl.observations import ObservationLayout

STILL_NOT_FINITE = 3
"""Exit code when the step is not finite this time either."""
_DUMP_NAME = re.compile(r"not_finite_(\d+)\.pt")


def replay_parser() -> Parser:
    """Return the parser of ``scripts/replay.py``."""
    parser = Parser(description="Repeat the step after which a training found NaN, and print what it gives.")
    parser.add_argument("dump", metavar="FILE", help="not_finite_<iteration>.pt, or its run's folder (its newest).")
    add_task_flags(parser, task_help="Name of the task; the file's own when omitted.")
    parser.add_argument("--seed", type=int, help="Seed of ground, masses and noise; the training's when omitted.")
    add_launcher_flags(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Replay as *argv* says; return 0 if the step is finite this time, :data:`STILL_NOT_FINITE` if not."""
    return run_command(_replay, argv)


def _replay(argv: list[str]) -> int:
    args, overrides = parse(replay_parser(), argv)
    path = _find(args.dump)
    dump, layout = read_dump(path)
    made_with = dump.get("made_with")
    made_with = made_with if isinstance(made_with, dict) else {}
    task = args.task or made_with.get("task")
    if not isinstance(task, str):
        raise CliError(f"--task is missing: {path} does not say which task it is of")
    args.task = find_task(task, args.agent).id
    env_cfg, agent_cfg = resolve_configs(args.task, args.agent, overrides)
    seed = made_with.get("seed") if args.seed is None else args.seed
    env_cfg.seed = seed if isinstance(seed, int) and 0 <= seed < 2**32 else 0
    env_cfg.scene.num_envs = len(dump["environments"])
    for name in vars(env_cfg.curriculum):  # a reset would move the robots to other ground
        setattr(env_cfg.curriculum, name, None)
    apply_device(args, overrides, env_cfg, agent_cfg)
    check_configs(env_cfg, agent_cfg)
    check_launch(env_cfg, args)
    difference = terms_differ(layout, env_cfg, agent_cfg.obs_groups)
    if difference:
        raise _misfit(path, args.task, difference)
    set_hydra_args(overrides)
    engine = type(env_cfg.sim.physics).__name__
    if made_with.get("physics", engine) != engine:
        print(f"[WARNING] {path} is of {made_with['physics']} and this is {engine}; physics=NAME chooses another")

    with launch_simulation(env_cfg, args), contextlib.ExitStack() as cleanup:
        vec_env = open_env(args.task, env_cfg, agent_cfg, {}, cleanup)
        return _step(vec_env, path, dump, layout, args)


def _find(named: str) -> Path:
    """Return the file itself, or the newest dump of a folder."""
    path = Path(named).expanduser()
    if not path.is_dir():
        if not path.exists():
            raise CliError(f"{named}: no such file; name a not_finite_<iteration>.pt, or a run's folder", FAILURE)
        return path
    found = [(int(match[1]), file) for file in path.iterdir() if (match := _DUMP_NAME.fullmatch(file.name))]
    if not found:
        raise CliError(f"{named}: no not_finite_<iteration>.pt in this folder: no NaN ended this run", FAILURE)
    return max(found)[1]


def read_dump(path: Path) -> tuple[dict[str, Any], ObservationLayout]:
    """Return what a dump holds, and the layout of its observations.

    Raises:
        CliError: If it is none, does not hold together, or is not of one of Isaac Lab's environments.
    """
    from himloco_lab.sim_state import require_dump
    from himloco_rl.checkpoints import CheckpointError
    from himloco_rl.observations import ObservationLayout

    dump = read(path)
    try:
        require_dump(path, dump)
        layout = ObservationLayout.from_record(dump["layout"])
    except CheckpointError as error:
        raise CliError(str(error), FAILURE) from None
    except (TypeError, KeyError, AttributeError, ValueError):
        raise CliError(f"{path} is no dump of this version: its layout cannot be read", FAILURE) from None
    if "scene" not in dump["state"]:
        raise CliError(
            f"{path} is not of one of Isaac Lab's environments; himloco_lab.sim_state.replay() does it", FAILURE
        )
    return dump, layout


def _misfit(path: Path, task: str, reason: str) -> CliError:
    return CliError(f"{path} does not fit {task}: {reason}; name the task that the training had", FAILURE)


def _step(
    vec_env: RslRlVecEnvWrapper, path: Path, dump: dict[str, Any], layout: ObservationLayout, args: argparse.Namespace
) -> int:
    """Make the step, and print what was before it and after it."""
    from himloco_lab.sim_state import replay

    try:
        replayed = replay(vec_env, dump, layout)
        columns, rows = _robots(vec_env, dump, replayed.broken)
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise _misfit(path, args.task, (str(error).splitlines() or [type(error).__name__])[0]) from None
    number = len(dump["environments"])
    print(
        f"[INFO] {path}: {args.task}, iteration {dump.get('iteration', '?')}, {number} of {len(dump['actions'])} robots"
    )
    print(f"[INFO] Then: {dump['message']}")
    print(format_table(columns, rows))
    if not replayed.broken:
        print("[INFO] Again: every observation and reward is finite")
        return 0
    print(f"[INFO] Again, {len(replayed.broken)} of {number}: {replayed.message}")
    return STILL_NOT_FINITE


def _robots(vec_env: RslRlVecEnvWrapper, dump: dict[str, Any], broken: list[int]) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows: each robot's state before the step, and whether the step is finite this time."""
    (name, robot), *_ = dump["state"]["scene"]["articulation"].items()
    joints = vec_env.unwrapped.scene[name].joint_names
    columns = [
        "robot",
        "height [m]",
        "speed [m/s]",
        "turns [rad/s]",
        "fastest joint [rad/s]",
        "largest action",
        "again",
    ]
    rows = []
    for index in dump["environments"].tolist():
        velocity, speeds = robot["root_velocity"][index], robot["joint_velocity"][index].abs()
        fastest = int(speeds.nan_to_num(float("inf")).argmax())
        rows.append(
            [
                str(index),
                f"{robot['root_pose'][index, 2]:.3f}",
                f"{velocity[:3].norm():.3g}",
                f"{velocity[3:].norm():.3g}",
                f"{speeds[fastest]:.3g} {joints[fastest]}",
                f"{dump['actions'][index].abs().max():.3g}",
                "not finite" if index in broken else "finite",
            ]
        )
    return columns, rows
