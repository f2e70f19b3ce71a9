# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Observation terms that Isaac Lab does not have, and the height of the ground under points."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import ManagerTermBase, ObservationTermCfg, SceneEntityCfg

from himloco_lab.robots.policy_layout import HEIGHT, VELOCITY

if TYPE_CHECKING:
    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedEnv, ManagerBasedRLEnv

    from himloco_lab.terrains.height_map import HeightMapTerrainImporter


def terrain_height_at(env: ManagerBasedRLEnv, points_w: torch.Tensor) -> torch.Tensor:
    """Return the world z of the ground under points [N, P, 2 or 3] in the world [m], shape ``[N, P]``."""
    return cast("HeightMapTerrainImporter", env.scene.terrain).height_at(points_w)


def velocity_command(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Return the commanded velocity vx, vy [m/s] and yaw rate [rad/s], shape ``[N, 3]``."""
    return env.command_manager.get_command(command_name)[:, VELOCITY]


def height_command(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Return the commanded base height [m], shape ``[N, 1]``."""
    return env.command_manager.get_command(command_name)[:, HEIGHT : HEIGHT + 1]


def external_force(env: ManagerBasedEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Return the force that acts on a body from outside in its own frame [N], shape ``[N, 3]``."""
    asset: Articulation = env.scene[asset_cfg.name]
    return asset.permanent_wrench_composer.out_force_b.torch[:, asset_cfg.body_ids].flatten(1)


class terrain_scan(ManagerTermBase):
    """Height of the base above the ground at points of a grid around it that turns with the heading.

    The same numbers as Isaac Lab's ray caster with ``GridPatternCfg`` and ``ray_alignment="yaw"`` gives, and the same
    order (x runs fastest), taken from the terrain's height map instead of 187 rays a robot. Next to the edge of a
    step the two can differ, by half the map's resolution sideways.
    """

    def __init__(self, cfg: ObservationTermCfg, env: ManagerBasedRLEnv) -> None:
        """Lay out the grid."""
        super().__init__(cfg, env)
        resolution = cast("float", cfg.params["resolution"])
        size = cast("tuple[float, float]", cfg.params["size"])
        x, y = (torch.arange(-extent / 2, extent / 2 + 1e-9, resolution, device=env.device) for extent in size)
        grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
        self._points = torch.stack([grid_x.flatten(), grid_y.flatten()], dim=-1)  # [P, 2]

    def __call__(
        self,
        env: ManagerBasedRLEnv,
        size: tuple[float, float],
        resolution: float,
        offset: float = 0.5,
        asset_name: str = "robot",
    ) -> torch.Tensor:
        """Return z_base - z_ground - offset [m] at a grid of this size and resolution [m], shape ``[N, P]``."""
        asset: Articulation = env.scene[asset_name]
        position = asset.data.root_pos_w.torch
        heading = asset.data.heading_w.torch.unsqueeze(1)
        cos, sin = torch.cos(heading), torch.sin(heading)
        x, y = self._points.unbind(-1)
        points_w = torch.stack([cos * x - sin * y + position[:, :1], sin * x + cos * y + position[:, 1:2]], dim=-1)
        return position[:, 2:] - offset - terrain_height_at(env, points_w)
