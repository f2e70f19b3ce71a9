# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the command asks for, as the gates of other terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .per_step import once_per_step

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


@once_per_step
def upright_commanded(env: ManagerBasedRLEnv, command_name: str, min_height: float) -> torch.Tensor:
    """Return whether the robot is told to walk or stand rather than squat: the gate of HOMIE's rewards.

    Args:
        env: The environment.
        command_name: Command whose fourth value is the base height [m].
        min_height: Lowest height command that counts as upright [m].

    Returns:
        Boolean mask, shape ``[N]``.
    """
    return env.command_manager.get_command(command_name)[:, 3] >= min_height


@once_per_step
def command_speed(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Return the norm of the commanded (vx, vy, yaw rate), in their own units, shape ``[N]``."""
    return torch.linalg.vector_norm(env.command_manager.get_command(command_name)[:, :3], dim=1)
