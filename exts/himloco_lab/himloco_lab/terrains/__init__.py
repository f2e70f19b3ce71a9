# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terrains: generator configurations, sub-terrains Isaac Lab lacks, and a height map for terrain-relative terms."""

from .generators import FLAT_TERRAINS_CFG, ROUGH_TERRAINS_CFG

__all__ = ["FLAT_TERRAINS_CFG", "ROUGH_TERRAINS_CFG"]
