# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The tiles of the rough terrain against HIMLoco's numbers, read off their meshes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import trimesh
from isaaclab.utils import clone

from himloco_lab.terrains import FLAT_TERRAINS_CFG, ROUGH_TERRAINS_CFG

DIFFICULTIES = (0.0, 0.5, 1.0)


def tile(name: str, difficulty: float, **changed: Any) -> np.ndarray:
    """Vertices of a tile [m], its middle at x = y = 0; shape ``[V, 3]``."""
    cfg = clone(ROUGH_TERRAINS_CFG.sub_terrains[name])
    cfg.size = ROUGH_TERRAINS_CFG.size
    for key in ("horizontal_scale", "vertical_scale", "slope_threshold"):  # as the generator does
        if hasattr(cfg, key):
            setattr(cfg, key, getattr(ROUGH_TERRAINS_CFG, key))
    for key, value in changed.items():
        setattr(cfg, key, value)
    np.random.seed(1)  # the terrain functions draw from it
    whole: Any = trimesh.util.concatenate(cfg.function(difficulty, cfg)[0])
    return np.asarray(whole.vertices) - [4.0, 4.0, 0.0]


def test_the_mix_and_the_grid_are_himlocos() -> None:
    cfg = ROUGH_TERRAINS_CFG
    assert (cfg.num_rows, cfg.num_cols, cfg.size, cfg.curriculum) == (10, 20, (8.0, 8.0), True)
    shares = {name: tile.proportion for name, tile in cfg.sub_terrains.items()}
    assert shares.pop("smooth_slope") + shares.pop("smooth_slope_inv") == pytest.approx(0.1)
    assert shares.pop("rough_slope") + shares.pop("rough_slope_inv") == pytest.approx(0.2)
    assert shares == {"stairs_down": 0.3, "stairs_up": 0.3, "discrete_obstacles": 0.1}


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
@pytest.mark.parametrize(("name", "sign"), [("stairs_down", 1.0), ("stairs_up", -1.0)])
def test_stairs_rise_with_the_difficulty(name: str, sign: float, difficulty: float) -> None:
    vertices = tile(name, difficulty)
    heights = np.unique((sign * vertices[:, 2]).round(6))
    heights = heights[heights >= 0.0]  # without the underside
    np.testing.assert_allclose(np.diff(heights), 0.05 + 0.18 * difficulty, atol=1e-6)
    edges = np.unique(np.abs(vertices[:, 0]).round(6))
    np.testing.assert_allclose(np.diff(edges[(edges > 1.0) & (edges < 3.01)]), 0.3, atol=1e-6)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
@pytest.mark.parametrize(
    ("name", "sign"),
    [("smooth_slope", 1.0), ("smooth_slope_inv", -1.0), ("rough_slope", 1.0), ("rough_slope_inv", -1.0)],
)
def test_slopes_steepen_with_the_difficulty(name: str, sign: float, difficulty: float) -> None:
    changed = {"roughness_range": (0.0, 0.0)} if name.startswith("rough") else {}
    vertices = tile(name, difficulty, **changed)
    line = vertices[(np.abs(vertices[:, 1]) < 1e-6) & (vertices[:, 0] > -3.4) & (vertices[:, 0] < -1.5)]
    assert np.polyfit(line[:, 0], line[:, 2], 1)[0] == pytest.approx(sign * 0.4 * difficulty, abs=0.012)  # 5 mm steps


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_bumps_grow_with_the_difficulty(difficulty: float) -> None:
    heights = tile("rough_slope", difficulty, slope_range=(0.0, 0.0))[:, 2]
    most = 0.01 + 0.07 * difficulty
    assert most - 0.005 <= heights.max() <= most + 0.0025  # heights are whole steps of 5 mm
    assert -most - 0.0025 <= heights.min() <= -most + 0.005


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_obstacles_grow_with_the_difficulty(difficulty: float) -> None:
    heights = tile("discrete_obstacles", difficulty)[:, 2]
    most = 0.05 + 0.1 * difficulty
    assert heights.max() == pytest.approx(most, abs=0.005)
    assert heights.min() == pytest.approx(-most, abs=0.005)


def test_flat_ground_is_level_at_zero() -> None:
    (cfg,) = FLAT_TERRAINS_CFG.sub_terrains.values()
    cfg = clone(cfg)
    cfg.size = (8.0, 8.0)
    (mesh,), origin = cfg.function(0.3, cfg)
    assert mesh.bounds[1, 2] == origin[2] == 0.0
    assert mesh.is_watertight
