# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Positions, velocities and contact forces of bodies, read once a policy step for all terms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils.math import matrix_from_quat, quat_apply

from .per_step import once_per_step

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


@once_per_step
def base_axes(env: ManagerBasedRLEnv, name: str) -> torch.Tensor:
    """Return the x, y and z axis of an asset's root in the world as the columns of matrices, shape ``[N, 3, 3]``."""
    return matrix_from_quat(env.scene[name].data.root_quat_w.torch)


@once_per_step
def body_positions(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Return the origins of the bodies' frames in the world [m], shape ``[N, B, 3]``."""
    return env.scene[asset_cfg.name].data.body_pos_w.torch[:, asset_cfg.body_ids]


@once_per_step
def body_velocities(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Return the velocities of the bodies' centres of mass in the world [m/s], shape ``[N, B, 3]``."""
    return env.scene[asset_cfg.name].data.body_lin_vel_w.torch[:, asset_cfg.body_ids]


@once_per_step
def contact_forces(env: ManagerBasedRLEnv, sensor_cfg: SceneEntityCfg) -> torch.Tensor:
    """Return the sums of normal contact forces on the bodies in the world [N], shape ``[N, B, 3]``.

    Friction is not in them: a level sole gives a vertical force however hard it drags, the riser of a stair a
    horizontal one.
    """
    return env.scene[sensor_cfg.name].data.net_normal_forces_w.torch[:, sensor_cfg.body_ids]


@once_per_step
def points_on_bodies(
    env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, points: Sequence[Sequence[float]]
) -> torch.Tensor:
    """Return points fixed to each body in the world [m].

    Args:
        env: The environment.
        asset_cfg: The bodies.
        points: Points in the frame of a body [m], the same for all bodies.

    Returns:
        Shape ``[N, B, P, 3]``.
    """
    positions = body_positions(env, asset_cfg).unsqueeze(2)
    rotations = env.scene[asset_cfg.name].data.body_quat_w.torch[:, asset_cfg.body_ids].unsqueeze(2)
    offsets = _as_tensor(tuple(map(tuple, points)), str(positions.device))
    return positions + quat_apply(rotations, offsets)


@lru_cache(maxsize=16)
def _as_tensor(rows: tuple[tuple[float, ...], ...], device: str) -> torch.Tensor:
    return torch.tensor(rows, device=device)
