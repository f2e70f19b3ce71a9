# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``scripts/evaluate.py`` is to measure: suites x policies x engines, all checked before anything is built."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isaaclab_rl.entrypoints.common import apply_env_overrides

from himloco_lab.errors import CliError, suggestion
from himloco_lab.robots.policy_layout import HEIGHT
from himloco_lab.runs.checkpoints import find_checkpoint, log_root, recorded_agent
from himloco_lab.runs.loading import check_policy, policy_file
from himloco_lab.setup.arguments import OLDEST_FIRST, check_history
from himloco_lab.setup.machine import apply_device, check_launch, check_num_envs
from himloco_lab.setup.overrides import check_configs, resolve_configs

if TYPE_CHECKING:
    from himloco_lab.evaluation.robustness import Condition
    from himloco_lab.evaluation.suites import Job
    from himloco_lab.evaluation.velocities import Trial

MUJOCO = "mujoco"
_NAMES = {"OvPhysxCfg": "ovphysx", "PhysxCfg": "isaacsim_physx", "NewtonCfg": "newton_mjwarp"}


@dataclass(frozen=True)
class Engine:
    """An engine, and the task as it is to be built in it."""

    name: str
    env_cfg: Any
    """For MuJoCo the task's own, which tells robot and ranges."""
    agent_cfg: Any
    overrides: tuple[str, ...]
    """What makes the configuration, the engine's preset included."""


@dataclass(frozen=True)
class Source:
    """A policy to evaluate."""

    name: str
    """What the report calls it."""
    path: Path | None
    """Its file; None for a built-in one."""
    is_checkpoint: bool


@dataclass(frozen=True)
class Unit:
    """One suite of one policy in one engine."""

    suite: str
    source: Source
    engine: Engine
    job: Job
    conditions: tuple[Condition, ...]
    """What is difficult for each robot, in the robustness suite."""
    trials: tuple[Trial, ...]
    """What each robot is put through, in the velocities suite."""
    settings: dict[str, Any]
    """What decides the numbers, beside the code."""

    @property
    def key(self) -> str:
        """Name of its results."""
        return f"{self.suite} | {self.source.name} | {self.engine.name}"


def engines_of(args: argparse.Namespace, overrides: list[str]) -> list[Engine]:
    """Resolve the task's configuration for every engine.

    Raises:
        CliError: If an engine cannot run here, or is named twice.
    """
    chosen = args.engine or [None]
    given = next((token for token in overrides if token.startswith("physics=")), None)
    if args.engine and given:
        raise CliError(f"{given} and --engine {' '.join(args.engine)} both choose engines: leave one of them out")
    engines: list[Engine] = []
    for name in chosen:
        extra = [] if name in (None, MUJOCO) else [f"physics={name}"]
        env_cfg, agent_cfg = resolve_configs(args.task, args.agent, [*overrides, *extra], play_mode=True)
        apply_env_overrides(args, env_cfg, apply_device=False)
        apply_device(args, overrides, env_cfg, agent_cfg)
        env_cfg.seed = agent_cfg.seed = args.seed
        check_configs(env_cfg, agent_cfg)
        if name != MUJOCO:
            check_launch(env_cfg, args)  # settles what "physx" is here
            physics = type(env_cfg.sim.physics).__name__
            name = _NAMES.get(physics, physics)
        engines.append(Engine(str(name), env_cfg, agent_cfg, (*overrides, *extra)))
    names = [engine.name for engine in engines]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CliError(f"--engine {' '.join(args.engine)}: names {twice} twice")
    return engines


def sources_of(args: argparse.Namespace, agent_cfg: Any) -> list[Source]:
    """Return the policies, in the order of the command line.

    Raises:
        CliError: If one is not there, or two have the same name.
    """
    sources: list[Source] = []
    root = log_root(agent_cfg.experiment_name)
    for selector in args.checkpoint or ([] if args.policy else ["latest"]):
        path = find_checkpoint(selector, root, task=args.task, agent_entry=args.agent)
        sources.append(Source(f"{path.parent.name}/{path.name}", path, is_checkpoint=True))
    for name in args.policy or ():
        path = policy_file(name)
        label = name if path is None else f"{path.absolute().parent.name}/{path.name}"
        sources.append(Source(label, path, is_checkpoint=False))
    check_history(args.history, any(source.path and not source.is_checkpoint for source in sources))
    names = [source.name for source in sources]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CliError(f"two policies are called {twice}: rename a folder, or evaluate them one after the other")
    return sources


def check_checkpoints(sources: list[Source], engine: Engine, task: str) -> None:
    """Refuse a checkpoint that does not fit the task before another policy is measured for an hour.

    Args:
        sources: The policies.
        engine: Any of the engines.
        task: Registered name.

    Raises:
        CliError: With what differs.
    """
    for source in sources:
        if source.is_checkpoint and source.path:
            recorded = recorded_agent(source.path)
            check_policy(source.path, task, engine.env_cfg, engine.agent_cfg, recorded)


