# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The suites as jobs that any engine can do, for all robots or for some of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from himloco_lab.robots.policy_layout import HEIGHT

from . import metrics, tour
from .arena import Arena
from .metrics import Recording, summarise
from .recorder import STANDING, record
from .series import tour_series, tracking_series
from .tour import TourRecording, falls_after_punches, run_tour, summarise_tour
from .tour_plan import HELD, PHYSICS_DT, make_plan


@dataclass(frozen=True)
class Job:
    """What is to be measured, the same for all policies and engines."""

    suite: str
    """``tracking``, ``robustness`` or ``tour``."""
    seed: int
    seconds: float
    """Under the command, or of the tour [s]."""
    commands: np.ndarray
    """What each robot is asked for, shape ``[R, 4]``; the tour looks at its number only."""
    rest: tuple[float, float, float, float]
    """The command to stand."""
    limits: np.ndarray
    """Least and largest vx, vy, yaw rate that training draws, shape ``[2, 3]``."""

    @property
    def num_robots(self) -> int:
        """How many robots it takes."""
        return len(self.commands)

    @property
    def physics_dt(self) -> float | None:
        """Physics step that the suite asks for [s]."""
        return PHYSICS_DT if self.suite == "tour" else None

    def num_steps(self, dt: float) -> int:
        """Policy steps of *dt* seconds."""
        return round(((HELD if self.suite == "tour" else STANDING) + self.seconds) / dt)


def run_job(
    arena: Arena, job: Job, robots: Sequence[int], on_step: Callable[[], None] | None = None
) -> Recording | TourRecording:
    """Do a job of the suites ``tracking`` and ``tour``.

    Args:
        arena: As many robots as are named.
        job: What to measure.
        robots: Their numbers in the whole job.
        on_step: Called after every step.
    """
    if job.suite == "tour":
        plan = make_plan(robots, job.seed, len(arena.links))
        return run_tour(arena, plan, job.limits, job.rest[HEIGHT], job.seed, job.seconds, on_step)
    commands = job.commands[list(robots)]
    return record(arena, commands, np.array(job.rest), job.seconds, job.seed, on_step=on_step)


def join(recordings: Sequence[Any]) -> Recording | TourRecording:
    """Return one recording of all robots of a job."""
    return (metrics.join if isinstance(recordings[0], Recording) else tour.join)(recordings)


def save(recording: Recording | TourRecording, path: Path) -> None:
    """Write a recording, whole or not at all."""
    beside = path.with_name(f"{path.stem}.{os.getpid()}.tmp.npz")
    np.savez(beside, kind=type(recording).__name__, **vars(recording))
    os.replace(beside, path)


def load(path: Path) -> Recording | TourRecording:
    """Read what :func:`save` wrote, bit for bit."""
    with np.load(path, allow_pickle=False) as file:
        values = {name: value if value.ndim else value.item() for name, value in file.items()}
    kind = values.pop("kind")
    return {one.__name__: one for one in (Recording, TourRecording)}[kind](**values)


def result_of(recording: Recording | TourRecording) -> dict[str, Any]:
    """Return what the report needs: plain numbers, strings and lists."""
    if isinstance(recording, TourRecording):
        rows = falls_after_punches(recording)
        return {"summary": summarise_tour(recording), "punches": rows, "series": tour_series(recording)}
    return {"rows": summarise(recording), "series": tracking_series(recording)}
