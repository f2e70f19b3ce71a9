# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/evaluate.py``: suites of measurements for any policies, in any engines, with a report.

What is to be measured, suites x policies x engines, is checked before anything is built.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isaaclab_rl.entrypoints.common import apply_env_overrides, set_hydra_args
from rich.progress import Progress

from himloco_lab.commands.export import output_folder
from himloco_lab.deployment.manifest import ManifestError, digest
from himloco_lab.errors import FAILURE, INTERRUPTED, CliError, run_command, suggestion
from himloco_lab.runs.checkpoints import find_checkpoint, log_root, recorded_agent
from himloco_lab.runs.loading import check_policy, open_any, open_env, policy_file, velocity_estimate
from himloco_lab.setup.arguments import NEWEST_FIRST, OLDEST_FIRST, check_history, evaluate_parser, parse
from himloco_lab.setup.machine import apply_device, check_launch, check_num_envs
from himloco_lab.setup.overrides import check_configs, resolve_configs
from himloco_lab.setup.registry import find_task

if TYPE_CHECKING:
    from himloco_lab.evaluation.robustness import Condition
    from himloco_lab.evaluation.suites import Job

MUJOCO = "mujoco"
ENGINE_NAMES = {"OvPhysxCfg": "ovphysx", "PhysxCfg": "isaacsim_physx", "NewtonCfg": "newton_mjwarp"}
"""Class of a physics configuration -> what the report calls it."""
RECORDING = 2
"""Counts the changes of what a recording holds."""
_ONLY = "HIMLOCO_EVALUATE_ONLY"
"""Environment variable: the unit of the command line that a process measures."""
_EXPORT = "import sys; from himloco_lab.commands.export import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Engine:
    """An engine, and the task as it is to be built in it."""

    name: str
    env_cfg: Any
    """For MuJoCo the task's own, which has robot and ranges."""
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

    source: Source
    engine: Engine
    job: Job
    settings: dict[str, Any]
    """What decides the numbers, beside the code."""

    @property
    def key(self) -> str:
        """Name of its results."""
        return f"{self.job.suite} | {self.source.name} | {self.engine.name}"


def main(argv: list[str] | None = None) -> int:
    """Evaluate as *argv* says, and return the exit code."""
    return run_command(_evaluate, argv)


