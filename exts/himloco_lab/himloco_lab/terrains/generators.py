# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terrain generators of the tasks: the mix of HIMLoco (facts 4.9), and flat ground."""

import isaaclab.terrains as terrain_gen
from isaaclab.terrains import TerrainGeneratorCfg

from .sub_terrains_cfg import RoughPyramidSlopeTerrainCfg, SlabTerrainCfg

ROUGH_TERRAINS_CFG = TerrainGeneratorCfg(
    size=(8.0, 8.0),
    border_width=20.0,
    num_rows=10,
    num_cols=20,
    horizontal_scale=0.1,
    vertical_scale=0.005,
    slope_threshold=0.75,
    use_cache=False,
    curriculum=True,
    sub_terrains={
        # slope 0.4 d: half of it up, half down
        "smooth_slope": terrain_gen.HfPyramidSlopedTerrainCfg(
            proportion=0.05, slope_range=(0.0, 0.4), platform_width=2.0, border_width=0.25
        ),
        "smooth_slope_inv": terrain_gen.HfInvertedPyramidSlopedTerrainCfg(
            proportion=0.05, slope_range=(0.0, 0.4), platform_width=2.0, border_width=0.25
        ),
        "rough_slope": RoughPyramidSlopeTerrainCfg(proportion=0.1, border_width=0.25),
        "rough_slope_inv": RoughPyramidSlopeTerrainCfg(proportion=0.1, border_width=0.25, inverted=True),
        # step height 0.05 + 0.18 d, 0.30 m wide
        "stairs_down": terrain_gen.MeshPyramidStairsTerrainCfg(
            proportion=0.3, step_height_range=(0.05, 0.23), step_width=0.3, platform_width=3.0, border_width=1.0
        ),
        "stairs_up": terrain_gen.MeshInvertedPyramidStairsTerrainCfg(
            proportion=0.3, step_height_range=(0.05, 0.23), step_width=0.3, platform_width=3.0, border_width=1.0
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
    size=(8.0, 8.0),
    border_width=20.0,
    num_rows=10,
    num_cols=20,
    use_cache=False,
    curriculum=False,
    sub_terrains={"flat": SlabTerrainCfg(proportion=1.0)},
)
"""Flat ground with the same grid of origins as the rough terrain."""
