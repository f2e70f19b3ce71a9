# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terms about what the motors do, summed over the joints of ``asset_cfg``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import ManagerTermBase, RewardTermCfg, SceneEntityCfg

from .nominal import nominal_effort_limits, nominal_stiffness, nominal_velocity_limits

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


class joint_acc_policy_step_l2(ManagerTermBase):
    """Penalise the change of joint velocity over a policy step, Σ ((q̇ₜ₋₁ - q̇ₜ) / Δt)² [rad²/s⁴].

    Isaac Lab's ``joint_acc_l2`` is the acceleration of the last physics step instead. The first step of an episode
    costs nothing: its predecessor belongs to another episode.
    """

    remembers = ("_last_velocity", "_running")

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        asset_cfg: SceneEntityCfg = cfg.params["asset_cfg"]
        self._last_velocity = torch.zeros_like(self._velocity(asset_cfg))
        self._running = torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)

    def reset(self, env_ids: Sequence[int] | torch.Tensor | slice | None = None) -> None:
        """Forget the velocities of the environments."""
        self._running[slice(None) if env_ids is None else env_ids] = False

    def __call__(self, env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
        """Return the penalty, shape ``[N]``."""
        velocity = self._velocity(asset_cfg)
        change = (velocity - self._last_velocity).square().sum(dim=1) * self._running
        self._last_velocity.copy_(velocity)
        self._running.fill_(True)
        return change / env.step_dt**2

    def _velocity(self, asset_cfg: SceneEntityCfg) -> torch.Tensor:
        return self._env.scene[asset_cfg.name].data.joint_vel.torch[:, asset_cfg.joint_ids]


def joint_power_per_speed(
    env: ManagerBasedRLEnv, command_name: str, asset_cfg: SceneEntityCfg, yaw_weight: float, min_speed_sq: float
) -> torch.Tensor:
    """Penalise motor power for the motion asked for: Σ |q̇| |τ| / max(vx*² + vy*² + yaw_weight ω*², min_speed_sq).

    Args:
        env: The environment.
        command_name: The velocity command.
        asset_cfg: The joints.
        yaw_weight: What a squared yaw rate counts as in squared speed [m²].
        min_speed_sq: Squared speed charged when less is commanded [m²/s²].

    Returns:
        Shape ``[N]`` [W s²/m²].
    """
    asset = env.scene[asset_cfg.name]
    joint_ids = asset_cfg.joint_ids
    power = (asset.data.joint_vel.torch[:, joint_ids] * asset.actuators.applied_effort.torch[:, joint_ids]).abs()
    vx, vy, yaw_rate = env.command_manager.get_command(command_name)[:, :3].square().unbind(dim=1)
    return power.sum(dim=1) / (vx + vy + yaw_weight * yaw_rate).clamp(min=min_speed_sq)


class joint_torques_per_stiffness_l2(ManagerTermBase):
    """Penalise applied torques as angles of their springs, Σ (τ / k_p)² [rad²], with nominal stiffness."""

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        self._compliance = 1.0 / nominal_stiffness(env, cfg.params["asset_cfg"])

    def __call__(self, env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
        """Return the penalty, shape ``[N]``."""
        torques = env.scene[asset_cfg.name].actuators.applied_effort.torch[:, asset_cfg.joint_ids]
        return (torques * self._compliance).square().sum(dim=1)


class joint_torque_excess(ManagerTermBase):
    """Penalise torques close to what the motors can give, Σ max(|τ| - soft_ratio τ_max, 0) [N m]."""

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        soft_ratio = cast("float", cfg.params["soft_ratio"])
        self._limits = soft_ratio * nominal_effort_limits(env, cfg.params["asset_cfg"])

    def __call__(self, env: ManagerBasedRLEnv, soft_ratio: float, asset_cfg: SceneEntityCfg) -> torch.Tensor:
        """Return the penalty, shape ``[N]``."""
        torques = env.scene[asset_cfg.name].actuators.applied_effort.torch[:, asset_cfg.joint_ids]
        return (torques.abs() - self._limits).clamp(min=0.0).sum(dim=1)


class joint_velocity_excess(ManagerTermBase):
    """Penalise joint velocities close to their limit, Σ max(|q̇| - soft_ratio q̇_max, 0) [rad/s], not clipped."""

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        soft_ratio = cast("float", cfg.params["soft_ratio"])
        self._limits = soft_ratio * nominal_velocity_limits(env, cfg.params["asset_cfg"])

    def __call__(self, env: ManagerBasedRLEnv, soft_ratio: float, asset_cfg: SceneEntityCfg) -> torch.Tensor:
        """Return the penalty, shape ``[N]``."""
        velocities = env.scene[asset_cfg.name].data.joint_vel.torch[:, asset_cfg.joint_ids]
        return (velocities.abs() - self._limits).clamp(min=0.0).sum(dim=1)


def joint_target_error_l2(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Penalise joints that are far from their position targets, Σ (q* - q)² [rad²]. Shape ``[N]``."""
    asset = env.scene[asset_cfg.name]
    joint_ids = asset_cfg.joint_ids
    targets = asset.actuators.target_command.position.torch[:, joint_ids]
    return (targets - asset.data.joint_pos.torch[:, joint_ids]).square().sum(dim=1)
