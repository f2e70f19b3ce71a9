# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/benchmark.py``: measures simulation, training, learner and evaluation, and writes docs/log/benchmarks.md."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import FLAT, POLICY, ROUGH
from benchmarks.launches import measure_command, measure_training, run_worker
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


Quantity = tuple[str, str]
"""Case and key of a number, ``key`` or ``section.key``."""


@dataclass(frozen=True)
class Part:
    """Cases that are measured in turn, so that the machine treats them alike."""

    cases: dict[str, Callable[[int], dict[str, Any]]]
    """Name of a case -> takes the number of the repeat and measures."""
    ratios: dict[str, tuple[Quantity, Quantity]] = field(default_factory=dict)
    """What is compared: one number over another, both of the same repeat."""

    def run(self, repeats: int, announce: Callable[[str], None]) -> dict[str, Any]:
        """Measure everything ``repeats`` times, telling *announce* what comes next.

        Returns:
            ``runs``, and ``ratios`` as median and range; one whose numbers could not be measured is left out.
        """
        runs: Runs = {name: [] for name in self.cases}
        for repeat in range(repeats):
            for name, measure in self.cases.items():
                announce(f"{name} ({repeat + 1} of {repeats})")
                runs[name].append(measure(repeat))
        ratios = {}
        for name, (above, below) in self.ratios.items():
            with contextlib.suppress(KeyError):
                ratios[name] = dataclasses.asdict(ratio(_values(runs, *above), _values(runs, *below)))
        return {"runs": runs, "ratios": ratios}


def _values(runs: Runs, case: str, key: str) -> list[float]:
    section, _, rest = key.partition(".")
    return [run[section][rest] if rest else run[section] for run in runs[case]]


# --- the parts ---


def make_parts(sizes: Sizes) -> dict[str, Part]:
    """All parts of the benchmark by their name on the command line."""
    names = ("HIM", "HIM, as trained")
    compiled = [(f"{name}, compiled", name) for name in names]
    update_pairs = [
        ("HIM", "PPO"),
        ("HIM, in turn", "PPO"),
        ("HIM, augmented", "PPO, augmented"),
        ("HIM, as trained", "PPO, augmented"),
        ("HIM, augmented", "HIM"),
        ("PPO, augmented", "PPO"),
    ]
    once = {"task": ROUGH, "iterations": 1, "warm_up": 0}
    memory = once | {"num_envs": sizes.rough_envs, "iterations": sizes.memory_iterations}
    return {
        "env": _env(sizes),
        "writes": _writes(sizes),
        "train": _train(sizes),
        "scaling": _scaling(sizes),
        "startup": Part({"rough": _training(sizes, once)}),
        "learner": _updates(sizes, False, update_pairs),
        "compile": _updates(sizes, True, compiled),
        "evaluation": _evaluation(sizes),
        "memory": Part({"rough": _training(sizes, memory)}),
    }


def _worker(function: str, settings: dict[str, Any]) -> Callable[[int], dict[str, Any]]:
    """A case that calls a function in a process of its own; the number of the repeat is its seed."""
    return lambda repeat: run_worker(function, settings | {"seed": repeat})


def _training(sizes: Sizes, settings: dict[str, Any]) -> Callable[[int], dict[str, Any]]:
    return lambda repeat: measure_training(overrides=sizes.train_overrides, **settings)


def _env(sizes: Sizes) -> Part:
    rate, physics = "env_steps_per_s", "physics_steps_per_s"
    envs = {"rough": sizes.rough_envs, "stock": sizes.rough_envs, "flat": sizes.flat_envs}
    return Part(
        {name: _stepping(sizes, name, count) for name, count in envs.items()},
        {
            "Rough / its physics alone": (("rough", rate), ("rough", physics)),
            "Rough / Isaac Lab's own": (("rough", rate), ("stock", rate)),
            "Isaac Lab's own / its physics alone": (("stock", rate), ("stock", physics)),
            "Flat / its physics alone": (("flat", rate), ("flat", physics)),
        },
    )


def _writes(sizes: Sizes) -> Part:
    names, rate = ("engine drives", "newton actuators", "ray caster"), "env_steps_per_s"
    return Part(
        {name: _stepping(sizes, name, sizes.rough_envs) for name in ("rough", *names)},
        {f"Rough / Rough with {name}": (("rough", rate), (name, rate)) for name in names},
    )


def _stepping(sizes: Sizes, name: str, num_envs: int) -> Callable[[int], dict[str, Any]]:
    lengths = {"warm_up": sizes.warm_up, "steps": sizes.steps, "parts_steps": sizes.parts_steps}
    return _worker("benchmarks.stepping:measure_stepping", {"case": name, "num_envs": num_envs, **lengths})


