# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The tracking suite: a grid of commands, what robots did under them, and how well they followed.

The other suites record and reckon with what is here, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from himloco_lab.deployment.manifest import COMMAND_PARTS, VELOCITY_XY
from himloco_lab.robots.policy_layout import VX

from .arena import Arena, Push

if TYPE_CHECKING:
    from .tour import TourRecording

Command = tuple[float, float, float, float]
"""vx, vy [m/s], yaw rate [rad/s], base height [m]."""

MOST_COMMANDS = 64
"""Commands of a grid where nobody says how many."""
STANDING = 2.0
"""Seconds for which the robots stand before the command steps."""
GRAVITY = 9.81
"""[m/s²]"""
SETTLING = 2.0
"""Seconds after the command's step that the tracking errors leave out."""
REACHED = 0.9
"""Share of the step at which a command counts as answered."""
SMOOTHING = 0.2
"""Seconds over which velocities are averaged for response time and overshoot: a step's rhythm is no response."""
LEAST_SPEED = 0.1
"""Speed below which a cost of transport means nothing [m/s]."""
EVERY = 0.1
"""Seconds between two points of a curve."""

_KEPT = ("pose", "power", "contacts", "foot_speed", "actions", "estimate")  # of a state, beside motion and falls


def tracking_commands(ranges: Any, count: int | None = None) -> list[Command]:
    """Return the grid of the tracking suite, within what the task draws from.

    Standing comes first; then eight forward speeds, six sideways, six turning speeds and six heights, each alone, and
    then combinations of forward, sideways and turning speed at the ends and the middle of their ranges.

    Args:
        ranges: ``lin_vel_x``, ``lin_vel_y``, ``ang_vel_z``, ``height``, each (low, high).
        count: How many of them; a ValueError if there are not so many. None takes :data:`MOST_COMMANDS`, or all where
            there are fewer, as with one height for all.
    """
    upright = ranges.height[1]
    bounds = (ranges.lin_vel_x, ranges.lin_vel_y, ranges.ang_vel_z)
    grid: list[Command] = [(0.0, 0.0, 0.0, upright)]
    grid += [(value, 0.0, 0.0, upright) for value in spread(ranges.lin_vel_x, 8)]
    grid += [(0.0, value, 0.0, upright) for value in spread(ranges.lin_vel_y, 6)]
    grid += [(0.0, 0.0, value, upright) for value in spread(ranges.ang_vel_z, 6)]
    grid += [(0.0, 0.0, 0.0, value) for value in spread(ranges.height, 7)[:-1]]
    ends = [(low, 0.0, high) for low, high in bounds]
    vx, vy, yaw = ((low / 2, high / 2) for low, high in bounds)
    combined = [c for c in itertools.product(*ends) if sum(value != 0.0 for value in c) > 1]
    for halves in ((vx, vy, yaw), (vx, vy, (0.0,)), (vx, (0.0,), yaw), ((0.0,), vy, yaw)):
        combined += itertools.product(*halves)
    grid += [(vx, vy, yaw, upright) for vx, vy, yaw in combined]
    unique = list(dict.fromkeys(tuple(round(value, 4) for value in command) for command in grid))
    count = min(MOST_COMMANDS, len(unique)) if count is None else count
    if not 1 <= count <= len(unique):
        raise ValueError(f"{count} commands: the grid has 1 to {len(unique)}")
    return [(vx, vy, yaw, height) for vx, vy, yaw, height in unique[:count]]


def spread(bounds: tuple[float, float], count: int) -> list[float]:
    """Return *count* evenly spaced numbers from the lower to the upper bound."""
    return np.linspace(bounds[0], bounds[1], count).tolist()


