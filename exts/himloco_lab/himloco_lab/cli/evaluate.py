# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/evaluate.py``: how well policies follow commands."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isaaclab_rl.entrypoints.common import apply_env_overrides, set_hydra_args
from rich.progress import Progress

from himloco_lab.cli.arguments import evaluate_parser, parse
from himloco_lab.cli.checks import check_configs, check_launch
from himloco_lab.cli.errors import FAILURE, CliError, run_command
from himloco_lab.cli.loading import open_any, open_env, policy_file
from himloco_lab.cli.machine import apply_device, check_num_envs
from himloco_lab.cli.overrides import resolve_configs
from himloco_lab.cli.registry import find_task
from himloco_lab.cli.runs import find_checkpoint, log_root

_ONLY = "HIMLOCO_EVALUATE_ONLY"
"""Tells a process which policy of the command line is its own."""


def main(argv: list[str] | None = None) -> int:
    """Evaluate as *argv* says, and return the exit code."""
    return run_command(_evaluate, argv)


def _evaluate(argv: list[str]) -> None:
    args, overrides = parse(evaluate_parser(), argv)
    args.task, args.overrides = find_task(args.task, args.agent).id, overrides
    env_cfg, agent_cfg = resolve_configs(args.task, args.agent, overrides, play_mode=True)
    apply_env_overrides(args, env_cfg, apply_device=False)
    apply_device(args, overrides, env_cfg, agent_cfg)

    from himloco_lab.evaluation.commands import tracking_commands

    ranges = env_cfg.commands.base_velocity.ranges
    try:
        commands = tracking_commands(ranges, args.num_commands)
    except ValueError as error:
        raise CliError(f"--num_commands {error}") from None
    rest = (0.0, 0.0, 0.0, ranges.height[1])
    env_cfg.scene.num_envs = len(commands) * args.robots
    check_num_envs(env_cfg.scene.num_envs, env_cfg.sim.device)
    env_cfg.seed = agent_cfg.seed = args.seed
    env_cfg.episode_length_s = max(env_cfg.episode_length_s, 2.0 * args.duration + 10.0)
    check_configs(env_cfg, agent_cfg)
    check_launch(env_cfg, args)
    set_hydra_args(overrides)
    sources = _sources(args, agent_cfg)
    folder = _folder(args)
    path = folder / "tracking.json"
    settings = {source.name: _settings(args, env_cfg, source) for source in sources}
    pending = [source for source in sources if not _is_measured(path, source, settings)]
    only = os.environ.get(_ONLY)
    if only is None and len(pending) > 1:
        _share_out(pending)
    else:
        chosen = pending if only is None else [source for source in pending if source.name == only]
        _measure_here(args, env_cfg, agent_cfg, commands, rest, chosen, settings, path)
    if only is None:
        _report(args, sources, path, settings)


def _is_measured(path: Path, source: Source, settings: dict[str, dict[str, Any]]) -> bool:
    """Whether an earlier evaluation, with the same settings, has left this policy's results."""
    known = _earlier(path).get(source.name, {}).get("settings") == settings[source.name]
    if known and _ONLY not in os.environ:
        print(f"[INFO] {source.name}: measured before, in {path}")
    return known


def _earlier(path: Path) -> dict[str, dict[str, Any]]:
    from himloco_lab.evaluation.report import read_json

    try:
        return read_json(path)
    except ValueError as error:
        raise CliError(f"{error}; move it away or choose another --output_dir", FAILURE) from None


def _settings(args: argparse.Namespace, env_cfg: Any, source: Source) -> dict[str, Any]:
    """Return what decides the numbers, beside the code."""
    return {
        "task": args.task,
        "physics": type(env_cfg.sim.physics).__name__.removesuffix("Cfg"),
        "commands": args.num_commands,
        "robots": args.robots,
        "seconds": args.duration,
        "seed": args.seed,
        "overrides": args.overrides,
        "sha256": hashlib.sha256(source.path.read_bytes()).hexdigest() if source.path else None,
    }


