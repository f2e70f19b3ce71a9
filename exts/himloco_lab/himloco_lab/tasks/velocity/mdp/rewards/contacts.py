# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terms about the forces between the feet and the ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from isaaclab.managers import SceneEntityCfg

from .command import command_speed, upright_commanded
from .feet_state import body_velocities, contact_forces

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


def feet_stumble(env: ManagerBasedRLEnv, sensor_cfg: SceneEntityCfg, ratio: float) -> torch.Tensor:
    """Penalise a foot that hits something steep: 1 where |F_xy| > ratio |F_z| at any foot. Shape ``[N]``."""
    forces = contact_forces(env, sensor_cfg)
    sideways = torch.linalg.vector_norm(forces[..., :2], dim=-1)
    return (sideways > ratio * forces[..., 2].abs()).any(dim=1).float()


def single_support(
    env: ManagerBasedRLEnv, command_name: str, sensor_cfg: SceneEntityCfg, threshold: float, min_command: float
) -> torch.Tensor:
    """Reward exactly one foot on the ground (F_z > threshold [N]) in motion, and always when none is commanded.

    Returns:
        0 or 1, shape ``[N]``.
    """
    loaded = contact_forces(env, sensor_cfg)[..., 2] > threshold
    return ((loaded.sum(dim=1) == 1) | (command_speed(env, command_name) < min_command)).float()


def excess_contact_force(env: ManagerBasedRLEnv, sensor_cfg: SceneEntityCfg, threshold: float) -> torch.Tensor:
    """Penalise hard contacts, Σ max(|F| - threshold, 0) [N]. Shape ``[N]``."""
    force = torch.linalg.vector_norm(contact_forces(env, sensor_cfg), dim=-1)
    return (force - threshold).clamp(min=0.0).sum(dim=1)


def contact_momentum(
    env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, sensor_cfg: SceneEntityCfg, threshold: float
) -> torch.Tensor:
    """Penalise feet pressed down while they still sink: Σ min(v_z, 0) max(F_z - threshold, 0).

    Returns:
        Power that is not above 0 [W], so a positive weight penalises, shape ``[N]``.
    """
    sinking = body_velocities(env, asset_cfg)[..., 2].clamp(max=0.0)
    return (sinking * (contact_forces(env, sensor_cfg)[..., 2] - threshold).clamp(min=0.0)).sum(dim=1)


def lifted_feet_at_rest(
    env: ManagerBasedRLEnv,
    command_name: str,
    sensor_cfg: SceneEntityCfg,
    threshold: float,
    min_height: float,
    min_command: float,
) -> torch.Tensor:
    """Count the feet off the ground (F_z < threshold [N]) while standing still upright is commanded. Shape ``[N]``."""
    lifted = (contact_forces(env, sensor_cfg)[..., 2] < threshold).sum(dim=1)
    standing = upright_commanded(env, command_name, min_height) & (command_speed(env, command_name) < min_command)
    return (lifted * standing).float()
