# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Uneven ground as plain numbers. MuJoCo is not imported here: it reads ``MUJOCO_GL`` when it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class HeightField:
    """Ground whose height is given on a regular grid centered at the origin."""

    heights: np.ndarray
    """[m], shape ``[X, Y]``; at least 2 x 2."""

    cell: float
    """Spacing of the grid [m]."""

    def __post_init__(self) -> None:
        """Check the shape.

        Raises:
            ValueError: If there is no grid to speak of, or it is not finite.
        """
        if self.heights.ndim != 2 or min(self.heights.shape) < 2 or not self.cell > 0.0:
            raise ValueError(
                f"A height field needs heights of shape [X, Y] with X, Y >= 2 and a positive cell [m], got shape"
                f" {list(self.heights.shape)} and cell {self.cell}."
            )
        if not np.isfinite(self.heights).all():
            raise ValueError("A height field needs finite heights [m].")

    @property
    def half_extent(self) -> tuple[float, float]:
        """Distance from the center to the edges along x and y [m]."""
        return 0.5 * self.cell * (self.heights.shape[0] - 1), 0.5 * self.cell * (self.heights.shape[1] - 1)

    def height_at(self, points: np.ndarray) -> np.ndarray:
        """Return the height of the ground under points: of the surface that MuJoCo's contacts and rays meet.

        A cell is two triangles there, split from its corner at low x and y to that at high x and y. Bilinear heights
        would be off by up to a quarter of what the cell is twisted by. Points are world x and y [m], shape
        ``[..., 2]``; beyond the edges they take the height of the nearest one. The result is world z [m], ``[...]``.
        """
        last = np.array(self.heights.shape) - 1
        place = np.clip(points / self.cell + 0.5 * last, 0.0, last)  # [..., 2], in cells from the first corner
        corner = np.minimum(place.astype(int), last - 1)
        i, j = corner[..., 0], corner[..., 1]
        u, v = (place - corner)[..., 0], (place - corner)[..., 1]
        low, high = self.heights[i, j], self.heights[i + 1, j + 1]
        side = np.where(u > v, self.heights[i + 1, j], self.heights[i, j + 1])  # the triangle's third corner
        return low + np.maximum(u, v) * (side - low) + np.minimum(u, v) * (high - side)
