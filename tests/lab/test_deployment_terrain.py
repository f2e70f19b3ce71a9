# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""MuJoCo's ground against the meshes that the training's generator makes of the same kind and row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from isaaclab.utils import clone

from himloco_lab.deployment.terrain import KINDS, LEVELS, make_ground
from himloco_lab.terrains import ROUGH_TERRAINS_CFG


def _mesh(name: str, difficulty: float, **changed: Any) -> np.ndarray:
    """Vertices of a tile of the training [m], its middle at x = y = 0; shape ``[V, 3]``."""
    import trimesh

    cfg = clone(ROUGH_TERRAINS_CFG.sub_terrains[name])
    cfg.size = ROUGH_TERRAINS_CFG.size
    for key, value in changed.items():
        setattr(cfg, key, value)
    # as the generator does for every kind
    for key in ("horizontal_scale", "vertical_scale", "slope_threshold"):
        if hasattr(cfg, key):
            setattr(cfg, key, getattr(ROUGH_TERRAINS_CFG, key))
    meshes, _ = cfg.function(difficulty, cfg)
    whole = trimesh.util.concatenate(meshes)
    assert isinstance(whole, trimesh.Trimesh)
    return np.asarray(whole.vertices) - [4.0, 4.0, 0.0]


def _row(level: int) -> tuple[float, float]:
    """Difficulties between which the generator draws in a row."""
    low, high = ROUGH_TERRAINS_CFG.difficulty_range
    rows = ROUGH_TERRAINS_CFG.num_rows
    return low + (high - low) * level / rows, low + (high - low) * (level + 1) / rows


def _heights(kind: str, level: int, reach: float = 12.0, seed: int = 0) -> tuple[np.ndarray, float]:
    ground = make_ground(kind, level, seed, reach)
    assert ground is not None
    return ground.heights, ground.cell


def test_there_are_as_many_levels_as_rows() -> None:
    assert ROUGH_TERRAINS_CFG.num_rows == LEVELS


@pytest.mark.parametrize("level", [0, 3, 9])
def test_stairs_have_the_rows_steps(level: int) -> None:
    """Height of a step between those of the row's ends, and the edges where the training's are."""

    def step(vertices: np.ndarray) -> float:
        highest = np.unique(vertices[:, 2].round(6))[-2:]
        return float(highest[1] - highest[0])

    heights, cell = _heights("stairs", level)
    levels = np.unique(heights.round(6))
    mine = float(np.diff(levels).mean())
    low, high = (step(_mesh("stairs_down", difficulty)) for difficulty in _row(level))
    assert mine == pytest.approx((low + high) / 2) and low < mine < high
    vertices = _mesh("stairs_down", 0.5)
    assert len(levels) - 1 == round(vertices[:, 2].max() / step(vertices)) == 7
    middle = heights.shape[0] // 2
    along = heights[middle:, middle]
    first_tile = round(4.0 / cell)
    edges = cell * np.flatnonzero(np.diff(along[:first_tile]) < -1e-6)
    theirs = np.unique(np.abs(vertices[:, 0]).round(6))
    assert edges == pytest.approx(theirs[theirs < 3.5])
    # and up again to where it began
    assert along[round(8.0 / cell)] == pytest.approx(0.0)


@pytest.mark.parametrize("level", [0, 3, 9])
def test_slopes_are_as_steep_as_the_rows(level: int) -> None:
    def steepness(vertices: np.ndarray) -> float:
        """Rise per run along the middle line, from the tile's edge on; heights are whole steps of 5 mm."""
        line = vertices[np.abs(vertices[:, 1]) < 1e-6]
        line = line[(line[:, 0] > -3.4) & (line[:, 0] < -2.0)]
        return float(np.polyfit(line[:, 0], line[:, 2], 1)[0])

    heights, cell = _heights("slope", level)
    middle = heights.shape[0] // 2
    mine = np.abs(np.diff(heights[:, middle])).max() / cell
    low, high = (steepness(_mesh("smooth_slope", difficulty)) for difficulty in _row(level))
    assert low < mine < high
    # level, down, level, up, level: as high again at every tile's middle, and never higher
    assert heights[middle + round(8.0 / cell), middle] == pytest.approx(0.0)
    assert heights.max() == 0.0
    # from top to bottom as on the training's rough slopes, whose top is a square, without their bumps
    vertices = _mesh("rough_slope", sum(_row(level)) / 2, roughness_range=(0.0, 0.0))
    assert np.ptp(heights) == pytest.approx(np.ptp(vertices[:, 2]), abs=0.005)  # they are rounded


@pytest.mark.parametrize("level", [0, 3, 9])
def test_rough_ground_has_the_rows_bumps_and_slopes(level: int) -> None:
    np.random.seed(0)  # the terrain functions draw from it
    low, high = (
        float(np.abs(_mesh("rough_slope", difficulty, slope_range=(0.0, 0.0))[:, 2]).max())
        for difficulty in _row(level)
    )
    heights, cell = _heights("rough", level, reach=20.0)
    away = np.abs(np.arange(heights.shape[0]) - heights.shape[0] // 2) * cell
    ring = heights[np.isclose(np.maximum(away[:, None], away[None, :]), 16.0)]  # the same slope below all of it
    assert low - 0.003 < np.ptp(ring) / 2 < high + 0.003  # they are rounded to 5 mm
    smooth = _heights("slope", level, reach=20.0)[0]
    lowest = heights[np.isclose(np.maximum(away[:, None], away[None, :]), 4.0)]
    assert np.mean(lowest) == pytest.approx(smooth.min(), abs=0.01)
    assert (heights == _heights("rough", level, reach=20.0)[0]).all()
    assert (heights != _heights("rough", level, reach=20.0, seed=1)[0]).any()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "flat"])
def test_it_starts_level_and_stays_of_bounded_size(kind: str) -> None:
    for level in range(LEVELS):
        heights, cell = _heights(kind, level, reach=2.0)
        middle, start = heights.shape[0] // 2, round(0.7 / cell)
        assert not heights[middle - start : middle + start + 1, middle - start : middle + start + 1].any()
    ground = make_ground(kind, 5, reach=1e6)
    assert ground is not None
    assert ground.heights.shape == (1001, 1001)
    assert min(ground.half_extent) >= 25.0


def test_flat_ground_and_what_there_is_not() -> None:
    assert make_ground("flat", 3) is None
    for kind, level in (("moon", 0), ("stairs", 10), ("stairs", -1)):
        with pytest.raises(ValueError, match=rf"'{kind}' of level {level}.*stairs"):
            make_ground(kind, level)
