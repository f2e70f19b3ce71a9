# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terms about the base and the posture: following the command, its height, and the shape that the body is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import ManagerTermBase, RewardTermCfg, SceneEntityCfg

from himloco_lab.robots.policy_layout import HEIGHT

from ..observations import terrain_height_at
from .quantities import base_axes, body_positions, upright_commanded

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


def track_lin_vel_axis_exp(
    env: ManagerBasedRLEnv,
    axis: int,
    std: float,
    command_name: str,
    asset_cfg: SceneEntityCfg = SceneEntityCfg("robot"),
) -> torch.Tensor:
    """Reward the base velocity along one axis of the body frame: exp(-(v* - v)² / std²).

    ``axis`` is 0 for forward and 1 for left; ``std`` is in m/s. Values in (0, 1], shape ``[N]``.
    """
    velocity = env.scene[asset_cfg.name].data.root_lin_vel_b.torch[:, axis]
    error = env.command_manager.get_command(command_name)[:, axis] - velocity
    return torch.exp(-torch.square(error) / std**2)


def track_base_height_exp(
    env: ManagerBasedRLEnv, command_name: str, feet_cfg: SceneEntityCfg, sharpness: float, offset: float
) -> torch.Tensor:
    """Reward the commanded base height, measured from the lower ankle: exp(-sharpness |z - min z_foot - h* + offset|).

    Measured from a foot it holds on any ground. ``sharpness`` is in 1/m; ``offset`` [m] is by how much the height above
    the ankle frame is below the command. Values in (0, 1], shape ``[N]``.
    """
    root_height = env.scene[feet_cfg.name].data.root_pos_w.torch[:, 2]
    lower_foot = body_positions(env, feet_cfg)[:, :, 2].amin(dim=1)
    error = root_height - lower_foot - env.command_manager.get_command(command_name)[:, HEIGHT] + offset
    return torch.exp(-sharpness * error.abs())


def upright_lin_vel_z_l2(
    env: ManagerBasedRLEnv,
    command_name: str,
    min_height: float,
    asset_cfg: SceneEntityCfg = SceneEntityCfg("robot"),
) -> torch.Tensor:
    """Penalize vertical base velocity v_z² [m²/s²], except while a squat is commanded. Shape ``[N]``."""
    velocity = env.scene[asset_cfg.name].data.root_lin_vel_b.torch[:, 2]
    return torch.square(velocity) * upright_commanded(env, command_name, min_height)


class base_height_above_ground_l2(ManagerTermBase):
    """Penalize a base that is not at its height above the ground around it, (mean(z - h) - target)² [m²].

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
        """Return the penalty, shape ``[N]``; target height, extent along and across the heading and spacing in m."""
        data = env.scene[asset_cfg.name].data
        root = data.root_pos_w.torch
        ahead = base_axes(env, asset_cfg.name)[:, :2, 0]  # the x axis in the world, seen from above
        ahead = ahead / ahead.norm(dim=1, keepdim=True).clamp(min=1e-6)
        left = torch.stack([-ahead[:, 1], ahead[:, 0]], dim=1)
        axes = torch.stack([ahead, left], dim=1)  # [N, 2, 2], in rows
        points = root[:, None, :2] + self._points @ axes  # [N, P, 2]
        height = root[:, 2] - terrain_height_at(env, points).mean(dim=1)
        return (height - target).square()


def upright_joint_deviation_l2(
    env: ManagerBasedRLEnv, command_name: str, min_height: float, asset_cfg: SceneEntityCfg
) -> torch.Tensor:
    """Penalize joints away from the default pose, Σ (q - q0)² [rad²], unless a squat is commanded. Shape ``[N]``."""
    data = env.scene[asset_cfg.name].data
    joint_ids = asset_cfg.joint_ids
    deviation = data.joint_pos.torch[:, joint_ids] - data.default_joint_pos.torch[:, joint_ids]
    return deviation.square().sum(dim=1) * upright_commanded(env, command_name, min_height)


class knee_height_deviation(ManagerTermBase):
    """Penalize knees bent the wrong way for the height error: Σ |(q̄ - ½)(z - h*)| (HOMIE's knee reward).

    q̄ is the knee angle as a fraction of its hard limits and z the height of the root above the ground under it.
    """

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        asset_cfg: SceneEntityCfg = cfg.params["asset_cfg"]
        limits = env.scene[asset_cfg.name].data.joint_pos_limits.torch[:, asset_cfg.joint_ids]
        self._lower = limits[..., 0].clone()
        self._range = limits[..., 1] - limits[..., 0]

    def __call__(self, env: ManagerBasedRLEnv, command_name: str, asset_cfg: SceneEntityCfg) -> torch.Tensor:
        """Return the penalty of the knees in ``asset_cfg`` [m], shape ``[N]``."""
        data = env.scene[asset_cfg.name].data
        root = data.root_pos_w.torch
        height = root[:, 2] - terrain_height_at(env, root.unsqueeze(1)).squeeze(1)
        height_error = height - env.command_manager.get_command(command_name)[:, HEIGHT]
        bend = (data.joint_pos.torch[:, asset_cfg.joint_ids] - self._lower) / self._range
        return (bend - 0.5).abs().sum(dim=1) * height_error.abs()


def lateral_distance_band(
    env: ManagerBasedRLEnv,
    command_name: str,
    min_height: float,
    asset_cfg: SceneEntityCfg,
    min_distance: float,
    max_distance: float,
) -> torch.Tensor:
    """Penalize left and right bodies that are too close, and, while upright, too far apart.

    min(D - min_distance, 0) + G min(max_distance - D, 0), where D is the sum of |Δy| over the pairs of bodies (left,
    right, left, right, ...) in the frame of the base and G is 0 in a squat, which may spread the legs. Values not above
    0 [m], shape ``[N]``.
    """
    positions = body_positions(env, asset_cfg)
    across = positions[:, 0::2] - positions[:, 1::2]  # [N, pairs, 3]
    lateral = base_axes(env, asset_cfg.name)[:, :, 1:2]
    distance = torch.bmm(across, lateral).abs().sum(dim=(1, 2))
    too_far = (max_distance - distance).clamp(max=0.0) * upright_commanded(env, command_name, min_height)
    return (distance - min_distance).clamp(max=0.0) + too_far
