# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A force on the base that comes and goes, and what the critic is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from isaaclab.managers import SceneEntityCfg

if TYPE_CHECKING:
    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedEnv, ManagerBasedRLEnv


def push_by_force(
    env: ManagerBasedRLEnv,
    env_ids: torch.Tensor | None,
    asset_cfg: SceneEntityCfg,
    limit: float,
    every: int,
) -> None:
    """Push all robots by forces of their own for one policy step, and again *every* so many steps.

    An interval event that is called after every step (HIMLoco, facts 4.9): a force set now acts in the next one.

    Args:
        env: The environment.
        env_ids: Not used: the pushes have one clock.
        asset_cfg: The body that is pushed, at its centre of mass.
        limit: Half-width of the uniform force along each of the body's axes [N].
        every: Policy steps from push to push.
    """
    asset: Articulation = env.scene[asset_cfg.name]
    phase = env.common_step_counter % every
    if phase == 0:
        force = limit * (2.0 * torch.rand(env.num_envs, 1, 3, device=env.device) - 1.0)
        body_ids = torch.as_tensor(asset_cfg.body_ids, device=env.device)
        asset.permanent_wrench_composer.set_forces_and_torques_index(
            forces=force, torques=torch.zeros_like(force), body_ids=body_ids
        )
    elif phase == 1:
        asset.permanent_wrench_composer.reset()


def external_force(env: ManagerBasedEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Return the force that acts on a body from outside in its own frame [N], shape ``[N, 3]``."""
    asset: Articulation = env.scene[asset_cfg.name]
    return asset.permanent_wrench_composer.out_force_b.torch[:, asset_cfg.body_ids].flatten(1)
