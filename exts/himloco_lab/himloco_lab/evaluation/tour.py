# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Runs the tour and tells how it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy import stats

from himloco_lab.robots.policy_layout import HEIGHT, VELOCITY

from .arena import Arena, Array
from .metrics import masked_mean, mean_and_ci95
from .tour_plan import DURATION, HELD, PUNCH_LIMIT, ArmWalk, Plan, follow, punch, reference, wrap

FORCES = tuple((float(low), low + 100.0) for low in range(0, round(PUNCH_LIMIT), 100))
"""Ranges of force that punches are counted in [N]."""


@dataclass(frozen=True)
class TourRecording:
    """How R robots fared; T steps after the release."""

    dt: float
    alive: Array
    """Whether the robot has not fallen up to this step, shape ``[T, R]``."""
    position_error: Array
    """Distance from the target [m], shape ``[T, R]``."""
    yaw_error: Array
    """[rad], from 0 to pi, shape ``[T, R]``."""
    power: Array
    """Σ |torque x joint velocity| [W], shape ``[T, R]``."""
    acceleration: Array
    """Root mean square over the joints of the change of joint velocity per time [rad/s²], shape ``[T, R]``."""
    punch_time: Array
    """Begin of each punch after the release [s], shape ``[W, R]``."""
    punch_force: Array
    """[N], shape ``[W, R]``."""
    punch_link: Array
    """Name of the punched link, shape ``[W, R]``."""


def run_tour(
    arena: Arena,
    plan: Plan,
    limits: Array,
    height: float,
    seed: int,
    duration: float = DURATION,
    on_step: Callable[[], None] | None = None,
) -> TourRecording:
    """Send the robots on their tour.

    Args:
        arena: The robots, with a physics step of :data:`PHYSICS_DT`.
        plan: What they are put through.
        limits: Least and largest vx, vy, yaw rate that may be commanded, shape ``[2, 3]``.
        height: Commanded throughout [m].
        seed: Of the resets' noise.
        duration: Seconds of the tour; fewer than :data:`DURATION` break it off.
        on_step: Called once a step.
    """
    arms = ArmWalk(arena, plan)
    command = np.zeros((arena.num_robots, 4))
    command[:, HEIGHT] = height
    arena.reset(seed)
    state = None
    for _ in range(round(HELD / arena.dt)):
        arena.step(command, arms())
        arena.hold()
        if on_step is not None:
            on_step()
    pose, joint_vel = np.zeros((arena.num_robots, 3)), None
    kept: dict[str, list[Array]] = {
        name: [] for name in ("alive", "position_error", "yaw_error", "power", "acceleration")
    }
    for step in range(round(duration / arena.dt)):
        if on_step is not None:
            on_step()
        if (
            state is not None and state.fallen.all()
        ):  # nothing after a fall counts, so there is nothing left to simulate
            for values in kept.values():
                values.append(np.zeros_like(values[-1]))
            continue
        target, rate = reference(plan, step * arena.dt)
        command[:, VELOCITY] = follow(pose, target, rate, *limits)
        state = arena.step(command, arms(), punch(plan, step * arena.dt))
        pose = state.pose
        change = np.zeros_like(state.joint_vel) if joint_vel is None else state.joint_vel - joint_vel
        joint_vel = state.joint_vel
        target, _ = reference(plan, (step + 1) * arena.dt)
        kept["alive"].append(~state.fallen)
        kept["position_error"].append(np.linalg.norm(pose[:, :2] - target[:, :2], axis=1))
        kept["yaw_error"].append(np.abs(wrap(pose[:, 2] - target[:, 2])))
        kept["power"].append(state.power)
        kept["acceleration"].append(np.sqrt((change**2).mean(axis=1)) / arena.dt)
    punches = {
        "punch_time": plan.punch_time.T,
        "punch_force": np.linalg.norm(plan.punch_force, axis=-1).T,
        "punch_link": np.array(arena.links)[plan.punch_link].T,
    }
    return TourRecording(arena.dt, **{name: np.stack(values) for name, values in kept.items()}, **punches)


def join(recordings: Sequence[TourRecording]) -> TourRecording:
    """Return one recording of all robots."""
    names = [field.name for field in fields(TourRecording) if field.name != "dt"]
    joined = {name: np.concatenate([getattr(one, name) for one in recordings], axis=1) for name in names}
    return TourRecording(recordings[0].dt, **joined)


def summarise_tour(recording: TourRecording) -> dict[str, Any]:
    """Return the score and the other figures, each with its 95 % interval under ``<figure>_ci95``.

    ``completed``: share of the runs that stood to the end (interval: Wilson's, as ``completed_low``, ``_high``).
    ``position_error`` [m], ``yaw_error`` [deg], ``power`` [W], ``vibration`` [rad/s²]: means over the time before the
    fall, then over runs. ``survival`` [s]: mean time until the fall, the whole duration without one. ``energy`` [J]:
    of a run until its end or its fall.
    """
    r = recording
    lived = r.alive.sum(axis=0)
    completed = r.alive[-1]
    share = stats.binomtest(int(completed.sum()), len(completed)).proportion_ci(method="wilson")
    found: dict[str, Any] = {
        "runs": len(completed),
        "completed": float(completed.mean()),
        "completed_low": float(share.low),
        "completed_high": float(share.high),
    }

    figures = {
        "position_error": masked_mean(r.position_error, r.alive),
        "yaw_error": np.degrees(masked_mean(r.yaw_error, r.alive)),
        "survival": lived * r.dt,
        "power": masked_mean(r.power, r.alive),
        "energy": np.where(r.alive, r.power, 0.0).sum(axis=0) * r.dt,
        "vibration": masked_mean(r.acceleration, r.alive),
    }
    for name, values in figures.items():
        found[name], found[f"{name}_ci95"] = mean_and_ci95(values)
    return found


def falls_after_punches(recording: TourRecording) -> list[dict[str, Any]]:
    """Return how many punches there were, and after how many of them the robot fell before the next one came.

    Only punches at robots that stood count, as far as the tour was run. One row for each range of :data:`FORCES`
    ("0 to 100 N") and for each link, left and right together.
    """
    r = recording
    lived = r.alive.sum(axis=0) * r.dt
    until = np.vstack([r.punch_time[1:], np.full(r.punch_time.shape[1], np.inf)])
    came = r.punch_time < lived
    fell = came & (lived <= until) & ~r.alive[-1]
    limbs = np.char.replace(np.char.replace(r.punch_link.astype(str), "left_", ""), "right_", "")
    kinds = [(f"{low:.0f} to {high:.0f} N", (r.punch_force >= low) & (r.punch_force < high)) for low, high in FORCES]
    kinds += [(limb, limbs == limb) for limb in np.unique(limbs)]
    return [
        {"kind": str(kind), "punches": int((came & those).sum()), "falls": int((fell & those).sum())}
        for kind, those in kinds
    ]
