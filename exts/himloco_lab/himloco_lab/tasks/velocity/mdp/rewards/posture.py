# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terms about the shape the body is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from isaaclab.managers import ManagerTermBase, RewardTermCfg, SceneEntityCfg

from ..terrain_height import terrain_height_at
from .command import upright_commanded
from .feet_state import base_axes, body_positions

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


def upright_joint_deviation_l2(
    env: ManagerBasedRLEnv, command_name: str, min_height: float, asset_cfg: SceneEntityCfg
) -> torch.Tensor:
    """Penalise joints away from the default pose, Σ (q - q0)² [rad²], except while a squat is commanded.

    Returns:
        Sum over the joints of ``asset_cfg``, shape ``[N]``.
    """
    data = env.scene[asset_cfg.name].data
    joint_ids = asset_cfg.joint_ids
    deviation = data.joint_pos.torch[:, joint_ids] - data.default_joint_pos.torch[:, joint_ids]
    return deviation.square().sum(dim=1) * upright_commanded(env, command_name, min_height)


class knee_height_deviation(ManagerTermBase):
    """Penalise knees bent the wrong way for the height error: Σ |(q̄ - ½)(z - h*)| (HOMIE's knee reward).

    q̄ is the knee angle as a fraction of its hard limits and z the height of the root above the ground under it.
    """

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        asset_cfg: SceneEntityCfg = cfg.params["asset_cfg"]
        limits = env.scene[asset_cfg.name].data.joint_pos_limits.torch[:, asset_cfg.joint_ids]
        self._lower = limits[..., 0].clone()
        self._range = limits[..., 1] - limits[..., 0]

    def __call__(self, env: ManagerBasedRLEnv, command_name: str, asset_cfg: SceneEntityCfg) -> torch.Tensor:
        """Return the penalty [m].

        Args:
            env: The environment.
            command_name: Command whose fourth value is the height h* [m].
            asset_cfg: The knee joints.

        Returns:
            Sum over the knees, shape ``[N]``.
        """
        data = env.scene[asset_cfg.name].data
        root = data.root_pos_w.torch
        height = root[:, 2] - terrain_height_at(env, root.unsqueeze(1)).squeeze(1)
        height_error = height - env.command_manager.get_command(command_name)[:, 3]
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
    """Penalise left and right bodies that are too close, and, while upright, too far apart.

    min(D - min_distance, 0) + G min(max_distance - D, 0), where D is the sum of |Δy| over the pairs of bodies in the
    frame of the base. A squat may spread the legs.

    Args:
        env: The environment.
        command_name: Command whose fourth value is the base height [m].
        min_height: Lowest height command that counts as upright [m].
        asset_cfg: The bodies: left, right, left, right, ...
        min_distance: Lower end of the band [m].
        max_distance: Upper end of the band [m].

    Returns:
        Values not above 0 [m], shape ``[N]``.
    """
    positions = body_positions(env, asset_cfg)
    across = positions[:, 0::2] - positions[:, 1::2]  # [N, pairs, 3]
    lateral = base_axes(env, asset_cfg.name)[:, :, 1:2]
    distance = torch.bmm(across, lateral).abs().sum(dim=(1, 2))
    too_far = (max_distance - distance).clamp(max=0.0) * upright_commanded(env, command_name, min_height)
    return (distance - min_distance).clamp(max=0.0) + too_far
