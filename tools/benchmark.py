# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/benchmark.py``: measures simulation, training, learner and evaluation, and writes docs/log/benchmarks.md."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import subject
from benchmarks.launches import measure_command, measure_training, run_for_json, run_worker
from benchmarks.report import ratio, write_report
from workspace import describe_machine

from himloco_lab.errors import CliError, Parser, run_command, suggestion

FULL_SIZE = {"num_envs": 4096, "num_steps": 100}
"""Rollout whose memory is computed: that of the trainings in the paper Hybrid Internal Model."""

Runs = dict[str, list[dict[str, Any]]]
"""What every case measured, one dictionary a repeat."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured; the defaults are what ``docs/log/benchmarks.md`` shows."""

    rough_envs: int = 256
    flat_envs: int = 128
    warm_up: int = 50
    steps: int = 100
    parts_steps: int = 40
    train_iterations: int = 25
    train_warm_up: int = 5
    memory_iterations: int = 3
    learner_steps: int = 32
    learner_updates: int = 5
    tracking_commands: int = 64
    tracking_robots: int = 4
    tour_robots: int = 4
    tour_seconds: int = 20
    scaling_processes: int = 2
    scaling_rounds: int = 6
    train_overrides: list[str] = field(default_factory=list)
    """Hydra overrides of the trainings; for trying the benchmark out."""


@dataclass(frozen=True)
class Case:
    """One thing that is measured once a repeat."""

    name: str
    """Under which its results are kept."""
    measure: Callable[[int], dict[str, Any]]
    """Takes the number of the repeat and measures."""


@dataclass(frozen=True)
class Ratio:
    """One number over another, both of the same repeat."""

    name: str
    """What it says."""
    above: tuple[str, str]
    """Case and key, ``key`` or ``section.key``."""
    below: tuple[str, str]
    """Case and key."""

    def compute(self, runs: Runs) -> dict[str, float] | None:
        """Median and range over the repeats; None if a number could not be measured."""

        def values(case: str, key: str) -> list[float]:
            section, _, rest = key.partition(".")
            return [run[section][rest] if rest else run[section] for run in runs[case]]

        try:
            return dataclasses.asdict(ratio(values(*self.above), values(*self.below)))
        except KeyError:
            return None


@dataclass(frozen=True)
class Part:
    """Cases that are measured in turn, so that the machine treats them alike."""

    cases: list[Case]
    """What runs, in this order, in every repeat."""
    ratios: list[Ratio] = field(default_factory=list)
    """What is compared."""

    def run(self, repeats: int, announce: Callable[[str], None]) -> dict[str, Any]:
        """Measure everything ``repeats`` times.

        Args:
            repeats: Rounds of all cases.
            announce: Called with what comes next.
        """
        runs: Runs = {case.name: [] for case in self.cases}
        for repeat in range(repeats):
            for case in self.cases:
                announce(f"{case.name} ({repeat + 1} of {repeats})")
                runs[case.name].append(case.measure(repeat))
        ratios = {one.name: one.compute(runs) for one in self.ratios}
        return {"runs": runs, "ratios": {name: value for name, value in ratios.items() if value is not None}}


# --- the parts ---


def make_parts(sizes: Sizes) -> dict[str, Part]:
    """All parts of the benchmark by their name on the command line.

    Args:
        sizes: How much to measure.
    """
    startup = {"task": subject.ROUGH, "num_envs": None, "iterations": 1, "warm_up": 0}
    memory = {**startup, "num_envs": sizes.rough_envs, "iterations": sizes.memory_iterations}
    return {
        "env": _env(sizes),
        "writes": _writes(sizes),
        "train": _train(sizes),
        "scaling": _scaling(sizes),
        "startup": Part([_training("rough", sizes, startup)]),
        "learner": _learner(sizes),
        "compile": _compile(sizes),
        "evaluation": _evaluation(sizes),
        "memory": Part([_training("rough", sizes, memory)]),
    }


def _env(sizes: Sizes) -> Part:
    rate, physics = "env_steps_per_s", "physics_steps_per_s"
    envs = {"rough": sizes.rough_envs, "stock": sizes.rough_envs, "flat": sizes.flat_envs}
    return Part(
        [_stepping(sizes, name, count) for name, count in envs.items()],
        [
            Ratio("Rough / its physics alone", ("rough", rate), ("rough", physics)),
            Ratio("Rough / Isaac Lab's own", ("rough", rate), ("stock", rate)),
            Ratio("Isaac Lab's own / its physics alone", ("stock", rate), ("stock", physics)),
            Ratio("Flat / its physics alone", ("flat", rate), ("flat", physics)),
        ],
    )


