# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terms about what the motors do, summed over the joints of ``asset_cfg``, and about the policy's own output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import ManagerTermBase, RewardTermCfg, SceneEntityCfg
from isaaclab.utils.string import resolve_matching_names, resolve_matching_names_values

from himloco_lab.robots.policy_layout import VELOCITY

if TYPE_CHECKING:
    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab.envs.mdp import JointPositionActionCfg


class joint_acc_policy_step_l2(ManagerTermBase):
    """Penalize the change of joint velocity over a policy step, Σ ((q̇ₜ₋₁ - q̇ₜ) / Δt)² [rad²/s⁴].

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
    """Penalize motor power for the motion asked for: Σ |q̇| |τ| / max(vx*² + vy*² + yaw_weight ω*², min_speed_sq).

    ``yaw_weight`` [m²] is what a squared yaw rate counts as in squared speed, ``min_speed_sq`` [m²/s²] what is charged
    when less is commanded. Shape ``[N]`` [W s²/m²].
    """
    vx, vy, yaw_rate = env.command_manager.get_command(command_name)[:, VELOCITY].square().unbind(dim=1)
    return joint_power_l1(env, asset_cfg) / (vx + vy + yaw_weight * yaw_rate).clamp(min=min_speed_sq)


class joint_torques_per_stiffness_l2(ManagerTermBase):
    """Penalize applied torques as angles of their springs, Σ (τ / k_p)² [rad²], with nominal stiffness."""

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        self._compliance = 1.0 / _configured(env, cfg.params["asset_cfg"], ("stiffness",))

    def __call__(self, env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
        """Return the penalty, shape ``[N]``."""
        torques = env.scene[asset_cfg.name].actuators.applied_effort.torch[:, asset_cfg.joint_ids]
        return (torques * self._compliance).square().sum(dim=1)


class joint_torque_excess(ManagerTermBase):
    """Penalize torques close to what the motors can give, Σ max(|τ| - soft_ratio τ_max, 0) [N m]."""

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        soft_ratio = cast("float", cfg.params["soft_ratio"])
        fields = ("actuator_effort_limit", "joint_effort_limit", "effort_limit")
        self._limits = soft_ratio * _configured(env, cfg.params["asset_cfg"], fields)

    def __call__(self, env: ManagerBasedRLEnv, soft_ratio: float, asset_cfg: SceneEntityCfg) -> torch.Tensor:
        """Return the penalty, shape ``[N]``."""
        torques = env.scene[asset_cfg.name].actuators.applied_effort.torch[:, asset_cfg.joint_ids]
        return (torques.abs() - self._limits).clamp(min=0.0).sum(dim=1)


class joint_velocity_excess(ManagerTermBase):
    """Penalize joint velocities close to their limit, Σ max(|q̇| - soft_ratio q̇_max, 0) [rad/s], not clipped."""

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        soft_ratio = cast("float", cfg.params["soft_ratio"])
        fields = ("actuator_velocity_limit", "joint_velocity_limit", "velocity_limit")
        self._limits = soft_ratio * _configured(env, cfg.params["asset_cfg"], fields)

    def __call__(self, env: ManagerBasedRLEnv, soft_ratio: float, asset_cfg: SceneEntityCfg) -> torch.Tensor:
        """Return the penalty, shape ``[N]``."""
        velocities = env.scene[asset_cfg.name].data.joint_vel.torch[:, asset_cfg.joint_ids]
        return (velocities.abs() - self._limits).clamp(min=0.0).sum(dim=1)


def joint_target_error_l2(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Penalize joints that are far from their position targets, Σ (q* - q)² [rad²]. Shape ``[N]``."""
    asset = env.scene[asset_cfg.name]
    joint_ids = asset_cfg.joint_ids
    targets = asset.actuators.target_command.position.torch[:, joint_ids]
    return (targets - asset.data.joint_pos.torch[:, joint_ids]).square().sum(dim=1)


