# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The suites as jobs that any engine can do, for all robots or for some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from himloco_lab.robots.policy_layout import HEIGHT

from .arena import Arena
from .results import replacing
from .tour import HELD, PHYSICS_DT, TourRecording, falls_after_punches, make_plan, run_tour, summarize_tour, tour_series
from .tracking import STANDING, Recording, record, summarize, tracking_series

if TYPE_CHECKING:
    from .env_arena import EnvArena
    from .robustness import Condition
    from .velocities import Trial


@dataclass(frozen=True)
class Job:
    """What is to be measured, the same for all policies and engines."""

    suite: str
    """``tracking``, ``robustness``, ``velocities`` or ``tour``."""
    seed: int
    seconds: float
    """Under the command, or of the tour [s]."""
    commands: np.ndarray
    """What each robot is asked for, shape ``[R, 4]``; the tour looks at its number only."""
    rest: tuple[float, float, float, float]
    """The command to stand."""
    limits: np.ndarray
    """Least and largest vx, vy, yaw rate that training draws, shape ``[2, 3]``."""
    conditions: tuple[Condition, ...] = ()
    """What is difficult for each robot, in the robustness suite."""
    trials: tuple[Trial, ...] = ()
    """What each robot is put through, in the velocities suite."""

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
    arena: Arena, job: Job, robots: Sequence[int], on_step: Callable[[], None] = lambda: None
) -> Recording | TourRecording:
    """Do a job of the suites ``tracking`` and ``tour``; *robots* are the arena's, by their numbers in the whole job."""
    if job.suite == "tour":
        plan = make_plan(robots, job.seed, len(arena.links))
        return run_tour(arena, plan, job.limits, job.rest[HEIGHT], job.seed, job.seconds, on_step)
    commands = job.commands[list(robots)]
    return record(arena, commands, np.array(job.rest), job.seconds, job.seed, on_step=on_step)


def save(recording: Recording | TourRecording, path: Path) -> None:
    """Write a recording, whole or not at all."""
    with replacing(path) as beside:
        np.savez(beside, kind=type(recording).__name__, **vars(recording))


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
        return {"summary": summarize_tour(recording), "punches": rows, "series": tour_series(recording)}
    return {"rows": summarize(recording), "series": tracking_series(recording)}


def prepare_env(env_cfg: Any, job: Job) -> None:
    """Change a task's configuration into what a job needs: its robots, nominal conditions, its kinds of ground."""
    from .env_arena import make_nominal, spread_terrain

    env_cfg.scene.num_envs = job.num_robots
    make_nominal(env_cfg, job.num_steps(1.0), job.physics_dt)
    if job.trials:  # three columns: who runs stays on its kind of ground
        spread_terrain(env_cfg, columns=3, exact=True, kinds={one.kind for one in job.trials})
    elif any(one.group == "terrain" for one in job.conditions):
        spread_terrain(env_cfg)


def measure_in_env(arena: EnvArena, job: Job, on_step: Callable[[], None]) -> dict[str, Any]:
    """Do a job of any suite in a task made by :func:`prepare_env`, and return what the report needs."""
    from .robustness import measure_robustness
    from .velocities import measure_velocities

    if job.suite == "robustness":
        return measure_robustness(arena, job, on_step)
    if job.suite == "velocities":
        return measure_velocities(arena, job, on_step)
    return result_of(run_job(arena, job, range(job.num_robots), on_step))