def _evaluate(argv: list[str]) -> None:
    args, overrides = parse(evaluate_parser(), argv)
    args.task = find_task(args.task, args.agent).id
    engines = _engines(args, overrides)
    sources = _sources(args, engines[0].agent_cfg)
    only = os.environ.get(_ONLY)
    if only is None:
        _check_checkpoints(sources, engines[0], args.task)
    units = _units(args, overrides, engines, sources)
    folder = output_folder(args.output_dir, Path("logs/evaluations").absolute() / args.task)
    path = folder / "results.json"
    known = _earlier(path)
    pending = []
    for unit in units:
        if known.get(unit.key, {}).get("settings") != unit.settings:
            pending.append(unit)
        elif only is None:
            print(f"[INFO] {unit.key}: measured before, in {path}")
    try:
        if only is None and len(pending) > 1:
            _share_out(pending)
        else:
            for unit in pending:
                if only in (None, unit.key):
                    _measure(args, unit, path)
    except KeyboardInterrupt:
        if only is None:
            print(f"interrupted: what is done is kept in {folder}, and the same command goes on", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    if only is None:
        _report(args, units, path)


def _earlier(path: Path) -> dict[str, dict]:
    from himloco_lab.evaluation.results import read_json

    try:
        return read_json(path)
    except ValueError as error:
        raise CliError(f"{error}; move it away or choose another --output_dir", FAILURE) from None


def _share_out(units: list[Unit]) -> None:
    """Measure each in a process of its own: contacts and timers of one leave traces in the next's numbers."""
    for unit in units:
        process = subprocess.Popen([sys.executable, *sys.orig_argv[1:]], env={**os.environ, _ONLY: unit.key})
        try:
            code = process.wait()
        except KeyboardInterrupt:
            _end(process)
            raise
        if code:
            raise SystemExit(code)  # it has said why


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that Ctrl-C has reached as well, or hand the signal on to it."""
    for patience in (3.0, 10.0):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return
        process.send_signal(signal.SIGINT)
    process.kill()
    process.wait()


def _report(args: argparse.Namespace, units: list[Unit], path: Path) -> None:
    """Write and print the tables."""
    from himloco_lab.evaluation.report import markdown, overview, write_html

    results = _earlier(path)
    shown = [results[unit.key] for unit in units]
    path.with_name("report.md").write_text(markdown(shown))
    write_html(shown, path.with_name("report.html"), f"Policies on {args.task}")
    print(overview(shown))
    print(f"[INFO] Wrote results.json, report.md and report.html to {path.parent}")


def _engines(args: argparse.Namespace, overrides: list[str]) -> list[Engine]:
    """Resolve the task's configuration for every engine; refuse one that cannot run here, or is named twice."""
    given = next((token for token in overrides if token.startswith("physics=")), None)
    if args.engine and given:
        raise CliError(f"{given} and --engine {' '.join(args.engine)} both choose engines: leave one of them out")
    engines: list[Engine] = []
    for name in args.engine or [None]:
        extra = [] if name in (None, MUJOCO) else [f"physics={name}"]
        env_cfg, agent_cfg = resolve_configs(args.task, args.agent, [*overrides, *extra], play_mode=True)
        apply_env_overrides(args, env_cfg, apply_device=False)
        apply_device(args, overrides, env_cfg, agent_cfg)
        env_cfg.seed = agent_cfg.seed = args.seed
        check_configs(env_cfg, agent_cfg)
        if name != MUJOCO:
            check_launch(env_cfg, args)  # settles what "physx" is here
            physics = type(env_cfg.sim.physics).__name__
            name = ENGINE_NAMES.get(physics, physics)
        engines.append(Engine(str(name), env_cfg, agent_cfg, (*overrides, *extra)))
    if twice := _find_twice([engine.name for engine in engines]):
        raise CliError(f"--engine {' '.join(args.engine)}: names {twice} twice")
    return engines


def _sources(args: argparse.Namespace, agent_cfg: Any) -> list[Source]:
    """Find the policies, in the order of the command line; refuse two of the same name."""
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
    if twice := _find_twice([source.name for source in sources]):
        raise CliError(f"two policies are called {twice}: rename a folder, or evaluate them one after the other")
    return sources


def _check_checkpoints(sources: list[Source], engine: Engine, task: str) -> None:
    """Refuse a checkpoint that does not fit the task before another policy is measured for an hour."""
    for source in sources:
        if source.is_checkpoint and source.path:
            check_policy(source.path, task, engine.env_cfg, engine.agent_cfg, recorded_agent(source.path))


def _units(args: argparse.Namespace, overrides: list[str], engines: list[Engine], sources: list[Source]) -> list[Unit]:
    """List everything that is to be measured, suite after suite; refuse a suite that an engine does not have."""
    units: list[Unit] = []
    for suite in dict.fromkeys(args.suite):
        if suite in ("robustness", "velocities") and any(engine.name == MUJOCO for engine in engines):
            raise CliError(
                f"the {suite} suite runs in Isaac Lab's engines only: leave mujoco out of --engine, or choose"
                " --suite tracking tour"
            )
        for source in sources:
            for engine in engines:
                job = _job(args, suite, engine.env_cfg)
                if engine.name != MUJOCO:
                    check_num_envs(job.num_robots, engine.env_cfg.sim.device)
                units.append(Unit(source, engine, job, _settings(args, overrides, job, source)))
    return units


def _find_twice(names: Sequence[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)


def _job(args: argparse.Namespace, suite: str, env_cfg: Any) -> Job:
    """Return the job of a suite for the task's robot and ranges."""
    import numpy as np

    from himloco_lab.evaluation import robustness, velocities
    from himloco_lab.evaluation.env_arena import terrain_kinds
    from himloco_lab.evaluation.suites import Job
    from himloco_lab.evaluation.tracking import tracking_commands

    ranges = env_cfg.commands.base_velocity.ranges
    upright = float(ranges.height[1])
    rest = (0.0, 0.0, 0.0, upright)
    limits = np.array([ranges.lin_vel_x, ranges.lin_vel_y, ranges.ang_vel_z]).T
    job = Job(suite, args.seed, args.duration, np.zeros((0, 4)), rest, limits)
    if suite == "tracking":
        try:
            commands = np.tile(tracking_commands(ranges, args.num_commands), (args.robots, 1))
        except ValueError as error:
            raise CliError(f"--num_commands {error}") from None
        return replace(job, commands=commands)
    if suite == "tour":
        if not hasattr(env_cfg.commands, "upper_body"):
            raise CliError(
                f"--suite tour: is for robots with arms, which never rest on it, and that of {args.task} has none;"
                " choose --suite tracking robustness"
            )
        return replace(job, seconds=args.tour_duration, commands=np.tile(rest, (args.runs, 1)))
    if suite == "velocities":
        kinds = terrain_kinds(env_cfg)
        trials = velocities.trials(kinds, args.robots, _groups(args, tuple(velocities.GROUNDS)))
        if not kinds:
            raise CliError(f"--suite velocities: {args.task} has level ground only; name the robot's Rough task")
        commands = velocities.commands_of(trials, upright, args.seed)
        return replace(job, seconds=velocities.SECONDS, commands=commands, trials=trials)
    conditions = _conditions(args, env_cfg)
    return replace(job, commands=robustness.commands_of(conditions, upright), conditions=conditions)


def _conditions(args: argparse.Namespace, env_cfg: Any) -> tuple[Condition, ...]:
    """Return the difficulties that were asked for, each as often as there are robots for it."""
    from himloco_lab.deployment.terrain import LEVELS
    from himloco_lab.evaluation.env_arena import terrain_kinds
    from himloco_lab.evaluation.robustness import GROUPS, conditions

    low, high = getattr(env_cfg.actions.joint_pos, "delay_range", (0, 0))
    has_arms = hasattr(env_cfg.commands, "upper_body")
    found = conditions(range(low, high + 1), has_arms, terrain_kinds(env_cfg), LEVELS)
    groups = _groups(args, GROUPS)
    for group in groups:
        if group in (args.groups or ()) and group not in {one.group for one in found}:
            raise CliError(f"--groups {group}: {args.task} has nothing of that kind; leave it out")
    return tuple(one for one in found if one.group in groups for _ in range(args.robots))


def _groups(args: argparse.Namespace, own: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of a suite's own groups were asked for, all where none was; refuse one that no suite has."""
    from himloco_lab.evaluation.robustness import GROUPS
    from himloco_lab.evaluation.velocities import GROUNDS

    known = {"robustness": GROUPS, "velocities": tuple(GROUNDS)}
    asked = [group for suite in dict.fromkeys(args.suite) for group in known.get(suite, ())]
    for group in args.groups or ():
        if group not in asked:
            raise CliError(f"--groups {group}: {suggestion(group, asked)}")
    return tuple(group for group in own if group in (args.groups or ())) or own


def _settings(args: argparse.Namespace, overrides: list[str], job: Job, source: Source) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "task": args.task,
        "robots": job.num_robots,
        "seconds": job.seconds,
        "seed": args.seed,
        "overrides": overrides,
        "sha256": digest(source.path) if source.path else None,
    }
    if args.history != OLDEST_FIRST:
        settings["history"] = args.history
    if job.suite == "tracking":
        settings["commands"] = job.num_robots // args.robots
    if job.suite in ("robustness", "velocities"):
        settings["groups"] = args.groups
    return settings


def _measure(args: argparse.Namespace, unit: Unit, path: Path) -> None:
    """Measure, and add what was found to the results."""
    from himloco_lab.evaluation.results import outcome, write_json

    suite, engine = unit.job.suite, unit.engine.name
    with Progress(disable=not sys.stdout.isatty()) as bar:
        found = (_measure_in_mujoco if engine == MUJOCO else _measure_in_env)(args, unit, path.parent, bar)
    entry = {"suite": suite, "policy": unit.source.name, "engine": engine, "settings": unit.settings}
    write_json({**_earlier(path), unit.key: {**entry, **found}}, path)
    print(f"[INFO] {unit.key}: {outcome(suite, found)}")


def _measure_in_env(args: argparse.Namespace, unit: Unit, _: Path, bar: Progress) -> dict[str, Any]:
    """Build the task under nominal conditions, do the job with all robots at once, and return what was found."""
    from himloco_lab.evaluation.suites import measure_in_env, prepare_env

    env_cfg, agent_cfg, source = unit.engine.env_cfg, unit.engine.agent_cfg, unit.source
    prepare_env(env_cfg, unit.job)
    check_launch(env_cfg, args)
    set_hydra_args(list(unit.engine.overrides))

    from isaaclab.app import launch_simulation

    recorded = recorded_agent(source.path) if source.is_checkpoint and source.path else {}
    _check_checkpoints([source], unit.engine, args.task)
    with launch_simulation(env_cfg, args), contextlib.ExitStack() as cleanup:
        vec_env = open_env(args.task, env_cfg, agent_cfg, recorded, cleanup)
        named = source.path or source.name
        policy = open_any(vec_env, args.task, agent_cfg, named, source.is_checkpoint, args.seed, args.history)

        from himloco_lab.evaluation.env_arena import EnvArena

        arena = EnvArena(vec_env, policy, velocity_estimate(vec_env, policy, agent_cfg))
        task = bar.add_task(unit.key, total=unit.job.num_steps(arena.dt))
        return measure_in_env(arena, unit.job, lambda: bar.advance(task))


def _measure_in_mujoco(args: argparse.Namespace, unit: Unit, folder: Path, bar: Progress) -> dict[str, Any]:
    """Do the job on level ground, with all cores, and return what was found; a checkpoint is exported first.

    The folder takes exports, and what is done when the command is interrupted.
    """
    os.environ.setdefault("MUJOCO_GL", "disable")  # nothing is drawn, so a broken backend need not matter
    from himloco_lab.evaluation.mujoco_arena import find_mujoco_policy, measure
    from himloco_lab.evaluation.suites import result_of

    source = unit.source
    path = _exported(args, source, folder) if source.is_checkpoint else source.path
    try:
        newest_first = args.history == NEWEST_FIRST and not source.is_checkpoint
        policy = find_mujoco_policy(source.name, path, str(unit.engine.env_cfg.scene.robot.spawn.robot), newest_first)
        task = bar.add_task(unit.key, total=unit.job.num_robots)
        return result_of(measure(policy, unit.job, _kept(unit, folder), lambda robots: bar.advance(task, robots)))
    except ManifestError as error:
        raise CliError(str(error), FAILURE) from None
    except OSError as error:
        raise CliError(f"cannot write to {folder}: {error.strerror}; choose --output_dir", FAILURE) from None


def _kept(unit: Unit, folder: Path) -> Path:
    """Return the folder of what a unit has done so far; another policy, job or version has another one."""
    whole = json.dumps([RECORDING, unit.key, unit.settings, importlib.metadata.version("himloco_lab")], sort_keys=True)
    return folder / "unfinished" / hashlib.sha256(whole.encode()).hexdigest()[:12]


def _exported(args: argparse.Namespace, source: Source, folder: Path) -> Path:
    """Return the ONNX file of a checkpoint, made now or by an earlier evaluation."""
    assert source.path is not None, "A checkpoint has a file."
    path = folder / "exported" / digest(source.path)[:12] / "policy.onnx"
    if not path.is_file():
        flags = ["--task", args.task, "--agent", args.agent, "--checkpoint", str(source.path), "--device", "cpu"]
        command = [sys.executable, "-c", _EXPORT, *flags, "--output_dir", str(path.parent)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("error:")]
            raise CliError(said[-1].removeprefix("error: ") if said else done.stderr[-300:], FAILURE)
    return path
