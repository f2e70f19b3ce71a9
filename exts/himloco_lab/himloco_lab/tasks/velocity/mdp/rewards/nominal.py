# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a joint's motor is built for, as its actuator configuration says: randomised gains do not change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils.string import resolve_matching_names, resolve_matching_names_values

if TYPE_CHECKING:
    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedRLEnv


def nominal_stiffness(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Return the configured position gains of the joints [N m/rad], shape ``[J]``."""
    return _configured(env, asset_cfg, ("stiffness",))


def nominal_effort_limits(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Return the configured torque limits of the joints [N m], shape ``[J]``."""
    return _configured(env, asset_cfg, ("actuator_effort_limit", "joint_effort_limit", "effort_limit"))


def nominal_velocity_limits(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Return the configured velocity limits of the joints [rad/s], shape ``[J]``."""
    return _configured(env, asset_cfg, ("actuator_velocity_limit", "joint_velocity_limit", "velocity_limit"))


def _configured(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, fields: tuple[str, ...]) -> torch.Tensor:
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