def _share_out(sources: list[Source]) -> None:
    """Measure each policy in a process of its own: contacts and timers of one leave traces in the next's numbers."""
    for source in sources:
        done = subprocess.run([sys.executable, *sys.orig_argv[1:]], env={**os.environ, _ONLY: source.name})
        if done.returncode:
            raise SystemExit(done.returncode)  # it has said why


def _measure_here(
    args: argparse.Namespace,
    env_cfg: Any,
    agent_cfg: Any,
    commands: list[Any],
    rest: Any,
    sources: list[Source],
    settings: dict[str, dict[str, Any]],
    path: Path,
) -> None:
    """Measure the policy, if it is still to be measured, and add it to the results."""
    if not sources:
        return
    (source,) = sources

    from isaaclab.app import launch_simulation

    with launch_simulation(env_cfg, args), contextlib.ExitStack() as cleanup:
        vec_env = open_env(args.task, env_cfg, agent_cfg, {}, cleanup)
        named = source.path or source.name
        policy = open_any(vec_env, args.task, agent_cfg, named, source.is_checkpoint, args.seed)

        from himloco_lab.evaluation.metrics import summarise
        from himloco_lab.evaluation.recorder import STANDING, EnvRecorder
        from himloco_lab.evaluation.report import write_json

        recorder = EnvRecorder(vec_env, commands, rest)
        with Progress(disable=not sys.stdout.isatty()) as bar:
            task = bar.add_task(source.name, total=round((STANDING + args.duration) / vec_env.unwrapped.step_dt))
            recording = recorder.record(policy, args.duration, args.seed, lambda: bar.advance(task))
        rows = summarise(recording)
        write_json({**_earlier(path), source.name: {"settings": settings[source.name], "rows": rows}}, path)
        print(f"[INFO] {source.name}: {sum(row['falls'] for row in rows)} of {len(recording.command)} robots fell")


def _report(args: argparse.Namespace, sources: list[Source], path: Path, settings: dict[str, dict[str, Any]]) -> None:
    """Write and print the tables."""
    from himloco_lab.evaluation.report import markdown, write_html

    results = _earlier(path)
    shown = {source.name: results[source.name] for source in sources}
    physics = settings[sources[0].name]["physics"]
    path.with_suffix(".md").write_text(markdown(shown))
    write_html(shown, path.with_suffix(".html"), f"Tracking on {args.task}, {physics}")
    print(markdown(shown).split("\n\n")[0])
    print(f"[INFO] Wrote tracking.json, tracking.md and tracking.html to {path.parent}")


@dataclass(frozen=True)
class Source:
    """A policy to evaluate."""

    name: str
    """What the report calls it."""
    path: Path | None
    """Its file; None for a built-in one."""
    is_checkpoint: bool


def _sources(args: argparse.Namespace, agent_cfg: Any) -> list[Source]:
    """Return what is to be evaluated, in the order of the command line."""
    sources: list[Source] = []
    root = log_root(agent_cfg.experiment_name)
    for selector in args.checkpoint or ([] if args.policy else ["latest"]):
        path = find_checkpoint(selector, root, task=args.task, agent_entry=args.agent)
        sources.append(Source(f"{path.parent.name}/{path.name}", path, is_checkpoint=True))
    for name in args.policy or ():
        path = policy_file(name)
        label = name if path is None else f"{path.absolute().parent.name}/{path.name}"
        sources.append(Source(label, path, is_checkpoint=False))
    names = [source.name for source in sources]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CliError(f"two policies are called {twice}: rename a folder, or evaluate them one after the other")
    return sources


def _folder(args: argparse.Namespace) -> Path:
    folder = Path(args.output_dir).absolute() if args.output_dir else Path("logs/evaluations").absolute() / args.task
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(f"cannot write to {folder}: {error.strerror}; choose --output_dir", FAILURE) from None
    return folder