def _writes(sizes: Sizes) -> Part:
    names = ("engine drives", "newton actuators", "ray caster")
    rate = "env_steps_per_s"
    return Part(
        [_stepping(sizes, name, sizes.rough_envs) for name in ("rough", *names)],
        [Ratio(f"Rough / Rough with {name}", ("rough", rate), (name, rate)) for name in names],
    )


def _stepping(sizes: Sizes, name: str, num_envs: int) -> Case:
    settings = {
        "case": name,
        "num_envs": num_envs,
        "warm_up": sizes.warm_up,
        "steps": sizes.steps,
        "parts_steps": sizes.parts_steps,
    }
    return Case(name, lambda repeat: run_worker("benchmarks.stepping:measure_stepping", settings | {"seed": repeat}))


def _train(sizes: Sizes) -> Part:
    rate, twice = "env_steps_per_s", 2 * sizes.flat_envs
    few, many = f"{sizes.flat_envs} robots", f"{twice} robots"
    few_shared, shared = f"{few}, two processes", f"{many}, two processes"
    settings = {"task": subject.FLAT, "iterations": sizes.train_iterations, "warm_up": sizes.train_warm_up}
    cases = {few: (sizes.flat_envs, 1), few_shared: (sizes.flat_envs, 2), many: (twice, 1), shared: (twice, 2)}
    return Part(
        [
            _training(name, sizes, {**settings, "num_envs": num_envs, "processes": processes})
            for name, (num_envs, processes) in cases.items()
        ],
        [
            Ratio(f"{many} / {few}", (many, rate), (few, rate)),
            Ratio(f"two processes / one, {few}", (few_shared, rate), (few, rate)),
            Ratio(f"two processes / one, {many}", (shared, rate), (many, rate)),
        ],
    )


def _training(name: str, sizes: Sizes, settings: dict[str, Any]) -> Case:
    settings = {"processes": 1, "overrides": sizes.train_overrides, **settings}
    return Case(name, lambda repeat: measure_training(settings))


def _scaling(sizes: Sizes) -> Part:
    """Processes of one core each, which torchrun starts (:mod:`benchmarks.scaling`)."""
    many, few = sizes.flat_envs, max(sizes.flat_envs // sizes.scaling_processes, 1)
    names = {envs: f"{envs} robots a process" for envs in (many, few)}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(sizes.scaling_processes)]

    def case(envs: int) -> Case:
        def measure(repeat: int) -> dict[str, Any]:
            settings = {"num_envs": envs, "rounds": sizes.scaling_rounds, "seed": repeat}
            return run_for_json([*torchrun, "-m", "benchmarks.scaling", json.dumps(settings)])

        return Case(names[envs], measure)

    alone, together = (names[many], "alone_steps_per_s"), "together_steps_per_s"
    return Part(
        [case(many), case(few)],
        [
            Ratio("weak: one of all processes / one alone, as many robots each", (names[many], together), alone),
            Ratio("strong: one of all processes / one alone, the same robots in all", (names[few], together), alone),
        ],
    )


def _learner(sizes: Sizes) -> Part:
    return Part(
        [_updates(sizes, compiled=False)],
        [
            _update_ratio("HIM", "PPO"),
            _update_ratio("HIM, in turn", "PPO"),
            _update_ratio("HIM, augmented", "PPO, augmented"),
            _update_ratio("HIM, as trained", "PPO, augmented"),
            _update_ratio("HIM, augmented", "HIM"),
            _update_ratio("PPO, augmented", "PPO"),
        ],
    )


def _compile(sizes: Sizes) -> Part:
    names = ("HIM", "HIM, as trained")
    return Part([_updates(sizes, compiled=True)], [_update_ratio(f"{name}, compiled", name) for name in names])


def _updates(sizes: Sizes, compiled: bool) -> Case:
    settings = {"num_envs": sizes.flat_envs, "num_steps": sizes.learner_steps, "updates": sizes.learner_updates}
    settings["compiled"] = compiled
    return Case("updates", lambda repeat: run_worker("benchmarks.learner:measure_learner", settings | {"seed": repeat}))


def _update_ratio(above: str, below: str) -> Ratio:
    return Ratio(f"{above} / {below}", ("updates", f"update_ms.{above}"), ("updates", f"update_ms.{below}"))


