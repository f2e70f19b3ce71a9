# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIMLoco's eleven reward terms, weights and numbers as in the reference (`docs/rewards.md` has the table)."""

# Isaac Lab annotates ``func`` as a function returning a tensor; a term class is as welcome there.
# pyright: reportArgumentType=false

from __future__ import annotations

from isaaclab.envs import mdp
from isaaclab.managers import RewardTermCfg, SceneEntityCfg
from isaaclab.utils import configclass

# not "from ...mdp import rewards": mdp's lazy export would give Isaac Lab's module of that name, if that is loaded
import himloco_lab.tasks.velocity.mdp.rewards as rewards
from himloco_lab.robots.quadruped import QUADRUPED_FEET

_COMMAND = "base_velocity"
_STD = 0.5
"""Width of the tracking kernels, sigma = 0.25 squared [m/s, rad/s]."""


@configclass
class QuadrupedRewardsCfg:
    """Reward terms of the quadrupeds' tasks. The reward manager multiplies each by the policy step of 0.02 s."""

    # -- following the command
    tracking_lin_vel = RewardTermCfg(
        func=mdp.track_lin_vel_xy_exp, weight=1.0, params={"std": _STD, "command_name": _COMMAND}
    )
    tracking_ang_vel = RewardTermCfg(
        func=mdp.track_ang_vel_z_exp, weight=0.5, params={"std": _STD, "command_name": _COMMAND}
    )

    # -- motion and posture of the base
    lin_vel_z = RewardTermCfg(func=mdp.lin_vel_z_l2, weight=-2.0)
    ang_vel_xy = RewardTermCfg(func=mdp.ang_vel_xy_l2, weight=-0.05)
    orientation = RewardTermCfg(func=mdp.flat_orientation_l2, weight=-0.2)
    base_height = RewardTermCfg(
        func=rewards.base_height_above_ground_l2,
        weight=-1.0,
        params={"target": 0.3, "size": (0.3, 0.4), "resolution": 0.05},  # 63 points below the trunk
    )

    # -- steps
    foot_clearance = RewardTermCfg(
        func=rewards.swing_height_in_base,
        weight=-0.01,
        params={
            "asset_cfg": SceneEntityCfg("robot", body_names=list(QUADRUPED_FEET), preserve_order=True),
            "target": -0.2,
        },
    )

    # -- effort
    dof_acc = RewardTermCfg(
        func=rewards.joint_acc_policy_step_l2, weight=-2.5e-7, params={"asset_cfg": SceneEntityCfg("robot")}
    )
    joint_power = RewardTermCfg(func=rewards.joint_power_l1, weight=-2e-5)

    # -- the policy's output
    action_rate = RewardTermCfg(func=mdp.action_rate_l2, weight=-0.01)
    smoothness = RewardTermCfg(func=rewards.action_smoothness_l2, weight=-0.01)