def _train(sizes: Sizes) -> Part:
    rate, twice = "env_steps_per_s", 2 * sizes.flat_envs
    few, many = f"{sizes.flat_envs} robots", f"{twice} robots"
    few_shared, shared = f"{few}, two processes", f"{many}, two processes"
    settings = {"task": FLAT, "iterations": sizes.train_iterations, "warm_up": sizes.train_warm_up}
    cases = {few: (sizes.flat_envs, 1), few_shared: (sizes.flat_envs, 2), many: (twice, 1), shared: (twice, 2)}
    return Part(
        {
            name: _training(sizes, settings | {"num_envs": num_envs, "processes": processes})
            for name, (num_envs, processes) in cases.items()
        },
        {
            f"{many} / {few}": ((many, rate), (few, rate)),
            f"two processes / one, {few}": ((few_shared, rate), (few, rate)),
            f"two processes / one, {many}": ((shared, rate), (many, rate)),
        },
    )


def _scaling(sizes: Sizes) -> Part:
    """Processes of one core each, which torchrun starts (:mod:`benchmarks.scaling`)."""
    many, few = (
        (f"{envs} robots a process", {"num_envs": envs, "rounds": sizes.scaling_rounds})
        for envs in (sizes.flat_envs, max(sizes.flat_envs // sizes.scaling_processes, 1))
    )
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(sizes.scaling_processes))

    def case(settings: dict[str, Any]) -> Callable[[int], dict[str, Any]]:
        return lambda repeat: run_worker("benchmarks.scaling:measure", settings | {"seed": repeat}, torchrun)

    alone, together = (many[0], "alone_steps_per_s"), "together_steps_per_s"
    return Part(
        {name: case(settings) for name, settings in (many, few)},
        {
            "weak: one of all processes / one alone, as many robots each": ((many[0], together), alone),
            "strong: one of all processes / one alone, the same robots in all": ((few[0], together), alone),
        },
    )


def _updates(sizes: Sizes, compiled: bool, pairs: list[tuple[str, str]]) -> Part:
    settings = {"num_envs": sizes.flat_envs, "num_steps": sizes.learner_steps, "updates": sizes.learner_updates}
    return Part(
        {"updates": _worker("benchmarks.learner:measure_learner", settings | {"compiled": compiled})},
        {
            f"{above} / {below}": (("updates", f"update_ms.{above}"), ("updates", f"update_ms.{below}"))
            for above, below in pairs
        },
    )


def _evaluation(sizes: Sizes) -> Part:
    tour = {"robots": sizes.tour_robots, "tour_seconds": sizes.tour_seconds}
    flags = ["--task", FLAT, "--device", "cpu", "--policy", str(POLICY), "--output_dir", "evaluation"]
    flags += ["--num_commands", str(sizes.tracking_commands), "--robots", str(sizes.tracking_robots)]

    def tracking(engine: str) -> Callable[[int], dict[str, Any]]:
        return lambda repeat: measure_command("evaluate.py", [*flags, "--engine", engine])

    cases = {f"tracking, {engine}": tracking(engine) for engine in ("ovphysx", "mujoco")}
    return Part({"tour, mujoco": _worker("benchmarks.tour:measure_tour", tour), **cases})


# --- the command ---


def main(argv: list[str] | None = None) -> int:
    """Benchmark as *argv* (the process's own arguments when None) says, and return the exit code."""
    return run_command(_benchmark, argv)


def parse(argv: list[str]) -> tuple[list[str], argparse.Namespace, Sizes]:
    """Parse *argv*, the arguments after the script's name.

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
    """The command that measures one part alone, with the flags that are not at their defaults."""
    words = ["./himloco.sh", "-p", "tools/benchmark.py", part]
    for name, value in changed.items():
        words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)


def _benchmark(argv: list[str]) -> None:
    chosen, args, sizes = parse(argv)
    parts = make_parts(sizes)
    for name in chosen:
        start, load_before = time.perf_counter(), _load_average()

        def announce(text: str, name: str = name, start: float = start) -> None:
            print(f"[INFO] {time.perf_counter() - start:5.0f} s  {name}: {text}", flush=True)

        result = {
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": describe_machine(),
            "load_before": load_before,
            "repeats": args.repeats,
            "command": command_of(name, args.changed),
            "sizes": dataclasses.asdict(sizes),
            **parts[name].run(args.repeats, announce),
            "load_after": _load_average(),
            "seconds": time.perf_counter() - start,
        }
        if name == "memory":
            result["storage"] = {**FULL_SIZE, **run_worker("benchmarks.memory:measure_full_size", FULL_SIZE)}
        for path in write_report(args.out, {name: result}):
            print(f"[INFO] {path}", flush=True)


def _load_average() -> list[float]:
    """Processes that ran or wanted to, mean over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


if __name__ == "__main__":
    raise SystemExit(main())
