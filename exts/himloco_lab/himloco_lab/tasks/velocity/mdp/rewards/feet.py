# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terms about the feet: how they move and land, and the forces between them and the ground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from isaaclab.managers import ManagerTermBase, RewardTermCfg, SceneEntityCfg

from ..observations import terrain_height_at
from .quantities import (
    base_axes,
    body_positions,
    body_velocities,
    command_speed,
    contact_forces,
    landing_detector,
    landings,
    points_on_bodies,
    upright_commanded,
)

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


class LandingTerm(ManagerTermBase):
    """A term about landings. All of an environment share one detector; each remembers it in a checkpoint."""

    remembers = ("_landings._flight", "_landings._touched")

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        params = cast("dict[str, Any]", cfg.params)
        self._landings = landing_detector(env, params["sensor_cfg"], params["contact_force"])

    def reset(self, env_ids: Sequence[int] | torch.Tensor | slice | None = None) -> None:
        """Forget the flights of the environments."""
        self._landings.reset(env_ids)


class step_air_time(LandingTerm):
    """Reward long steps when a foot lands: Σ (t_air - threshold) over landing feet, if a motion is commanded."""

    def __call__(
        self,
        env: ManagerBasedRLEnv,
        command_name: str,
        sensor_cfg: SceneEntityCfg,
        threshold: float,
        contact_force: float,
        min_command: float,
    ) -> torch.Tensor:
        """Return the reward [s], negative for flights shorter than ``threshold`` [s], shape ``[N]``.

        A foot is on the ground from a vertical force of ``contact_force`` [N] on; a motion is commanded where the norm
        of (vx, vy, yaw rate) is above ``min_command``. Isaac Lab's term leaves the yaw rate out.
        """
        landed, air_time = landings(env, sensor_cfg, contact_force)
        surplus = torch.where(landed, air_time - threshold, 0.0)
        return surplus.sum(dim=1) * (command_speed(env, command_name) > min_command)


def swing_clearance(
    env: ManagerBasedRLEnv, command_name: str, asset_cfg: SceneEntityCfg, target_height: float, min_height: float
) -> torch.Tensor:
    """Penalize moving feet that are not at the swing height: Σ (h - target)² |v_xy|, unless a squat is commanded.

    h is the height of the ankle frame above the ground under it [m], v its velocity relative to the base and in its
    frame. Penalty [m³/s], shape ``[N]``.
    """
    positions = body_positions(env, asset_cfg)
    error = positions[:, :, 2] - terrain_height_at(env, positions) - target_height
    base_velocity = env.scene[asset_cfg.name].data.root_lin_vel_w.torch.unsqueeze(1)
    forward_and_left = base_axes(env, asset_cfg.name)[:, :, :2]
    velocity_b = torch.bmm(body_velocities(env, asset_cfg) - base_velocity, forward_and_left)
    speed = torch.linalg.vector_norm(velocity_b, dim=-1)
    return (error.square() * speed).sum(dim=1) * upright_commanded(env, command_name, min_height)


class landing_foot_tilt(LandingTerm):
    """Penalize feet that land tilted against the ground: Σ var(height of the points of the sole) at touchdown."""

    def __call__(
        self,
        env: ManagerBasedRLEnv,
        asset_cfg: SceneEntityCfg,
        sensor_cfg: SceneEntityCfg,
        points: Sequence[Sequence[float]],
        contact_force: float,
        min_air_time: float,
    ) -> torch.Tensor:
        """Return the penalty: sample variance of the heights above the ground under each point [m²], shape ``[N]``.

        ``asset_cfg`` and ``sensor_cfg`` name the same bodies in the same order; ``points`` [m] are front, middle and
        hind one in the frame of a foot. It is on the ground from a vertical force of ``contact_force`` [N] on, and a
        landing counts after a flight of ``min_air_time`` [s].
        """
        landed, air_time = landings(env, sensor_cfg, contact_force)
        soles = points_on_bodies(env, asset_cfg, points)
        flat = soles.flatten(1, 2)  # [N, B * P, 3]
        heights = (flat[..., 2] - terrain_height_at(env, flat)).view(soles.shape[:3])
        # half a step of slack: the flight time is a sum of float32 steps
        counts = landed & (air_time > min_air_time - 0.5 * env.step_dt)
        return (_variance(heights) * counts).sum(dim=1)