def joint_power_l1(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg = SceneEntityCfg("robot")) -> torch.Tensor:
    """Penalize motor power, Σ |τ| |q̇| [W]. Shape ``[N]``."""
    asset = env.scene[asset_cfg.name]
    joint_ids = asset_cfg.joint_ids
    return (asset.data.joint_vel.torch[:, joint_ids] * asset.actuators.applied_effort.torch[:, joint_ids]).abs().sum(1)


class action_smoothness_l2(ManagerTermBase):
    """Penalize the second difference of the actions, Σ (aₜ - 2 aₜ₋₁ + aₜ₋₂)².

    Before an episode the action is zero, as in Isaac Lab's action manager: a reset robot holds the default pose.
    """

    remembers = ("_last_previous",)

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        self._last_previous = torch.zeros_like(env.action_manager.action)

    def reset(self, env_ids: Sequence[int] | torch.Tensor | slice | None = None) -> None:
        """Forget the actions of the environments."""
        self._last_previous[slice(None) if env_ids is None else env_ids] = 0.0

    def __call__(self, env: ManagerBasedRLEnv) -> torch.Tensor:
        """Return the penalty, shape ``[N]``."""
        previous = env.action_manager.prev_action
        change = env.action_manager.action - 2.0 * previous + self._last_previous
        self._last_previous.copy_(previous)
        return change.square().sum(dim=1)


class action_beyond_limits(ManagerTermBase):
    """Penalize actions that ask for angles beyond the hard joint limits, in units of the action.

    Σ max(a - a_max, 0) + max(a_min - a, 0) with a_min, a_max = (limit - default) / scale of the action term, whose
    joints, order and scale are used.
    """

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv):
        super().__init__(cfg, env)
        action_name = cast("str", cfg.params["action_name"])
        term_cfg = cast("JointPositionActionCfg", env.action_manager.get_term(action_name).cfg)
        if isinstance(term_cfg.scale, dict):
            raise ValueError(
                f"action_beyond_limits: action '{action_name}' has a scale per joint ({term_cfg.scale}): give it one"
                " number."
            )
        asset: Articulation = env.scene[term_cfg.asset_name]
        found = asset.find_joints(term_cfg.joint_names, preserve_order=term_cfg.preserve_order)
        joint_ids = cast("list[int]", found[0])
        limits = asset.data.joint_pos_limits.torch[:, joint_ids]
        default = asset.data.default_joint_pos.torch[:, joint_ids]
        self._lower = (limits[..., 0] - default) / term_cfg.scale
        self._upper = (limits[..., 1] - default) / term_cfg.scale

    def __call__(self, env: ManagerBasedRLEnv, action_name: str) -> torch.Tensor:
        """Return the penalty, shape ``[N]``."""
        action = env.action_manager.get_term(action_name).raw_actions
        return (action - action.clamp(self._lower, self._upper)).abs().sum(dim=1)


def _configured(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, fields: tuple[str, ...]) -> torch.Tensor:
    """Return what the joints' actuators have in the first of the fields that is configured, shape ``[J]``."""
    asset: Articulation = env.scene[asset_cfg.name]
    names = asset.joint_names
    selected = names if isinstance(asset_cfg.joint_ids, slice) else [names[i] for i in asset_cfg.joint_ids]
    values: dict[str, float] = {}
    for group in asset.cfg.actuators.values():
        given = [value for field in fields if (value := getattr(group, field, None)) is not None]
        if not given:
            continue
        group_names = resolve_matching_names(group.joint_names_expr, names)[1]
        if isinstance(given[0], dict):
            _, matched, numbers = resolve_matching_names_values(given[0], group_names)
            values.update(zip(matched, numbers, strict=True))
        else:
            values.update(dict.fromkeys(group_names, float(given[0])))
    missing = [name for name in selected if name not in values]
    if missing:
        raise ValueError(
            f"The actuators of '{asset_cfg.name}' give no {fields[0]} for {', '.join(missing)}: set it in the"
            " ArticulationCfg, or remove the reward terms that need it."
        )
    return torch.tensor([values[name] for name in selected], device=env.device)
