# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Uneven ground for the MuJoCo robot, without Isaac Lab's terrain generators; its numbers are the training's, too.

Slopes and stairs run in squares around a level start, down and up again in turns: the cross-section of one of the
training's tiles after the other.
"""

from __future__ import annotations

import numpy as np

from himloco_lab.robots.height_field import HeightField

KINDS = ("flat", "slope", "rough", "stairs")
"""Grounds of :func:`make_ground`."""

LEVELS = 10
"""Rows of the training's terrain; each draws its difficulty from a tenth of the whole range."""

SLOPE = (0.0, 0.4)
"""Rise per run [m/m] at difficulty 0 and 1."""

ROUGHNESS = (0.01, 0.08)
"""Half-width of the bumps [m] at difficulty 0 and 1."""

STEP_HEIGHT = (0.05, 0.23)
"""Height of a stair's step [m] at difficulty 0 and 1."""

CELL = 0.2
"""Distance between independent bumps [m], as on the training's rough slopes."""

PLATFORM = 0.8
"""Half-width of the level square in the middle of the bumps [m]: a robot starts on even ground."""

STEP_WIDTH = 0.3
"""Width of a stair's step [m]."""

TILE = 8.0
"""Edge of a tile of the training [m], and so the distance from one top to the next."""

_SLOPE_CELL = 0.125  # [m]
_SLOPE_ENDS = (1.0, 3.75)  # distances from the middle of a tile between which a slope runs [m]
_STAIR_CELL = 0.05  # [m]: what a step's edge is wide, for a height field has no upright face
_FIRST_EDGE, _STEPS = 1.2, 7  # from the middle of a tile to the first edge [m]; steps of a side
_EDGE_POINTS = 1001  # most grid points along an edge: a million cells take MuJoCo and a viewer long enough


def make_ground(kind: str, level: int = 0, seed: int = 0, reach: float = 20.0) -> HeightField | None:
    """Return ground as difficult as the training's in one of its rows; None where it is flat.

    Args:
        kind: One of :data:`KINDS`.
        level: Row of the training's terrain, from 0; the middle of the difficulties that it draws from is taken.
        seed: The same seed gives the same bumps.
        reach: Distance from the start to the edges [m]; less where a million cells do not go so far.

    Raises:
        ValueError: If there is no such kind or level.
    """
    if kind not in KINDS or not 0 <= level < LEVELS:
        raise ValueError(f"Ground {kind!r} of level {level}: must be one of {KINDS}, of level 0 to {LEVELS - 1}.")
    difficulty = (level + 0.5) / LEVELS

    def value(ends: tuple[float, float]) -> float:
        return ends[0] + difficulty * (ends[1] - ends[0])

    if kind == "slope":
        return slopes(value(SLOPE), reach)
    if kind == "rough":
        return rough_ground(seed, value(ROUGHNESS), reach, slope=value(SLOPE))
    return stairs(value(STEP_HEIGHT), reach) if kind == "stairs" else None


def rough_ground(seed: int, roughness: float = 0.03, reach: float = 20.0, *, slope: float = 0.0) -> HeightField:
    """Return ground with uniform bumps, straight between them.

    Args:
        seed: The same seed gives the same ground.
        roughness: Half-width of the bumps [m]; training has 0.01 to 0.08.
        reach: Distance from the middle to the edges [m].
        slope: Rise per run of slopes below the bumps [m/m]; level when 0.
    """
    distance = _distance(CELL, reach)
    bumps = np.random.default_rng(seed).uniform(-roughness, roughness, distance.shape)
    bumps[distance <= PLATFORM] = 0.0
    return HeightField(_sloping(distance, slope) + bumps, CELL)


def slopes(slope: float, reach: float = 20.0) -> HeightField:
    """Return slopes, as steep along x as along y.

    Args:
        slope: Rise per run [m/m].
        reach: Distance from the middle to the edges [m].
    """
    return HeightField(_sloping(_distance(_SLOPE_CELL, reach), slope), _SLOPE_CELL)


def stairs(step_height: float, reach: float = 20.0) -> HeightField:
    """Return stairs of seven steps down and seven up, 0.3 m wide as in training.

    Args:
        step_height: [m]
        reach: Distance from the middle to the edges [m].
    """
    edges = _FIRST_EDGE + STEP_WIDTH * np.arange(_STEPS)
    feet = np.stack([edges, edges + _STAIR_CELL], axis=1).reshape(-1)  # where each edge begins to fall, and ends
    falls = -step_height * np.stack([np.arange(_STEPS), np.arange(1, _STEPS + 1)], axis=1).reshape(-1)
    return HeightField(np.interp(_from_top(_distance(_STAIR_CELL, reach)), feet, falls), _STAIR_CELL)


def _sloping(distance: np.ndarray, slope: float) -> np.ndarray:
    """Return heights [m] for distances from the start [m], both of shape ``[X, Y]``."""
    start, end = _SLOPE_ENDS
    return np.interp(_from_top(distance), (start, end), (0.0, -slope * (end - start)))


def _from_top(distance: np.ndarray) -> np.ndarray:
    """Return distances from the nearest top [m] for those from the start: there is a top at every tile's middle."""
    return np.abs((distance + 0.5 * TILE) % TILE - 0.5 * TILE)


def _distance(cell: float, reach: float) -> np.ndarray:
    """Return how far the points of a grid lie from its middle [m], along x or y, whichever is farther; ``[X, Y]``."""
    cells = min(round(reach / cell), _EDGE_POINTS // 2)
    along = np.abs(np.arange(-cells, cells + 1)) * cell
    return np.maximum(along[:, None], along[None, :])
