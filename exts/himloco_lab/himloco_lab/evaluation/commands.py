# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the tracking suite asks for."""

from __future__ import annotations

import itertools
from typing import Any

AXES = ("vx", "vy", "yaw_rate", "height")
"""Names of a command's numbers; [m/s], [m/s], [rad/s], [m]."""

Command = tuple[float, float, float, float]
"""vx, vy, yaw rate, base height."""


MOST = 64
"""Commands of a grid where nobody says how many."""


def tracking_commands(ranges: Any, count: int | None = None) -> list[Command]:
    """Return the grid of the tracking suite, within what the task draws from.

    Standing comes first; then eight forward speeds, six sideways, six turning speeds and six heights, each alone, and
    then combinations of forward, sideways and turning speed at the ends and the middle of their ranges.

    Args:
        ranges: ``lin_vel_x``, ``lin_vel_y``, ``ang_vel_z``, ``height``, each (low, high).
        count: How many of them; None takes :data:`MOST`, or all where there are fewer, as with one height for all.

    Raises:
        ValueError: If there are not so many.
    """
    upright = ranges.height[1]
    bounds = (ranges.lin_vel_x, ranges.lin_vel_y, ranges.ang_vel_z)
    grid: list[Command] = [(0.0, 0.0, 0.0, upright)]
    for axis, steps in ((0, 8), (1, 6), (2, 6)):
        for value in spread(bounds[axis], steps):
            command = [0.0, 0.0, 0.0, upright]
            command[axis] = value
            grid.append((command[0], command[1], command[2], command[3]))
    grid += [(0.0, 0.0, 0.0, value) for value in spread(ranges.height, 7)[:-1]]
    ends = [(low, 0.0, high) for low, high in bounds]
    halves = [(low / 2, high / 2) for low, high in bounds]
    combined = [c for c in itertools.product(*ends) if sum(value != 0.0 for value in c) > 1]
    combined += list(itertools.product(*halves))
    combined += [(*c[:2], 0.0) for c in itertools.product(*halves) if c[2] == halves[2][0]]
    combined += [(c[0], 0.0, c[2]) for c in itertools.product(*halves) if c[1] == halves[1][0]]
    combined += [(0.0, *c[1:]) for c in itertools.product(*halves) if c[0] == halves[0][0]]
    grid += [(vx, vy, yaw, upright) for vx, vy, yaw in combined]
    unique = list(dict.fromkeys(tuple(round(value, 4) for value in command) for command in grid))
    count = min(MOST, len(unique)) if count is None else count
    if not 1 <= count <= len(unique):
        raise ValueError(f"{count} commands: the grid has 1 to {len(unique)}")
    return [(vx, vy, yaw, height) for vx, vy, yaw, height in unique[:count]]


def spread(bounds: tuple[float, float], count: int) -> list[float]:
    """Return *count* evenly spaced numbers from the lower to the upper bound."""
    low, high = bounds
    return [low + (high - low) * index / (count - 1) for index in range(count)]
