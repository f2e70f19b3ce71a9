# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module tells a type checker nothing about itself)

"""The piece of an Isaac Lab terrain around a robot, as MuJoCo can draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np
import torch

from himloco_lab.robots.mjcf_builder import GROUND, HeightField, replace_ground

if TYPE_CHECKING:
    from himloco_lab.terrains.height_map import HeightMapTerrainImporter

REACH = 6
"""Distance from the middle of the piece to its edges [m]."""
CELL = 0.05
"""Spacing of the heights that are drawn [m], that of the terrain's own samples."""
SLACK = 2.0
"""Distance from the middle at which the piece moves on with the robot [m]."""


class GroundWindow:
    """Ground that goes along with a robot: all of a terrain, 160 m long, would be millions of triangles."""

    def __init__(self, terrain: HeightMapTerrainImporter) -> None:
        """Look around the origin.

        Args:
            terrain: Knows the heights.
        """
        self._terrain = terrain
        axis = torch.arange(-REACH, REACH + 0.5 * CELL, CELL, device=terrain.device)
        self._grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)  # [X, Y, 2]
        self._middle = np.zeros(2)

    def field(self) -> HeightField | None:
        """Return the heights around the middle; None for level ground."""
        if self._terrain.level is not None:
            return None
        middle = torch.as_tensor(self._middle, dtype=torch.float, device=self._grid.device)
        return HeightField(self._terrain.height_at(self._grid + middle).cpu().numpy().astype(float), CELL)

    def height_at(self, position: np.ndarray) -> float:
        """Return the height of the ground below a position [m], shape ``[3]``."""
        point = torch.as_tensor(position[None, :2], dtype=torch.float, device=self._grid.device)
        return float(self._terrain.height_at(point)[0])

    def follow(self, position: np.ndarray, model: mujoco.MjModel) -> bool:
        """Move on if the robot comes near the edge.

        Args:
            position: Of the robot [m], shape ``[3]``.
            model: Built with :meth:`field`; its ground is changed.

        Returns:
            Whether the ground has changed.
        """
        if self._terrain.level is not None or np.abs(position[:2] - self._middle).max() <= SLACK:
            return False
        self._middle = np.round(position[:2])  # at whole metres the pattern on the ground stays where it is
        field = self.field()
        assert field is not None
        replace_ground(model, field)
        model.geom(GROUND).pos[:2] = self._middle
        return True
