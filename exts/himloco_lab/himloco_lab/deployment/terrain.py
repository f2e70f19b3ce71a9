# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Uneven ground for the MuJoCo robot, without Isaac Lab's terrain generators."""

from __future__ import annotations

import numpy as np

from himloco_lab.assets.mjcf_builder import HeightField

CELL = 0.2
"""Distance between independent bumps [m], as on the training's rough slopes."""

PLATFORM = 0.8
"""Half-width of the level square in the middle [m]: a robot starts on even ground."""


def rough_ground(seed: int, roughness: float = 0.03, reach: float = 20.0) -> HeightField:
    """Return level ground with uniform bumps, straight between them.

    Args:
        seed: The same seed gives the same ground.
        roughness: Half-width of the bumps [m]; training has 0.01 to 0.08.
        reach: Distance from the middle to the edges [m].
    """
    cells = 2 * round(reach / CELL) + 1
    heights = np.random.default_rng(seed).uniform(-roughness, roughness, (cells, cells))
    distance = np.abs(np.arange(cells) - cells // 2) * CELL
    heights[np.maximum(distance[:, None], distance[None, :]) <= PLATFORM] = 0.0
    return HeightField(heights, CELL)
