# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A terrain whose rows say exactly how difficult they are."""

from __future__ import annotations

import math

import numpy as np
import trimesh
from isaaclab.terrains import SubTerrainBaseCfg, TerrainGenerator


class ExactLevelsGenerator(TerrainGenerator):
    """Row k of n has difficulty k / n, as HIMLoco's terrain has (facts 4.9); Isaac Lab adds up to another row's."""

    def _get_terrain_mesh(self, difficulty: float, cfg: SubTerrainBaseCfg) -> tuple[trimesh.Trimesh, np.ndarray]:
        rows = self.cfg.num_rows
        return super()._get_terrain_mesh(math.floor(difficulty * rows) / rows, cfg)
