# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Terms about the policy's own output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import ManagerTermBase, RewardTermCfg

if TYPE_CHECKING:
    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab.envs.mdp import JointPositionActionCfg


class action_smoothness_l2(ManagerTermBase):
    """Penalise the second difference of the actions, Σ (aₜ - 2 aₜ₋₁ + aₜ₋₂)².

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
    """Penalise actions that ask for angles beyond the hard joint limits, in units of the action.

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
