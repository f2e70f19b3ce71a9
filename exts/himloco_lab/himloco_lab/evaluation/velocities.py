# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The velocities suite: the table of the HIM paper, so that its numbers and ours stand side by side.

The paper gives kinds of ground, ranges of commands and levels 1 to 4. What it leaves open is decided here, and
:data:`NOTES` says so below a report's table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from himloco_lab.deployment.manifest import VELOCITY_XY
from himloco_lab.robots.policy_layout import YAW_RATE

from .arena import Array
from .env_arena import EnvArena, place
from .tracking import SETTLING, Recording, masked_mean, mean_and_ci95, record

if TYPE_CHECKING:
    from .suites import Job

SECONDS = 4.0
"""Under the command [s]: at 2 m/s a robot gets one tile further, to ground of the same kind."""
LEVELS = (1, 2, 3, 4)
SIDEWAYS = 1.0
"""Largest sideways velocity that is commanded [m/s]."""
NOTES = (
    "HIM's figures are the paper's: one robot, 4096 x 5 trials a row. Those beside them are of this task's robot,"
    " whichever it is, and of as many robots as the table says.",
    "Levels 1 to 4 are taken to be rows 1 to 4 of ten, counted from 0, with HIMLoco's difficulty of row / 10: steps of"
    " 6.8 to 12.2 cm, slopes of 0.04 to 0.16, obstacles of 6 to 9 cm. The paper's text has slopes up to 40 degrees,"
    " tiles of 10 m and steps 20 to 40 cm wide; HIMLoco's, and these, up to 0.4 (22 degrees), 8 m and 30 cm.",
    "The paper says neither how long a command lasts nor from when errors count. Here each robot stands for 2 s, gets"
    f" one command and keeps it for {SECONDS:g} s; settled errors are means from 2 s after it on, those from the"
    " command on are means over all of its time, standing start included.",
    f"Sideways at ±2 no more than ±{SIDEWAYS:g} m/s is asked for, which is what HIMLoco trains.",
    "The linear error is the length of the velocity's error in the plane. The paper gives no yaw error for rows of"
    " linear commands, nor the other way round.",
    "Conditions are nominal: no payload, delay, noise or pushes, friction 1. What the paper's robots were put through"
    " is not said. Nothing after a fall counts here; what counts there is not said either.",
)
"""What is not like for like with the paper; the report says so below the table."""
GROUNDS = {
    "slopes": ("smooth_slope", "smooth_slope_inv"),
    "rough slopes": ("rough_slope", "rough_slope_inv"),
    "stairs": ("stairs_down", "stairs_up"),
    "discrete": ("discrete_obstacles",),
}
"""Ground in the paper's table -> kinds of ground of the tasks."""
PUBLISHED: dict[tuple[str, str, float], tuple[float | None, float | None]] = {
    ("slopes", "lin", 1.0): (0.073, None),
    ("slopes", "lin", 2.0): (0.075, None),
    ("slopes", "ang", 1.0): (None, 0.084),
    ("slopes", "ang", 2.0): (None, 0.124),
    ("slopes", "combined", 1.0): (0.078, 0.047),
    ("slopes", "combined", 2.0): (0.094, 0.067),
    ("rough slopes", "lin", 1.0): (0.086, None),
    ("rough slopes", "lin", 2.0): (0.085, None),
    ("rough slopes", "ang", 1.0): (None, 0.097),
    ("rough slopes", "ang", 2.0): (None, 0.143),
    ("rough slopes", "combined", 1.0): (0.088, 0.054),
    ("rough slopes", "combined", 2.0): (0.103, 0.076),
    ("stairs", "lin", 1.0): (0.147, None),
    ("stairs", "ang", 1.0): (None, 0.087),
    ("stairs", "combined", 1.0): (0.135, 0.096),
    ("discrete", "lin", 1.0): (0.125, None),
    ("discrete", "ang", 1.0): (None, 0.083),
    ("discrete", "combined", 1.0): (0.125, 0.075),
}
"""Ground, what is commanded, half-width of its range [m/s, rad/s] -> HIM's errors in the paper."""


