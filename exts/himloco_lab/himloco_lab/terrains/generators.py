# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terrain generators of the tasks: the mix of HIMLoco, and flat ground; and sub-terrains that Isaac Lab lacks."""

import isaaclab.terrains as terrain_gen
from isaaclab.terrains import HfTerrainBaseCfg, SubTerrainBaseCfg, TerrainGeneratorCfg
from isaaclab.utils import configclass

from himloco_lab.deployment.terrain import CELL, LEVELS, ROUGHNESS, SLOPE, STEP_HEIGHT, STEP_WIDTH, TILE


@configclass
class SlabTerrainCfg(SubTerrainBaseCfg):
    """Flat ground with a body: a box whose top is at z = 0.

    A single plane of triangles has no volume, which Newton refuses as a collision mesh.
    """

    function: str = "himloco_lab.terrains.sub_terrains:slab_terrain"

    thickness: float = 0.5
    """Thickness of the slab [m]."""


@configclass
class RoughPyramidSlopeTerrainCfg(HfTerrainBaseCfg):
    """A pyramid slope with bumps on it: HIMLoco's "rough slope"."""

    function: str = "himloco_lab.terrains.sub_terrains:rough_pyramid_slope_terrain"

    slope_range: tuple[float, float] = SLOPE
    """Slope at difficulty 0 and 1 [m/m]; the sign follows :attr:`inverted`."""

    roughness_range: tuple[float, float] = ROUGHNESS
    """Half-width of the uniform bumps at difficulty 0 and 1 [m]."""

    bump_spacing: float = CELL
    """Distance between independent bumps [m]."""

    platform_width: float = 2.0
    """Width of the level square in the middle [m]."""

    inverted: bool = False
    """Whether the pyramid points down."""


ROUGH_TERRAINS_CFG = TerrainGeneratorCfg(
    size=(TILE, TILE),
    border_width=20.0,
    num_rows=LEVELS,
    num_cols=20,
    horizontal_scale=0.1,
    vertical_scale=0.005,
    slope_threshold=0.75,
    use_cache=False,
    curriculum=True,
    sub_terrains={
        # slope 0.4 d: half of it up, half down
        "smooth_slope": terrain_gen.HfPyramidSlopedTerrainCfg(
            proportion=0.05, slope_range=SLOPE, platform_width=2.0, border_width=0.25
        ),
        "smooth_slope_inv": terrain_gen.HfInvertedPyramidSlopedTerrainCfg(
            proportion=0.05, slope_range=SLOPE, platform_width=2.0, border_width=0.25
        ),
        "rough_slope": RoughPyramidSlopeTerrainCfg(proportion=0.1, border_width=0.25),
        "rough_slope_inv": RoughPyramidSlopeTerrainCfg(proportion=0.1, border_width=0.25, inverted=True),
        # step height 0.05 + 0.18 d, 0.30 m wide
        "stairs_down": terrain_gen.MeshPyramidStairsTerrainCfg(
            proportion=0.3, step_height_range=STEP_HEIGHT, step_width=STEP_WIDTH, platform_width=3.0, border_width=1.0
        ),
        "stairs_up": terrain_gen.MeshInvertedPyramidStairsTerrainCfg(
            proportion=0.3, step_height_range=STEP_HEIGHT, step_width=STEP_WIDTH, platform_width=3.0, border_width=1.0
        ),
        # obstacles of 0.05 + 0.1 d
        "discrete_obstacles": terrain_gen.HfDiscreteObstaclesTerrainCfg(
            proportion=0.1,
            obstacle_height_mode="choice",
            obstacle_width_range=(1.0, 2.0),
            obstacle_height_range=(0.05, 0.15),
            num_obstacles=20,
            platform_width=3.0,
            border_width=0.25,
        ),
    },
)
"""10 levels x 20 columns of 8 x 8 m: 10 % slopes, 20 % rough slopes, 30 % stairs down, 30 % stairs up, 10 % obstacles.

The border is 20 m, not HIMLoco's 25 m: a robot that reaches its edge ends the episode as a time-out here.
"""

FLAT_TERRAINS_CFG = TerrainGeneratorCfg(
    size=(TILE, TILE),
    border_width=20.0,
    num_rows=LEVELS,
    num_cols=20,
    use_cache=False,
    curriculum=False,
    sub_terrains={"flat": SlabTerrainCfg(proportion=1.0)},
)
"""Flat ground with the same grid of origins as the rough terrain."""