def _evaluation(sizes: Sizes) -> Part:
    tour = {"robots": sizes.tour_robots, "tour_seconds": sizes.tour_seconds}
    flags = ["--task", subject.FLAT, "--device", "cpu", "--policy", str(subject.POLICY), "--output_dir", "evaluation"]
    flags += ["--num_commands", str(sizes.tracking_commands), "--robots", str(sizes.tracking_robots)]

    def tracking(engine: str) -> Case:
        arguments = [*flags, "--engine", engine]
        return Case(f"tracking, {engine}", lambda repeat: measure_command("evaluate.py", arguments))

    cases = [Case("tour, mujoco", lambda repeat: run_worker("benchmarks.tour:measure_tour", tour | {"seed": repeat}))]
    return Part([*cases, *(tracking(engine) for engine in ("ovphysx", "mujoco"))])


# --- the command ---


def main(argv: list[str] | None = None) -> int:
    """Benchmark as *argv* (the process's own arguments when None) says, and return the exit code."""
    return run_command(_benchmark, argv)


def parse(argv: list[str]) -> tuple[list[str], argparse.Namespace, Sizes]:
    """Parse the command line.

    Args:
        argv: Arguments after the script's name.

    Returns:
        The parts to measure, the flags (``changed`` holds those that are not at their defaults), and the sizes.

    Raises:
        CliError: If a part is unknown or a number is not positive.
    """
    defaults = Sizes()
    names = list(make_parts(defaults))
    parser = Parser(description="Measure environment, training and learner on this machine.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(names)}; all when none is named.")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/log"), help="Folder of benchmarks.json and benchmarks.md."
    )
    parser.add_argument("--repeats", type=int, default=3, help="Rounds of all cases of a part.")
    sized = [one.name for one in dataclasses.fields(Sizes) if one.name != "train_overrides"]
    for name in sized:
        default = getattr(defaults, name)
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{default} when left out.")
    parser.add_argument("--train_overrides", nargs="+", default=[], help="Hydra overrides of the trainings.")
    args = parser.parse_args(argv)
    for part in args.parts:
        if part not in names:
            raise CliError(f"unknown part {part!r}: {suggestion(part, names)}")
    for name in ("repeats", *sized):
        if getattr(args, name) < 1:
            raise CliError(f"--{name} {getattr(args, name)}: must be at least 1")
    if args.train_iterations <= args.train_warm_up:
        raise CliError(
            f"--train_iterations {args.train_iterations}: must be more than the {args.train_warm_up} warm-up"
        )
    sizes = Sizes(**{one.name: getattr(args, one.name) for one in dataclasses.fields(Sizes)})
    args.changed = {
        name: value for name, value in vars(args).items() if name != "parts" and value != parser.get_default(name)
    }
    return list(dict.fromkeys(args.parts or names)), args, sizes


def command_of(part: str, changed: dict[str, Any]) -> str:
    """The command that measures one part alone.

    Args:
        part: Name of the part.
        changed: Flags that are not at their defaults.
    """
    words = ["./himloco.sh", "-p", "tools/benchmark.py", part]
    for name, value in changed.items():
        words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)


def _benchmark(argv: list[str]) -> None:
    chosen, args, sizes = parse(argv)
    parts = make_parts(sizes)
    for name in chosen:
        result = _measure(name, parts[name], args.repeats)
        result["command"] = command_of(name, args.changed)
        result["sizes"] = dataclasses.asdict(sizes)
        if name == "memory":
            result["storage"] = {**FULL_SIZE, **run_worker("benchmarks.memory:measure_full_size", FULL_SIZE)}
        for path in write_report(args.out, {name: result}):
            print(f"[INFO] {path}", flush=True)


def _measure(name: str, part: Part, repeats: int) -> dict[str, Any]:
    """Run a part and note when, where and beside what load."""
    start, load = time.perf_counter(), _load_average()

    def announce(text: str) -> None:
        print(f"[INFO] {time.perf_counter() - start:5.0f} s  {name}: {text}", file=sys.stdout, flush=True)

    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    result = part.run(repeats, announce)
    seconds = time.perf_counter() - start
    return {
        **{"date": date, "machine": describe_machine(), "load_before": load, "load_after": _load_average()},
        **{"repeats": repeats, "seconds": seconds},
        **result,
    }


def _load_average() -> list[float]:
    """Processes that ran or wanted to, mean over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


if __name__ == "__main__":
    raise SystemExit(main())
