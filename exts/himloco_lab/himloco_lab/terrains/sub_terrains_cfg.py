# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Configurations of the sub-terrains that Isaac Lab does not have."""

from isaaclab.terrains import HfTerrainBaseCfg, SubTerrainBaseCfg
from isaaclab.utils import configclass


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

    slope_range: tuple[float, float] = (0.0, 0.4)
    """Slope at difficulty 0 and 1 [m/m]; the sign follows :attr:`inverted`."""

    roughness_range: tuple[float, float] = (0.01, 0.08)
    """Half-width of the uniform bumps at difficulty 0 and 1 [m]."""

    bump_spacing: float = 0.2
    """Distance between independent bumps [m]."""

    platform_width: float = 2.0
    """Width of the level square in the middle [m]."""

    inverted: bool = False
    """Whether the pyramid points down."""
