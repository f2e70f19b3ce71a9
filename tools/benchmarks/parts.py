# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What each part of the benchmark runs, and the ratios that are made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import subject
from .evaluations import measure_tracking
from .launches import measure_training
from .scaling import measure_scaling
from .spread import ratio
from .worker import run_worker

Runs = dict[str, list[dict[str, Any]]]
"""What every case measured, one dictionary a repeat."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured; the defaults are what ``docs/benchmarks.md`` shows."""

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
    """Case and key."""
    below: tuple[str, str]
    """Case and key."""

    def compute(self, runs: Runs) -> dict[str, float] | None:
        """Median and range over the repeats; None if a number could not be measured."""

        def values(case: str, key: str) -> list[float]:
            return [_lookup(run, key) for run in runs[case]]

        try:
            return ratio(values(*self.above), values(*self.below)).as_dict()
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
            announce: Told what comes next.
        """
        runs: Runs = {case.name: [] for case in self.cases}
        for repeat in range(repeats):
            for case in self.cases:
                announce(f"{case.name} ({repeat + 1} of {repeats})")
                runs[case.name].append(case.measure(repeat))
        ratios = {one.name: one.compute(runs) for one in self.ratios}
        return {"runs": runs, "ratios": {name: value for name, value in ratios.items() if value is not None}}


def make_parts(repository: Path, sizes: Sizes) -> dict[str, Part]:
    """All parts of the benchmark by their name on the command line.

    Args:
        repository: Folder of the repository, whose ``scripts/train.py`` is started.
        sizes: How much to measure.
    """
    return {
        "env": _env(sizes),
        "writes": _writes(sizes),
        "train": _train(repository, sizes),
        "scaling": _scaling(sizes),
        "startup": Part([_startup(repository, sizes)]),
        "learner": _learner(sizes),
        "compile": _compile(sizes),
        "evaluation": _evaluation(repository, sizes),
        "memory": Part([_training(repository, sizes, "rough", subject.ROUGH, sizes.rough_envs, full=False)]),
    }


def _env(sizes: Sizes) -> Part:
    rate, physics = "env_steps_per_s", "physics_steps_per_s"
    return Part(
        [
            _stepping(sizes, "rough", sizes.rough_envs),
            _stepping(sizes, "stock", sizes.rough_envs),
            _stepping(sizes, "flat", sizes.flat_envs),
        ],
        [
            Ratio("Rough / its physics alone", ("rough", rate), ("rough", physics)),
            Ratio("Rough / Isaac Lab's own", ("rough", rate), ("stock", rate)),
            Ratio("Isaac Lab's own / its physics alone", ("stock", rate), ("stock", physics)),
            Ratio("Flat / its physics alone", ("flat", rate), ("flat", physics)),
        ],
    )


def _train(repository: Path, sizes: Sizes) -> Part:
    task, rate, twice = subject.FLAT, "env_steps_per_s", 2 * sizes.flat_envs
    few, many = f"{sizes.flat_envs} robots", f"{twice} robots"
    few_shared, shared = f"{few}, two processes", f"{many}, two processes"
    return Part(
        [
            _training(repository, sizes, few, task, sizes.flat_envs, full=True),
            _training(repository, sizes, few_shared, task, sizes.flat_envs, full=True, processes=2),
            _training(repository, sizes, many, task, twice, full=True),
            _training(repository, sizes, shared, task, twice, full=True, processes=2),
        ],
        [
            Ratio(f"{many} / {few}", (many, rate), (few, rate)),
            Ratio(f"two processes / one, {few}", (few_shared, rate), (few, rate)),
            Ratio(f"two processes / one, {many}", (shared, rate), (many, rate)),
        ],
    )


def _scaling(sizes: Sizes) -> Part:
    many, few = sizes.flat_envs, max(sizes.flat_envs // sizes.scaling_processes, 1)
    names = {envs: f"{envs} robots a process" for envs in (many, few)}

    def case(envs: int) -> Case:
        settings = {"num_envs": envs, "rounds": sizes.scaling_rounds}
        return Case(names[envs], lambda repeat: measure_scaling(sizes.scaling_processes, settings | {"seed": repeat}))

    alone, together = (names[many], "alone_steps_per_s"), "together_steps_per_s"
    return Part(
        [case(many), case(few)],
        [
            Ratio("weak: one of all processes / one alone, as many robots each", (names[many], together), alone),
            Ratio("strong: one of all processes / one alone, the same robots in all", (names[few], together), alone),
        ],
    )


def _evaluation(repository: Path, sizes: Sizes) -> Part:
    tour = {"robots": sizes.tour_robots, "tour_seconds": sizes.tour_seconds}

    def tracking(engine: str) -> Case:
        commands, robots = sizes.tracking_commands, sizes.tracking_robots
        return Case(f"tracking, {engine}", lambda repeat: measure_tracking(repository, engine, commands, robots))

    cases = [Case("tour, mujoco", lambda repeat: run_worker("tour", tour | {"seed": repeat}))]
    return Part([*cases, *(tracking(engine) for engine in ("ovphysx", "mujoco"))])


def _writes(sizes: Sizes) -> Part:
    names = ("engine drives", "newton actuators", "ray caster")
    rate = "env_steps_per_s"
    return Part(
        [_stepping(sizes, name, sizes.rough_envs) for name in ("rough", *names)],
        [Ratio(f"Rough / Rough with {name}", ("rough", rate), (name, rate)) for name in names],
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
    return Case("updates", lambda repeat: run_worker("learner", settings | {"seed": repeat, "compiled": compiled}))


def _update_ratio(above: str, below: str) -> Ratio:
    return Ratio(f"{above} / {below}", ("updates", f"update_ms.{above}"), ("updates", f"update_ms.{below}"))


def _stepping(sizes: Sizes, name: str, num_envs: int) -> Case:
    settings = {
        "case": name,
        "num_envs": num_envs,
        "warm_up": sizes.warm_up,
        "steps": sizes.steps,
        "parts_steps": sizes.parts_steps,
    }
    return Case(name, lambda repeat: run_worker("stepping", settings | {"seed": repeat}))


def _training(
    repository: Path, sizes: Sizes, name: str, task: str, num_envs: int, full: bool, processes: int = 1
) -> Case:
    settings = {
        "processes": processes,
        "task": task,
        "num_envs": num_envs,
        "iterations": sizes.train_iterations if full else sizes.memory_iterations,
        "warm_up": sizes.train_warm_up if full else 0,
        "overrides": sizes.train_overrides,
    }
    return Case(name, lambda repeat: measure_training(repository, settings))


def _startup(repository: Path, sizes: Sizes) -> Case:
    settings = {
        "task": subject.ROUGH,
        "processes": 1,
        "num_envs": None,
        "iterations": 1,
        "warm_up": 0,
        "overrides": sizes.train_overrides,
    }
    return Case("rough", lambda repeat: measure_training(repository, settings))


def _lookup(run: dict[str, Any], key: str) -> float:
    """The value at ``key`` or at ``section.key``."""
    section, _, rest = key.partition(".")
    return run[section][rest] if rest else run[section]
