# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The tour: twelve waypoints in a minute, a punch on every segment, arms that never rest.

The public description of the task on which policies of a humanoid are ranked gives: 60 s, 12 waypoints, control at 50
Hz, physics at 2 ms; robots held in a shared stance for 3 s and then released; on every segment one punch on a random
joint's link in a random direction for 0.08 s, up to 600 N; arms that walk at random throughout; the share of runs
completed as the score, with position and yaw error, mean survival, energy and vibration. What it leaves open is decided
here, each choice beside its constant, and told in docs/evaluation.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arena import Arena, Array, Push

DURATION = 60.0
"""After the release [s]."""
WAYPOINTS = 12
HELD = 3.0
"""Seconds for which the base and the joints are held in the default pose, while the policy already observes."""
PHYSICS_DT = 0.002
"""[s]"""
PUNCH_TIME = 0.08
"""[s]"""
PUNCH_LIMIT = 600.0
"""[N]; each punch's size is drawn uniformly below it."""
PUNCH_MARGIN = 0.5
"""Seconds at both ends of a segment in which no punch begins."""
STRIDE = (0.5, 1.25)
"""Distance between waypoints [m]: 0.12 to 0.3 m/s on average."""
TURN = np.pi / 3.0
"""Largest change of direction from one segment to the next [rad]; the robot is to look where it goes."""
ARM_REACH = 0.5
"""Share of the way from the default pose to a joint's limit within which the arms walk."""
ARM_SPEED = 0.5
"""Of the arms' walk: standard deviation of a joint's target after one second, as a share of that way."""
POSITION_GAIN, YAW_GAIN = 1.0, 1.0
"""What turns an error into a command [1/s], the same for all policies."""


@dataclass(frozen=True)
class Plan:
    """What R robots are put through; every robot's part depends on the seed and its number only."""

    waypoints: Array
    """x, y [m], yaw [rad], the start first; shape ``[R, W + 1, 3]``."""
    punch_time: Array
    """Begin of each punch after the release [s], shape ``[R, W]``."""
    punch_link: Array
    """Number of the pushed link, among those that joints move, shape ``[R, W]``."""
    punch_force: Array
    """[N], shape ``[R, W, 3]``."""
    seeds: tuple[tuple[int, int], ...]
    """Of each robot's arms."""


def make_plan(robots: Sequence[int], seed: int, num_links: int) -> Plan:
    """Draw what each robot is put through.

    Args:
        robots: Their numbers.
        seed: The same seed, the same plan.
        num_links: How many links can be pushed; the first, the root, has no joint and is left alone.
    """
    segment = DURATION / WAYPOINTS
    paths, times, links, forces = [], [], [], []
    for number in robots:
        draw = np.random.default_rng([seed, number])
        yaw = np.cumsum(draw.uniform(-TURN, TURN, WAYPOINTS))
        stride = draw.uniform(*STRIDE, WAYPOINTS)
        steps = np.stack([stride * np.cos(yaw), stride * np.sin(yaw), np.zeros(WAYPOINTS)], axis=1)
        path = np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
        path[1:, 2] = yaw
        paths.append(path)
        begin = draw.uniform(PUNCH_MARGIN, segment - PUNCH_MARGIN - PUNCH_TIME, WAYPOINTS)
        times.append(segment * np.arange(WAYPOINTS) + begin)
        links.append(draw.integers(1, num_links, WAYPOINTS))
        direction = draw.standard_normal((WAYPOINTS, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        forces.append(direction * draw.uniform(0.0, PUNCH_LIMIT, (WAYPOINTS, 1)))
    seeds = tuple((seed, number) for number in robots)
    return Plan(np.stack(paths), np.stack(times), np.stack(links), np.stack(forces), seeds)


def reference(plan: Plan, time: float) -> tuple[Array, Array]:
    """Return where the robots should be, and how fast they should move, *time* seconds after the release.

    Position and yaw go from waypoint to waypoint in straight lines at constant speed.

    Returns:
        x, y [m], yaw [rad] and their rates, shape ``[R, 3]`` each.
    """
    segment = DURATION / WAYPOINTS
    index = min(max(int(time / segment), 0), WAYPOINTS - 1)
    share = min(max(time / segment - index, 0.0), 1.0)
    begin, end = plan.waypoints[:, index], plan.waypoints[:, index + 1]
    return begin + share * (end - begin), (end - begin) / segment


def follow(pose: Array, target: Array, rate: Array, low: Array, high: Array) -> Array:
    """Return the command that takes robots to a moving target: its rate plus a share of the error.

    Args:
        pose: x, y, yaw of the robots, shape ``[R, 3]``.
        target: Of the target, shape ``[R, 3]``.
        rate: Of the target, in the same frame, shape ``[R, 3]``.
        low: Least vx, vy, yaw rate that training draws, shape ``[3]``.
        high: Largest, shape ``[3]``.

    Returns:
        vx, vy [m/s] in the robot's frame, yaw rate [rad/s]; shape ``[R, 3]``.
    """
    wanted = rate[:, :2] + POSITION_GAIN * (target[:, :2] - pose[:, :2])
    cos, sin = np.cos(pose[:, 2]), np.sin(pose[:, 2])
    turn = rate[:, 2] + YAW_GAIN * wrap(target[:, 2] - pose[:, 2])
    command = np.stack([cos * wanted[:, 0] + sin * wanted[:, 1], cos * wanted[:, 1] - sin * wanted[:, 0], turn], axis=1)
    return np.clip(command, low, high)


def wrap(angle: Array) -> Array:
    """Return the angle in [-pi, pi)."""
    return (angle + np.pi) % (2.0 * np.pi) - np.pi


class ArmWalk:
    """Targets of the arms: a random walk of each joint about its default, thrown back at its bounds."""

    def __init__(self, arena: Arena, plan: Plan) -> None:
        """Start in the default pose.

        Args:
            arena: Tells joints, default pose and limits. A waist is no arm and stays where it is.
            plan: Tells the seeds.
        """
        self._draws = [np.random.default_rng([*seed, 1]) for seed in plan.seeds]
        moves = np.array(["waist" not in name for name in arena.arms], dtype=bool)
        reach = ARM_REACH * (arena.arm_limits - arena.arm_default[:, None])
        self._low, self._high = np.where(moves[:, None], reach, 0.0).T
        self._default = arena.arm_default
        self._step = ARM_SPEED * arena.dt**0.5 * 0.5 * (self._high - self._low)
        self._offset = np.zeros((len(self._draws), len(arena.arms)))

    def __call__(self) -> Array:
        """Return the next targets [rad], shape ``[R, A]``."""
        noise = np.stack([draw.standard_normal(self._offset.shape[1]) for draw in self._draws])
        moved = self._offset + self._step * noise
        moved = np.where(moved > self._high, 2.0 * self._high - moved, moved)
        moved = np.where(moved < self._low, 2.0 * self._low - moved, moved)
        self._offset = np.clip(moved, self._low, self._high)
        return self._default + self._offset


def punch(plan: Plan, time: float) -> Push | None:
    """Return the punches of this moment; None if nobody gets one."""
    robots = np.arange(len(plan.punch_time))
    index = min(int(time / (DURATION / WAYPOINTS)), WAYPOINTS - 1)
    since = time - plan.punch_time[:, index]
    hits = (since >= 0.0) & (since < PUNCH_TIME)
    if not hits.any():
        return None
    return Push(plan.punch_link[robots, index], plan.punch_force[robots, index] * hits[:, None])
