# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Observation terms that Isaac Lab does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


def velocity_command(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Return the commanded velocity vx, vy [m/s] and yaw rate [rad/s], shape ``[N, 3]``."""
    return env.command_manager.get_command(command_name)[:, :3]


def height_command(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Return the commanded base height [m], shape ``[N, 1]``."""
    return env.command_manager.get_command(command_name)[:, 3:4]