def feet_not_parallel(
    env: ManagerBasedRLEnv,
    command_name: str,
    min_height: float,
    asset_cfg: SceneEntityCfg,
    points: Sequence[Sequence[float]],
) -> torch.Tensor:
    """Penalize feet that point apart: var of the distance left to right at the points of the sole, while upright.

    ``points`` [m] are front, middle and hind one in the frame of a foot. Sample variance [m²], shape ``[N]``.
    """
    soles = points_on_bodies(env, asset_cfg, points)
    distances = torch.linalg.vector_norm(soles[:, 0] - soles[:, 1], dim=-1)
    return _variance(distances) * upright_commanded(env, command_name, min_height)


def foot_slip(
    env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, sensor_cfg: SceneEntityCfg, threshold: float
) -> torch.Tensor:
    """Penalize horizontal velocity of loaded feet, Σ |v_xy| where F_z > threshold [N]. Shape ``[N]`` [m/s]."""
    speed = torch.linalg.vector_norm(body_velocities(env, asset_cfg)[..., :2], dim=-1)
    return (speed * (contact_forces(env, sensor_cfg)[..., 2] > threshold)).sum(dim=1)


def _variance(values: torch.Tensor) -> torch.Tensor:
    """Return the sample variance over the last dimension: torch's own takes four times as long on three values."""
    deviations = values - values.mean(dim=-1, keepdim=True)
    return deviations.square().sum(dim=-1) / (values.shape[-1] - 1)


def swing_height_in_base(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, target: float) -> torch.Tensor:
    """Penalize feet that move at another height than the swing's, seen from the base: Σ (p_z - target)² |v_xy|.

    Position and velocity are relative to the base and in its frame; ``target`` [m] is negative below it. Penalty
    [m³/s], shape ``[N]``.
    """
    data = env.scene[asset_cfg.name].data
    axes = base_axes(env, asset_cfg.name)
    across = body_positions(env, asset_cfg) - data.root_pos_w.torch.unsqueeze(1)
    # of the foot's own frame: the body's center of mass is half-way up the calf
    moving = data.body_link_lin_vel_w.torch[:, asset_cfg.body_ids] - data.root_lin_vel_w.torch.unsqueeze(1)
    height = torch.bmm(across, axes[:, :, 2:]).squeeze(-1)
    speed = torch.linalg.vector_norm(torch.bmm(moving, axes[:, :, :2]), dim=-1)
    return ((height - target).square() * speed).sum(dim=1)


def feet_stumble(env: ManagerBasedRLEnv, sensor_cfg: SceneEntityCfg, ratio: float) -> torch.Tensor:
    """Penalize a foot that hits something steep: 1 where |F_xy| > ratio |F_z| at any foot. Shape ``[N]``."""
    forces = contact_forces(env, sensor_cfg)
    sideways = torch.linalg.vector_norm(forces[..., :2], dim=-1)
    return (sideways > ratio * forces[..., 2].abs()).any(dim=1).float()


def single_support(
    env: ManagerBasedRLEnv, command_name: str, sensor_cfg: SceneEntityCfg, threshold: float, min_command: float
) -> torch.Tensor:
    """Reward exactly one foot on the ground (F_z > threshold [N]) in motion, and always when none is commanded.

    0 or 1, shape ``[N]``.
    """
    loaded = contact_forces(env, sensor_cfg)[..., 2] > threshold
    return ((loaded.sum(dim=1) == 1) | (command_speed(env, command_name) < min_command)).float()


def excess_contact_force(env: ManagerBasedRLEnv, sensor_cfg: SceneEntityCfg, threshold: float) -> torch.Tensor:
    """Penalize hard contacts, Σ max(|F| - threshold, 0) [N]. Shape ``[N]``."""
    force = torch.linalg.vector_norm(contact_forces(env, sensor_cfg), dim=-1)
    return (force - threshold).clamp(min=0.0).sum(dim=1)


def contact_momentum(
    env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, sensor_cfg: SceneEntityCfg, threshold: float
) -> torch.Tensor:
    """Penalize feet pressed down while they still sink: Σ min(v_z, 0) max(F_z - threshold, 0).

    Power that is not above 0 [W], so a positive weight penalizes, shape ``[N]``.
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
