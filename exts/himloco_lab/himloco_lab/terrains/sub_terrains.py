# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Sub-terrains that Isaac Lab does not have, and a terrain whose rows say exactly how difficult they are."""

from __future__ import annotations

import math

import numpy as np
import trimesh
from isaaclab.terrains import SubTerrainBaseCfg, TerrainGenerator
from isaaclab.terrains.height_field.utils import height_field_to_mesh

from .generators import RoughPyramidSlopeTerrainCfg, SlabTerrainCfg


def slab_terrain(difficulty: float, cfg: SlabTerrainCfg) -> tuple[list[trimesh.Trimesh], np.ndarray]:
    """Build a box whose top face is the ground plane z = 0; return it and the terrain's origin [m], shape ``[3]``."""
    width, length = cfg.size
    box = trimesh.creation.box((width, length, cfg.thickness))
    box.apply_translation((width / 2, length / 2, -cfg.thickness / 2))
    return [box], np.array([width / 2, length / 2, 0.0])


@height_field_to_mesh
def rough_pyramid_slope_terrain(difficulty: float, cfg: RoughPyramidSlopeTerrainCfg) -> tuple[np.ndarray, np.ndarray]:
    """Build a square pyramid with a level top and uniform bumps on its slopes.

    HIMLoco draws ``slope = 0.4 d`` and bumps of ``+-(0.01 + 0.07 d)`` at difficulty d. Returns heights in units of the
    vertical scale, shape ``[X, Y]`` (int16), and the origin [m], shape ``[3]``.
    """
    num_x = int(cfg.size[0] / cfg.horizontal_scale)
    num_y = int(cfg.size[1] / cfg.horizontal_scale)
    slope = np.interp(difficulty, (0.0, 1.0), cfg.slope_range) * (-1.0 if cfg.inverted else 1.0)
    roughness = np.interp(difficulty, (0.0, 1.0), cfg.roughness_range)

    # Distance to the nearest edge of the tile [m] grows towards the middle and stops at the platform.
    edge_x = np.minimum(np.arange(num_x), np.arange(num_x)[::-1]) * cfg.horizontal_scale
    edge_y = np.minimum(np.arange(num_y), np.arange(num_y)[::-1]) * cfg.horizontal_scale
    climb = np.minimum(edge_x[:, None], edge_y[None, :])
    top = max((min(cfg.size) - cfg.platform_width) / 2, 0.0)
    heights = slope * np.minimum(climb, top)

    # One bump for every `bump_spacing`; the platform stays level so that a robot starts on even ground.
    repeat = max(1, round(cfg.bump_spacing / cfg.horizontal_scale))
    coarse = np.random.uniform(-roughness, roughness, (num_x // repeat + 1, num_y // repeat + 1))
    bumps = np.kron(coarse, np.ones((repeat, repeat)))[:num_x, :num_y]
    heights += np.where(climb < top, bumps, 0.0)

    origin = np.array([cfg.size[0] / 2, cfg.size[1] / 2, slope * top])
    return np.rint(heights / cfg.vertical_scale).astype(np.int16), origin


class ExactLevelsGenerator(TerrainGenerator):
    """Row k of n has difficulty k / n, as HIMLoco's terrain has; Isaac Lab adds up to another row's."""

    def _get_terrain_mesh(self, difficulty: float, cfg: SubTerrainBaseCfg) -> tuple[trimesh.Trimesh, np.ndarray]:
        rows = self.cfg.num_rows
        return super()._get_terrain_mesh(math.floor(difficulty * rows) / rows, cfg)
