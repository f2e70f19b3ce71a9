# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The robustness suite: what a policy stands, one difficulty at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from himloco_lab.tasks.velocity.mdp.commands.upper_body_command import sample_amplitude

from .arena import Array, Push
from .env_arena import EnvArena, apply, place
from .tracking import STANDING, Recording, mean_and_ci95, per_robot, record, share_with_interval

if TYPE_CHECKING:
    from .suites import Job

IMPULSES = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0)
"""On the base, while it stands [N s]; spread over :data:`IMPULSE_TIME`."""
IMPULSE_TIME = 0.1
"""[s]"""
DIRECTIONS = tuple(
    "forward, forward left, left, backward left, backward, backward right, right, forward right".split(", ")
)
"""In which the robot is pushed, in turns of 45 degrees."""
PAYLOADS = (0.0, 2.5, 5.0, 7.5, 10.0, 15.0)
"""On the trunk [kg]; training draws up to 10."""
FRICTIONS = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
"""Coulomb coefficient of all contacts with the ground; in training it is at least 0.55."""
ARM_RATIOS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Curriculum ratio of the arms' targets, drawn anew each second."""
WALK = 0.5
"""Commanded forward speed wherever the robot does not stand [m/s]."""
GROUPS = ("impulse", "payload", "friction", "delay", "arms", "terrain")


@dataclass(frozen=True)
class Condition:
    """One difficulty of one size."""

    group: str
    """One of :data:`GROUPS`."""
    kind: str
    """Direction of an impulse, or kind of terrain; else empty."""
    size: float
    """Impulse [N s], payload [kg], friction, delay [physics steps], ratio, or terrain level."""
    column: int = -1
    """Column of the terrain, where that is the difficulty."""


def conditions(delays: Sequence[int], has_arms: bool, terrain: Sequence[str], levels: int) -> list[Condition]:
    """Return all difficulties that a task knows.

    Args:
        delays: Physics steps by which its actions may act late.
        has_arms: Whether it has joints that do not belong to the policy.
        terrain: Kinds of ground, one for each column; none on flat ground.
        levels: Rows of the terrain.
    """
    found = [Condition("impulse", kind, size) for kind in DIRECTIONS for size in IMPULSES]
    found += [Condition("payload", "", size) for size in PAYLOADS]
    found += [Condition("friction", "", size) for size in FRICTIONS]
    found += [Condition("delay", "", float(size)) for size in delays]
    found += [Condition("arms", "", size) for size in ARM_RATIOS if has_arms]
    for column, kind in enumerate(terrain):
        found += [Condition("terrain", kind, float(level), column) for level in range(levels)]
    return found


def commands_of(chosen: Sequence[Condition], height: float) -> Array:
    """Return what each robot is asked for, shape ``[R, 4]``: to stand under impulses, to walk under all else."""
    return np.array([(0.0 if one.group == "impulse" else WALK, 0.0, 0.0, height) for one in chosen])


def impulses(chosen: Sequence[Condition], dt: float) -> Callable[[int], Push | None]:
    """Return the forces of every step for :func:`.tracking.record`: they begin with the command."""
    angle = np.array([np.pi / 4 * DIRECTIONS.index(one.kind) if one.group == "impulse" else 0.0 for one in chosen])
    size = np.array([one.size if one.group == "impulse" else 0.0 for one in chosen]) / IMPULSE_TIME
    force = np.stack([size * np.cos(angle), size * np.sin(angle), 0.0 * size], axis=1)
    first, steps = round(STANDING / dt), round(IMPULSE_TIME / dt)
    root = np.zeros(len(chosen), dtype=int)

    def push(step: int) -> Push | None:
        return Push(root, force) if first <= step < first + steps else None

    return push


class RestlessArms:
    """Targets of the arms as training draws them, each robot at the ratio of its condition."""

    def __init__(self, arena: EnvArena, chosen: Sequence[Condition], seed: int) -> None:
        """Start in the default pose; robots of other groups keep their arms still."""
        self._generator = torch.Generator().manual_seed(seed)
        self._ratios = [one.size if one.group == "arms" else None for one in chosen]
        self._limits, self._default = arena.arm_limits, arena.arm_default
        self._every = round(1.0 / arena.dt)
        self._now = np.tile(self._default, (len(chosen), 1))
        self._target = self._now.copy()

    def __call__(self, step: int) -> Array:
        """Return the targets of this step [rad], shape ``[R, A]``."""
        left = self._every - step % self._every
        if left == self._every:
            for robot, ratio in enumerate(self._ratios):
                uniform = torch.rand(3, len(self._default), generator=self._generator)
                if ratio is not None:
                    share = (sample_amplitude(ratio, uniform[0]) * uniform[1]).numpy()
                    bound = np.where(uniform[2].numpy() < 0.5, self._limits[:, 1], self._limits[:, 0])
                    self._target[robot] = self._default + share * (bound - self._default)
        self._now = self._now + (self._target - self._now) / left
        return self._now


def summarize_robustness(recording: Recording, chosen: Sequence[Condition]) -> list[dict[str, Any]]:
    """Return one row for each condition: share that survived with its 95 % interval (Wilson), and error of vx."""
    errors = per_robot(recording)["error_vx"]
    rows = []
    for one in dict.fromkeys(chosen):
        mine = np.array([other == one for other in chosen])
        alive = recording.alive[-1, mine]
        error, _ = mean_and_ci95(errors[mine])
        rows.append(
            {
                "group": one.group,
                "kind": one.kind,
                "size": one.size,
                "robots": int(mine.sum()),
                **share_with_interval("survived", alive),
                "error_vx": None if one.group == "impulse" else error,
            }
        )
    return rows


def largest_survived(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return, for each direction, the largest impulse [N s] that at least half of the robots survived.

    A larger one that happens to be survived after a smaller one was not does not count; 0 where none was.
    """
    found: dict[str, float] = {}
    for kind in dict.fromkeys(row["kind"] for row in rows if row["group"] == "impulse"):
        mine = sorted((row["size"], row["survived"]) for row in rows if row["kind"] == kind)
        found[kind] = 0.0
        for size, survived in mine:
            if survived < 0.5:
                break
            found[kind] = size
    return found


def measure_robustness(arena: EnvArena, job: Job, on_step: Callable[[], None]) -> dict[str, Any]:
    """Make it difficult for each robot in its way, and return who stood."""
    chosen = job.conditions

    def sizes(group: str, otherwise: float = 0.0) -> np.ndarray | None:
        if not any(one.group == group for one in chosen):
            return None
        return np.array([one.size if one.group == group else otherwise for one in chosen])

    levels, delay = sizes("terrain"), sizes("delay")
    if levels is not None:
        place(arena.env, levels.astype(int), np.array([max(one.column, 0) for one in chosen]))
    changes = {"payload": sizes("payload"), "friction": sizes("friction", 1.0)}
    changes["delay"] = None if delay is None else delay.astype(int)
    trunk = arena.env.cfg.terminations.base_contact.params["sensor_cfg"].body_names
    recording = record(
        arena,
        job.commands,
        np.array(job.rest),
        job.seconds,
        job.seed,
        arms=RestlessArms(arena, chosen, job.seed) if any(one.group == "arms" for one in chosen) else lambda _: None,
        push=impulses(chosen, arena.dt),
        after_reset=lambda: apply(arena.env, trunk, **changes),
        on_step=on_step,
    )
    rows = summarize_robustness(recording, chosen)
    return {"rows": rows, "largest": largest_survived(rows)}
