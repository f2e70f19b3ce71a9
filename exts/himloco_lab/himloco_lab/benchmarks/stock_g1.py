# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Isaac Lab's own rough G1 task with this repository's robot, as something to compare with."""

from __future__ import annotations

from typing import Any

from isaaclab.utils import replace
from isaaclab_tasks.core.velocity.config.g1.rough_env_cfg import G1RoughEnvCfg

from himloco_lab.assets.g1 import G1_CFG


def stock_rough_cfg() -> Any:
    """Isaac Lab's configuration, changed only where it would not run here.

    The robot is ours and so are the names of its joints; textures and arrows, which are downloads, are left out. Its
    terrain, sensors (contacts of all bodies, 187 rays), rewards and events are Isaac Lab's.
    """
    cfg: Any = G1RoughEnvCfg()
    cfg.scene.robot = replace(G1_CFG, prim_path="{ENV_REGEX_NS}/Robot")
    cfg.scene.terrain.visual_material = None
    cfg.scene.sky_light.spawn.texture_file = None
    cfg.commands.base_velocity.debug_vis = False
    for term, joints in {
        "joint_deviation_arms": [".*_shoulder_.*", ".*_elbow_joint"],
        "joint_deviation_fingers": [".*_wrist_.*"],  # as near to fingers as this robot gets
        "joint_deviation_torso": ["waist_yaw_joint"],
    }.items():
        getattr(cfg.rewards, term).params["asset_cfg"].joint_names = joints
    return cfg
