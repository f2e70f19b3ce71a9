# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The reward terms of HIMLoco that HOMIE has not (facts 4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import ManagerTermBase, RewardTermCfg, SceneEntityCfg

from ..terrain_height import terrain_height_at
from .feet_state import base_axes, body_positions

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


class base_height_above_ground_l2(ManagerTermBase):
    """Penalise a base that is not at its height above the ground around it, (mean(z - h) - target)² [m²].

    The mean is over a grid that turns with the heading, so that on stairs it changes smoothly.
    """

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        size = cast("tuple[float, float]", cfg.params["size"])
        resolution = cast("float", cfg.params["resolution"])
        x, y = (torch.arange(-extent / 2, extent / 2 + 1e-9, resolution, device=env.device) for extent in size)
        self._points = torch.cartesian_prod(x, y)  # [P, 2]

    def __call__(
        self,
        env: ManagerBasedRLEnv,
        target: float,
        size: tuple[float, float],
        resolution: float,
        asset_cfg: SceneEntityCfg = SceneEntityCfg("robot"),
    ) -> torch.Tensor:
        """Return the penalty.

        Args:
            env: The environment.
            target: Height of the base above the ground [m].
            size: Extent of the grid along and across the heading [m].
            resolution: Spacing of its points [m].
            asset_cfg: The robot.

        Returns:
            Shape ``[N]``.
        """
        data = env.scene[asset_cfg.name].data
        root = data.root_pos_w.torch
        ahead = base_axes(env, asset_cfg.name)[:, :2, 0]  # the x axis in the world, seen from above
        ahead = ahead / ahead.norm(dim=1, keepdim=True).clamp(min=1e-6)
        left = torch.stack([-ahead[:, 1], ahead[:, 0]], dim=1)
        axes = torch.stack([ahead, left], dim=1)  # [N, 2, 2], in rows
        points = root[:, None, :2] + self._points @ axes  # [N, P, 2]
        height = root[:, 2] - terrain_height_at(env, points).mean(dim=1)
        return (height - target).square()


def swing_height_in_base(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, target: float) -> torch.Tensor:
    """Penalise feet that move at another height than the swing's, seen from the base: Σ (p_z - target)² |v_xy|.

    Args:
        env: The environment.
        asset_cfg: The feet.
        target: Height of a swinging foot in the frame of the base, negative below it [m].

    Returns:
        Penalty [m³/s], shape ``[N]``. Position and velocity are relative to the base and in its frame.
    """
    data = env.scene[asset_cfg.name].data
    axes = base_axes(env, asset_cfg.name)
    across = body_positions(env, asset_cfg) - data.root_pos_w.torch.unsqueeze(1)
    # of the foot's own frame: the body's centre of mass is half-way up the calf
    moving = data.body_link_lin_vel_w.torch[:, asset_cfg.body_ids] - data.root_lin_vel_w.torch.unsqueeze(1)
    height = torch.bmm(across, axes[:, :, 2:]).squeeze(-1)
    speed = torch.linalg.vector_norm(torch.bmm(moving, axes[:, :, :2]), dim=-1)
    return ((height - target).square() * speed).sum(dim=1)


def joint_power_l1(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg = SceneEntityCfg("robot")) -> torch.Tensor:
    """Penalise motor power, Σ |τ| |q̇| [W]. Shape ``[N]``."""
    asset = env.scene[asset_cfg.name]
    joint_ids = asset_cfg.joint_ids
    return (asset.data.joint_vel.torch[:, joint_ids] * asset.actuators.applied_effort.torch[:, joint_ids]).abs().sum(1)