@dataclass(frozen=True)
class Trial:
    """What one robot is put through."""

    ground: str
    """One of :data:`GROUNDS`."""
    test: str
    """``lin``, ``ang`` or ``combined``."""
    size: float
    """Half-width of the commands' range [m/s, rad/s]."""
    kind: str
    """Kind of ground of the task."""
    level: int
    """Row of the terrain."""


def trials(kinds: Sequence[str], robots: int, grounds: Sequence[str] = tuple(GROUNDS)) -> tuple[Trial, ...]:
    """Return as many trials as *robots* for every row of the table, kind of ground of the task, and level.

    *grounds* are some of :data:`GROUNDS`.
    """
    return tuple(
        Trial(ground, test, size, kind, level)
        for ground, test, size in PUBLISHED
        if ground in grounds
        for kind in GROUNDS[ground]
        if kind in kinds
        for level in LEVELS
        for _ in range(robots)
    )


def commands_of(chosen: Sequence[Trial], height: float, seed: int) -> Array:
    """Draw what each robot is asked for, shape ``[R, 4]``."""
    draw = np.random.default_rng(seed).uniform(-1.0, 1.0, (len(chosen), 3))
    size = np.array([one.size for one in chosen])
    moves = np.array([one.test != "ang" for one in chosen])
    turns = np.array([one.test != "lin" for one in chosen])
    vx, yaw = draw[:, 0] * size * moves, draw[:, 2] * size * turns
    vy = draw[:, 1] * np.minimum(size, SIDEWAYS) * moves
    return np.stack([vx, vy, yaw, np.full(len(chosen), height)], axis=1)


def places(chosen: Sequence[Trial], env_cfg: Any) -> tuple[Array, Array]:
    """Return row and column of each robot's tile: of the columns of its kind, as many each, the middle one."""
    generator = env_cfg.scene.terrain.terrain_generator
    kinds = list(generator.sub_terrains)
    columns = generator.num_cols // len(kinds)
    middle = {kind: columns * index + columns // 2 for index, kind in enumerate(kinds)}
    return np.array([one.level for one in chosen]), np.array([middle[one.kind] for one in chosen])


def summarize_velocities(recording: Recording, chosen: Sequence[Trial]) -> list[dict[str, Any]]:
    """Return one row for each row of the table: errors with their 95 % interval, and the published ones.

    ``error_lin`` [m/s] and ``error_ang`` [rad/s] are those of robots that have settled, ``error_lin_all`` and
    ``error_ang_all`` those from the command's step on.
    """
    since = np.arange(len(recording.measured)) - recording.start
    off = recording.measured - recording.command
    lin, ang = np.linalg.norm(off[..., VELOCITY_XY], axis=-1), np.abs(off[..., YAW_RATE])
    errors = {}
    for suffix, first in (("", round(SETTLING / recording.dt)), ("_all", 0)):
        counts = recording.alive & (since >= first)[:, None]
        errors |= {f"error_lin{suffix}": masked_mean(lin, counts), f"error_ang{suffix}": masked_mean(ang, counts)}
    rows = []
    for key, published in PUBLISHED.items():
        mine = np.array([(one.ground, one.test, one.size) == key for one in chosen], dtype=bool)
        if not mine.any():
            continue
        row: dict[str, Any] = dict(zip(("ground", "test", "size"), key, strict=True))
        row |= {"robots": int(mine.sum()), "falls": int((~recording.alive[-1, mine]).sum())}
        for name, values in errors.items():
            row[name], row[f"{name}_ci95"] = mean_and_ci95(values[mine])
        row["published_lin"], row["published_ang"] = published
        rows.append(row)
    return rows


def measure_velocities(arena: EnvArena, job: Job, on_step: Callable[[], None]) -> dict[str, Any]:
    """Let every robot follow its command on its ground, and return the table's rows."""
    place(arena.env, *places(job.trials, arena.env.cfg))
    recording = record(arena, job.commands, np.array(job.rest), job.seconds, job.seed, on_step=on_step)
    return {"rows": summarize_velocities(recording, job.trials)}