def units_of(
    args: argparse.Namespace, overrides: list[str], engines: list[Engine], sources: list[Source]
) -> list[Unit]:
    """Return everything that is to be measured, suite after suite.

    Raises:
        CliError: If a number does not fit the task, or an engine does not have a suite.
    """
    units: list[Unit] = []
    for suite in dict.fromkeys(args.suite):
        for engine in engines:
            if suite in ("robustness", "velocities") and engine.name == MUJOCO:
                raise CliError(
                    f"the {suite} suite runs in Isaac Lab's engines only: leave mujoco out of --engine, or choose"
                    " --suite tracking tour"
                )
        for source in sources:
            for engine in engines:
                job, conditions, trials = _job(args, suite, engine.env_cfg)
                if engine.name != MUJOCO:
                    check_num_envs(job.num_robots, engine.env_cfg.sim.device)
                settings = _settings(args, overrides, job, source)
                units.append(Unit(suite, source, engine, job, conditions, trials, settings))
    return units


def _job(args: argparse.Namespace, suite: str, env_cfg: Any) -> tuple[Job, tuple[Condition, ...], tuple[Trial, ...]]:
    """Return the job of a suite, and its conditions or trials if it has any."""
    import numpy as np

    from himloco_lab.evaluation.commands import tracking_commands
    from himloco_lab.evaluation.robustness import commands_of
    from himloco_lab.evaluation.suites import Job
    from himloco_lab.evaluation.velocities import SECONDS

    ranges = env_cfg.commands.base_velocity.ranges
    rest = (0.0, 0.0, 0.0, float(ranges.height[1]))
    limits = np.array([ranges.lin_vel_x, ranges.lin_vel_y, ranges.ang_vel_z]).T
    chosen: tuple[Condition, ...] = ()
    trials: tuple[Trial, ...] = ()
    seconds = args.duration
    if suite == "tracking":
        try:
            commands = np.tile(tracking_commands(ranges, args.num_commands), (args.robots, 1))
        except ValueError as error:
            raise CliError(f"--num_commands {error}") from None
    elif suite == "tour":
        if not hasattr(env_cfg.commands, "upper_body"):
            raise CliError(
                f"--suite tour: is for robots with arms, which never rest on it, and that of {args.task} has none;"
                " choose --suite tracking robustness"
            )
        seconds = args.tour_duration
        commands = np.tile(rest, (args.runs, 1))
    elif suite == "velocities":
        trials, commands = _trials(args, env_cfg, rest[HEIGHT])
        seconds = SECONDS
    else:
        chosen = _conditions(args, env_cfg)
        commands = commands_of(chosen, rest[HEIGHT])
    return Job(suite, args.seed, seconds, commands, rest, limits), chosen, trials


def _trials(args: argparse.Namespace, env_cfg: Any, height: float) -> tuple[tuple[Trial, ...], Any]:
    """Return the trials of the velocities suite and their commands."""
    from himloco_lab.evaluation.robustness import terrain_kinds
    from himloco_lab.evaluation.velocities import GROUNDS, commands_of, trials

    kinds = terrain_kinds(env_cfg)[0]
    found = trials(list(kinds), args.robots, _groups(args, tuple(GROUNDS)))
    if not kinds:
        raise CliError(f"--suite velocities: {args.task} has level ground only; name the robot's Rough task")
    return found, commands_of(found, height, args.seed)


def _conditions(args: argparse.Namespace, env_cfg: Any) -> tuple[Condition, ...]:
    """Return the difficulties that were asked for, each as often as there are robots for it."""
    from himloco_lab.evaluation.robustness import GROUPS, conditions, terrain_kinds

    low, high = getattr(env_cfg.actions.joint_pos, "delay_range", (0, 0))
    kinds, levels = terrain_kinds(env_cfg)
    found = conditions(range(low, high + 1), hasattr(env_cfg.commands, "upper_body"), kinds, levels)
    groups = _groups(args, GROUPS)
    for group in groups:
        if group in (args.groups or ()) and group not in {one.group for one in found}:
            raise CliError(f"--groups {group}: {args.task} has nothing of that kind; leave it out")
    return tuple(one for one in found if one.group in groups for _ in range(args.robots))


def _groups(args: argparse.Namespace, own: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of a suite's own groups were asked for, all where none was.

    Raises:
        CliError: If no suite that was asked for has such a group.
    """
    from himloco_lab.evaluation.robustness import GROUPS
    from himloco_lab.evaluation.velocities import GROUNDS

    known = {"robustness": GROUPS, "velocities": tuple(GROUNDS)}
    asked = [group for suite in dict.fromkeys(args.suite) for group in known.get(suite, ())]
    for group in args.groups or ():
        if group not in asked:
            raise CliError(f"--groups {group}: {suggestion(group, asked)}")
    mine = tuple(group for group in own if group in (args.groups or own))
    return mine or own


def _settings(args: argparse.Namespace, overrides: list[str], job: Job, source: Source) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "task": args.task,
        "robots": job.num_robots,
        "seconds": job.seconds,
        "seed": args.seed,
        "overrides": overrides,
        "sha256": hashlib.sha256(source.path.read_bytes()).hexdigest() if source.path else None,
    }
    if args.history != OLDEST_FIRST:
        settings["history"] = args.history
    if job.suite == "tracking":
        settings["commands"] = job.num_robots // args.robots
    if job.suite in ("robustness", "velocities"):
        settings["groups"] = args.groups
    return settings
