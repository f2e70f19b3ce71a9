# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Termination terms that Isaac Lab does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from isaaclab.envs.mdp import time_out
from isaaclab.managers import SceneEntityCfg
from isaaclab_tasks.core.velocity.mdp import terrain_out_of_bounds

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab.sensors import ContactSensor


def contact_force_above(env: ManagerBasedRLEnv, sensor_cfg: SceneEntityCfg, threshold: float) -> torch.Tensor:
    """End the episode when a body touches something hard enough.

    Isaac Lab's ``illegal_contact`` asks the sensor's history, which makes the sensor run its kernels in every physics
    step; the reference, too, looks at the last physics step only. True above ``threshold`` [N], shape ``[N]``.
    """
    sensor = cast("ContactSensor", env.scene.sensors[sensor_cfg.name])
    measured = sensor.data.net_normal_forces_w
    assert measured is not None, "A contact sensor always measures normal forces."
    forces = measured.torch[:, sensor_cfg.body_ids]
    return (forces.norm(dim=-1) > threshold).any(dim=1)


def time_out_alive(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Time out, unless the robot fell in the same step: a fall has no value to bootstrap from.

    The manager asks its terms in their order, so this one must come after those that terminate. Shape ``[N]``.
    """
    return time_out(env) & ~env.termination_manager.terminated


def terrain_left_alive(env: ManagerBasedRLEnv, distance_buffer: float) -> torch.Tensor:
    """Time out a robot that walked off the terrain, unless it fell in the same step. Shape ``[N]``.

    A strip of ``distance_buffer`` [m] along the edge counts as outside.
    """
    return terrain_out_of_bounds(env, distance_buffer=distance_buffer) & ~env.termination_manager.terminated