@dataclass(frozen=True)
class Recording:
    """Robots under one command each; T steps of R robots. Robots stand at first, and the command steps at ``start``."""

    dt: float
    """Time between two records [s]."""
    start: int
    """First record under the command."""
    mass: float
    """Of one robot [kg]."""
    command: np.ndarray
    """vx, vy, yaw rate, height; shape ``[R, 4]``."""
    rest: np.ndarray
    """What was commanded before ``start``, shape ``[4]``."""
    measured: np.ndarray
    """vx, vy, yaw rate, height; shape ``[T, R, 4]``."""
    alive: np.ndarray
    """Whether the robot has not fallen up to this record, shape ``[T, R]``."""
    power: np.ndarray
    """Σ |torque x joint velocity| [W], shape ``[T, R]``."""
    contacts: np.ndarray
    """Whether each foot carries load, shape ``[T, R, F]``."""
    foot_speed: np.ndarray
    """Horizontal speed of each foot [m/s], shape ``[T, R, F]``."""
    actions: np.ndarray
    """Raw actions, shape ``[T, R, A]``."""
    pose: np.ndarray
    """x, y [m] and yaw [rad] relative to the start, shape ``[T, R, 3]``."""
    estimate: np.ndarray
    """The policy's estimate of its velocity [m/s], NaN without one, shape ``[T, R, 3]``."""

    @property
    def slip(self) -> np.ndarray:
        """Mean horizontal speed of the feet that carry load [m/s], NaN without one, shape ``[T, R]``."""
        count = self.contacts.sum(axis=-1)
        total = (self.foot_speed * self.contacts).sum(axis=-1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def record(
    arena: Arena,
    commands: np.ndarray,
    rest: np.ndarray,
    seconds: float,
    seed: int,
    *,
    arms: Callable[[int], np.ndarray | None] = lambda step: None,
    push: Callable[[int], Push | None] = lambda step: None,
    after_reset: Callable[[], None] = lambda: None,
    on_step: Callable[[], None] = lambda: None,
) -> Recording:
    """Let the robots stand for :data:`STANDING` seconds, then give each its command.

    Args:
        arena: The robots.
        commands: vx, vy [m/s], yaw rate [rad/s], base height [m]; shape ``[R, 4]``.
        rest: What they are asked for at first, shape ``[4]``.
        seconds: Time under the command [s].
        seed: The same seed starts the same robots in the same way.
        arms: Number of the step -> targets of the arms [rad], shape ``[R, A]``.
        push: Number of the step -> forces on the robots.
        after_reset: Called once the robots stand.
        on_step: Called after every step, for a progress bar.
    """
    start, end = round(STANDING / arena.dt), round((STANDING + seconds) / arena.dt)
    kept: list[dict[str, np.ndarray]] = []
    standing = np.tile(rest, (arena.num_robots, 1))
    arena.reset(seed)
    after_reset()
    for step in range(end):
        state = arena.step(standing if step < start else commands, arms(step), push(step))
        kept.append({name: getattr(state, name) for name in _KEPT} | {"measured": state.motion, "alive": ~state.fallen})
        on_step()
    series = {name: np.stack([one[name] for one in kept]) for name in kept[0]}
    return Recording(dt=arena.dt, start=start, mass=arena.mass, command=commands, rest=rest, **series)


def join[R: Recording | TourRecording](recordings: Sequence[R]) -> R:
    """Return one recording of all robots; what is not of single robots (dt, start, mass, rest) must be alike."""
    first = recordings[0]
    of_robots = [name for name, value in vars(first).items() if isinstance(value, np.ndarray) and name != "rest"]
    joined = {
        name: np.concatenate([getattr(one, name) for one in recordings], axis=0 if name == "command" else 1)
        for name in of_robots
    }
    return replace(first, **joined)


def summarize(recording: Recording) -> list[dict[str, Any]]:
    """Return one row for each command, in their order of appearance; several robots may share a command.

    A row holds the command, ``robots``, ``falls``, ``falls_per_hour`` (of robot time before a fall), and for every
    other figure its mean over the robots and, as ``<figure>_ci95``, half the width of its 95 % interval (Student's t).
    A figure that no robot lived to show is None.
    """
    figures = per_robot(recording)
    commands = [tuple(float(value) for value in command) for command in recording.command]
    rows = []
    for command in dict.fromkeys(commands):
        chosen = np.array([other == command for other in commands])
        seconds = float(recording.alive[:, chosen].sum() * recording.dt)
        falls = int((~recording.alive[-1, chosen]).sum())
        row: dict[str, Any] = dict(zip(COMMAND_PARTS, command, strict=True))
        row |= {"robots": int(chosen.sum()), "falls": falls, "falls_per_hour": 3600.0 * falls / max(seconds, 1e-9)}
        for name, values in figures.items():
            row[name], row[f"{name}_ci95"] = mean_and_ci95(values[chosen])
        rows.append(row)
    return rows


def per_robot(recording: Recording) -> dict[str, np.ndarray]:
    """Return every figure for every robot, name -> shape ``[R]``; NaN where a robot did not live to show it.

    ``error_<axis>``: mean |measured - command| from :data:`SETTLING` after the step. ``response_time`` [s]: until the
    axis that steps most has gone :data:`REACHED` of its step. ``overshoot``: how far it goes beyond, as a share of the
    step. ``foot_slip`` [m/s], ``power`` [W], ``cost_of_transport``: P / (m g v), for speeds from :data:`LEAST_SPEED`.
    ``action_rate``: mean |second difference of the action|, of all joints. ``error_estimate``: mean distance of the
    policy's estimate of its horizontal velocity from the measured one [m/s].
    """
    r = recording
    under = np.arange(len(r.measured)) >= r.start
    settled = np.arange(len(r.measured)) >= r.start + round(SETTLING / r.dt)
    errors = np.abs(r.measured - r.command)
    figures = {
        f"error_{part}": masked_mean(errors[..., index], r.alive & settled[:, None])
        for index, part in enumerate(COMMAND_PARTS)
    }
    figures["response_time"], figures["overshoot"] = step_response(r)
    slip = r.slip
    figures["foot_slip"] = masked_mean(slip, r.alive & under[:, None] & ~np.isnan(slip))
    figures["power"] = masked_mean(r.power, r.alive & under[:, None])
    speed = masked_mean(np.linalg.norm(r.measured[..., VELOCITY_XY], axis=-1), r.alive & settled[:, None])
    power = masked_mean(r.power, r.alive & settled[:, None])
    with np.errstate(invalid="ignore"):
        moves = speed >= LEAST_SPEED
    figures["cost_of_transport"] = np.where(moves, power / (r.mass * GRAVITY * np.where(moves, speed, 1.0)), np.nan)
    second = np.abs(np.diff(r.actions, n=2, axis=0)).mean(axis=-1)
    figures["action_rate"] = masked_mean(second, (r.alive & under[:, None])[2:])
    estimated = ~np.isnan(r.estimate).any(axis=-1)
    distance = np.linalg.norm(r.estimate[..., VELOCITY_XY] - r.measured[..., VELOCITY_XY], axis=-1)
    figures["error_estimate"] = masked_mean(distance, r.alive & under[:, None] & estimated)
    return figures


def step_response(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Return response time [s] and overshoot, shape ``[R]`` each, of the axis that steps most in its own unit."""
    r = recording
    window = max(round(SMOOTHING / r.dt), 1)
    times, beyond = np.full(len(r.command), np.nan), np.full(len(r.command), np.nan)
    for robot, step in enumerate(r.command - r.rest):
        axis = int(np.argmax(np.abs(step)))
        lived = int(r.alive[:, robot].sum())
        if step[axis] == 0.0 or lived <= r.start + window:
            continue
        path = r.measured[:lived, robot, axis]
        smooth = np.convolve(path, np.ones(window) / window, mode="valid")  # of this record and those before it
        share = (smooth[r.start - window + 1 :] - r.rest[axis]) / step[axis] if r.start >= window else smooth * np.nan
        reached = np.flatnonzero(share >= REACHED)
        if len(reached):
            times[robot] = (reached[0] + 1) * r.dt
        beyond[robot] = max(float(share.max()) - 1.0, 0.0)
    return times, beyond


def masked_mean(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis where *mask* holds, ``[T, R]`` -> ``[R]``; NaN where it never does."""
    count = mask.sum(axis=0)
    total = np.where(mask, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def mean_and_ci95(values: np.ndarray) -> tuple[float | None, float | None]:
    """Return mean and half the width of the 95 % interval of the mean, without NaN; None where there are too few."""
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return float(values[0]) if len(values) else None, None
    error = float(values.std(ddof=1)) / len(values) ** 0.5
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1)) * error


def tracking_series(recording: Recording) -> dict[str, Any]:
    """Return curves, histograms, survival, and one robot's feet and estimate.

    ``curves``: for the largest command of every axis, alone, commanded value and means over its robots by time;
    ``errors``: counts of measured - commanded in :func:`error_bins` by part, of all robots once they have settled;
    ``alive``: share of robots that stand, by time; ``feet`` and ``estimate``: contacts, and velocity beside its
    estimate, of the first robot under the largest forward command. Times count from the command's step.
    """
    r = recording
    stride = max(round(EVERY / r.dt), 1)
    times = (np.arange(len(r.measured)) - r.start + 1) * r.dt
    alone = np.count_nonzero(r.command - r.rest, axis=1) <= 1
    curves = {}
    for index, axis in enumerate(COMMAND_PARTS):
        steps = np.where(alone, np.abs(r.command[:, index] - r.rest[index]), 0.0)
        if steps.max() == 0.0:
            continue
        chosen = (r.command == r.command[int(np.argmax(steps))]).all(axis=1)
        mean = masked_mean(r.measured[:, chosen, index].T, r.alive[:, chosen].T)
        curves[axis] = {
            "command": float(r.command[chosen][0, index]),
            "time": rounded(times[::stride], 2),
            "measured": rounded(mean[::stride]),
        }
    settled = r.alive & (times > SETTLING)[:, None]
    errors = {}
    for index, axis in enumerate(COMMAND_PARTS):
        error = (r.measured[..., index] - r.command[:, index])[settled]
        edges = error_bins(axis)
        counts, _ = np.histogram(np.clip(error, edges[0], edges[-1]), edges)
        errors[axis] = counts.tolist()
    walker = int(np.argmax(np.where(alone, r.command[:, VX], -np.inf)))
    lived = int(r.alive[:, walker].sum())
    contacts = r.contacts[:lived, walker].T.astype(int).tolist()
    found = {
        "curves": curves,
        "errors": errors,
        "time": rounded(times[::stride], 2),
        "alive": rounded(r.alive.mean(axis=1)[::stride], 3),
        "feet": {"start": round(float(times[0]), 3), "dt": r.dt, "contacts": contacts},
    }
    estimate = r.estimate[:lived:stride, walker]
    if np.isfinite(estimate).any():
        found["estimate"] = {
            "time": rounded(times[:lived:stride], 2),
            "measured": rounded(r.measured[:lived:stride, walker, VELOCITY_XY]),
            "estimated": rounded(estimate[:, VELOCITY_XY]),
        }
    return found


def share_with_interval(name: str, held: np.ndarray) -> dict[str, float]:
    """Return the share of robots for which something held as *name*, and its 95 % interval (Wilson's) beside it."""
    interval = stats.binomtest(int(held.sum()), len(held)).proportion_ci(method="wilson")
    return {name: float(held.mean()), f"{name}_low": float(interval.low), f"{name}_high": float(interval.high)}


def error_bins(part: str) -> np.ndarray:
    """Return the edges of the error histogram of a part of the command, shape ``[49]``."""
    return np.linspace(-0.6, 0.6, 49) * (0.1 if part == "height" else 1.0)


def rounded(values: np.ndarray, digits: int = 4) -> list[Any]:
    """Return nested lists, with None for NaN: JSON has none."""
    plain = np.round(values.astype(float), digits)
    return np.where(np.isnan(plain), np.array(None), plain).tolist()
