# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Termination terms that Isaac Lab does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from isaaclab.managers import SceneEntityCfg

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab.sensors import ContactSensor


def contact_force_above(env: ManagerBasedRLEnv, sensor_cfg: SceneEntityCfg, threshold: float) -> torch.Tensor:
    """End the episode when a body touches something hard enough.

    Isaac Lab's ``illegal_contact`` asks the sensor's history, which makes the sensor run its kernels in every physics
    step; the reference, too, looks at the last physics step only.

    Args:
        env: The environment.
        sensor_cfg: The contact sensor and its bodies.
        threshold: Contact force [N].

    Returns:
        Whether any of the bodies feels more than that, shape ``[N]``.
    """
    sensor: ContactSensor = env.scene.sensors[sensor_cfg.name]
    forces = sensor.data.net_normal_forces_w.torch[:, sensor_cfg.body_ids]
    return (forces.norm(dim=-1) > threshold).any(dim=1)
