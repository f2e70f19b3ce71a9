# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terms that reward following the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from isaaclab.managers import SceneEntityCfg

from .command import upright_commanded
from .feet_state import body_positions

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

    Args:
        env: The environment.
        axis: 0 for forward, 1 for left.
        std: Width of the kernel [m/s].
        command_name: Command whose first two values are vx and vy [m/s].
        asset_cfg: The robot.

    Returns:
        Values in (0, 1], shape ``[N]``.
    """
    velocity = env.scene[asset_cfg.name].data.root_lin_vel_b.torch[:, axis]
    error = env.command_manager.get_command(command_name)[:, axis] - velocity
    return torch.exp(-torch.square(error) / std**2)


def track_base_height_exp(
    env: ManagerBasedRLEnv, command_name: str, feet_cfg: SceneEntityCfg, sharpness: float, offset: float
) -> torch.Tensor:
    """Reward the commanded base height, measured from the lower ankle: exp(-sharpness |z - min z_foot - h* + offset|).

    Measured from a foot it holds on any ground.

    Args:
        env: The environment.
        command_name: Command whose fourth value is the height h* [m].
        feet_cfg: The two ankle roll bodies.
        sharpness: Steepness of the kernel [1/m].
        offset: By how much the height above the ankle frame is below the command [m].

    Returns:
        Values in (0, 1], shape ``[N]``.
    """
    root_height = env.scene[feet_cfg.name].data.root_pos_w.torch[:, 2]
    lower_foot = body_positions(env, feet_cfg)[:, :, 2].amin(dim=1)
    error = root_height - lower_foot - env.command_manager.get_command(command_name)[:, 3] + offset
    return torch.exp(-sharpness * error.abs())


def upright_lin_vel_z_l2(
    env: ManagerBasedRLEnv,
    command_name: str,
    min_height: float,
    asset_cfg: SceneEntityCfg = SceneEntityCfg("robot"),
) -> torch.Tensor:
    """Penalise vertical base velocity v_z² [m²/s²], except while a squat is commanded. Shape ``[N]``."""
    velocity = env.scene[asset_cfg.name].data.root_lin_vel_b.torch[:, 2]
    return torch.square(velocity) * upright_commanded(env, command_name, min_height)
