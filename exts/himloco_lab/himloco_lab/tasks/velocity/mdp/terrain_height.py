# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Height of the ground, for terms that the reference measures against z = 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

    from himloco_lab.terrains.height_map import HeightMapTerrainImporter


def terrain_height_at(env: ManagerBasedRLEnv, points_w: torch.Tensor) -> torch.Tensor:
    """Return the world z of the ground under points.

    Args:
        env: The environment; its terrain must be a
            :class:`~himloco_lab.terrains.height_map.HeightMapTerrainImporter`.
        points_w: Points in the world frame [m], shape ``[N, P, 2]`` or ``[N, P, 3]``.

    Returns:
        Ground heights [m], shape ``[N, P]``.
    """
    return cast("HeightMapTerrainImporter", env.scene.terrain).height_at(points_w)
