# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HOMIE's 33 reward terms for G1, weights and numbers as in the reference (`docs/rewards.md` has the table)."""

# Isaac Lab annotates ``func`` as a function returning a tensor; a term class is as welcome there.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from isaaclab.envs import mdp
from isaaclab.managers import RewardTermCfg, SceneEntityCfg
from isaaclab.utils import configclass

# not "from ...mdp import rewards": mdp's lazy export would give Isaac Lab's module of that name, if that is loaded
import himloco_lab.tasks.velocity.mdp.rewards as rewards
from himloco_lab.robots.g1 import G1_DESCRIPTION, G1_FOOT_BODIES, G1_FOOT_POINTS, G1_LEG_JOINTS

_COMMAND = "base_velocity"
_ACTION = "joint_pos"
_SIGMA = 0.25
"""Squared width of the tracking kernels [m²/s², rad²/s²]."""
_STD = _SIGMA**0.5
_UPRIGHT = 0.735
"""Height command from which on the robot is to stand up straight [m]; upright is 0.74, squats are below."""
_AT_REST = 0.1
"""Norm of the velocity command below which no motion is asked for."""
_TOUCH = 1.0
"""Vertical force from which on a foot is on the ground [N]."""


def _joints(*names: str) -> SceneEntityCfg:
    return SceneEntityCfg("robot", joint_names=list(names), preserve_order=True)


def _feet() -> SceneEntityCfg:
    return SceneEntityCfg("robot", body_names=list(G1_FOOT_BODIES), preserve_order=True)


def _soles() -> SceneEntityCfg:
    return SceneEntityCfg("contact_forces", body_names=list(G1_FOOT_BODIES), preserve_order=True)


def _knees_and_thighs() -> SceneEntityCfg:
    names = [f"{side}_{link}_link" for link in ("knee", "hip_yaw") for side in ("left", "right")]
    return SceneEntityCfg("robot", body_names=names, preserve_order=True)


def _legs() -> SceneEntityCfg:
    return _joints(*G1_LEG_JOINTS)


def _upright(**params: Any) -> dict[str, Any]:
    """Return parameters of a term that acts only while no squat is commanded."""
    return {"command_name": _COMMAND, "min_height": _UPRIGHT, **params}


@configclass
class G1RewardsCfg:
    """Reward terms of the G1 tasks. The reward manager multiplies each by the policy step of 0.02 s."""

    # -- following the command
    tracking_x_vel = RewardTermCfg(
        func=rewards.track_lin_vel_axis_exp, weight=1.5, params={"axis": 0, "std": _STD, "command_name": _COMMAND}
    )
    tracking_y_vel = RewardTermCfg(
        func=rewards.track_lin_vel_axis_exp, weight=1.0, params={"axis": 1, "std": _STD, "command_name": _COMMAND}
    )
    tracking_ang_vel = RewardTermCfg(
        func=mdp.track_ang_vel_z_exp, weight=2.0, params={"std": _STD, "command_name": _COMMAND}
    )
    tracking_base_height = RewardTermCfg(
        func=rewards.track_base_height_exp,
        weight=2.0,
        params={"command_name": _COMMAND, "feet_cfg": _feet(), "sharpness": 4.0, "offset": G1_DESCRIPTION.foot_height},
    )

    # -- motion of the base
    lin_vel_z = RewardTermCfg(func=rewards.upright_lin_vel_z_l2, weight=-0.5, params=_upright())
    ang_vel_xy = RewardTermCfg(func=mdp.ang_vel_xy_l2, weight=-0.025)
    orientation = RewardTermCfg(func=mdp.flat_orientation_l2, weight=-1.5)

    # -- posture
    deviation_hip_joint = RewardTermCfg(
        func=rewards.upright_joint_deviation_l2,
        weight=-0.2,
        params=_upright(asset_cfg=_joints(".*_hip_pitch_joint", ".*_hip_roll_joint", ".*_hip_yaw_joint")),
    )
    deviation_ankle_joint = RewardTermCfg(
        func=rewards.upright_joint_deviation_l2,
        weight=-0.5,
        params=_upright(asset_cfg=_joints(".*_ankle_roll_joint")),
    )
    deviation_knee_joint = RewardTermCfg(
        func=rewards.knee_height_deviation,
        weight=-0.75,
        params={"command_name": _COMMAND, "asset_cfg": _joints(".*_knee_joint")},
    )
    feet_distance_lateral = RewardTermCfg(
        func=rewards.lateral_distance_band,
        weight=0.5,
        params=_upright(asset_cfg=_feet(), min_distance=0.2, max_distance=0.35),
    )
    knee_distance_lateral = RewardTermCfg(
        func=rewards.lateral_distance_band,
        weight=1.0,
        params=_upright(asset_cfg=_knees_and_thighs(), min_distance=0.4, max_distance=0.7),
    )
    feet_parallel = RewardTermCfg(
        func=rewards.feet_not_parallel, weight=-3.0, params=_upright(asset_cfg=_feet(), points=G1_FOOT_POINTS)
    )

    # -- steps
    feet_air_time = RewardTermCfg(
        func=rewards.step_air_time,
        weight=0.05,
        params={
            "command_name": _COMMAND,
            "sensor_cfg": _soles(),
            "threshold": 0.5,
            "contact_force": _TOUCH,
            "min_command": _AT_REST,
        },
    )
    feet_clearance = RewardTermCfg(
        func=rewards.swing_clearance,
        weight=-0.25,
        params={"command_name": _COMMAND, "asset_cfg": _feet(), "target_height": 0.14, "min_height": 0.71},
    )
    feet_ground_parallel = RewardTermCfg(
        func=rewards.landing_foot_tilt,
        weight=-2.0,
        params={
            "asset_cfg": _feet(),
            "sensor_cfg": _soles(),
            "points": G1_FOOT_POINTS,
            "contact_force": _TOUCH,
            "min_air_time": 0.06,
        },
    )
    no_fly = RewardTermCfg(
        func=rewards.single_support,
        weight=0.75,
        params={"command_name": _COMMAND, "sensor_cfg": _soles(), "threshold": 0.5, "min_command": _AT_REST},
    )
    stand_still = RewardTermCfg(
        func=rewards.lifted_feet_at_rest,
        weight=-0.15,
        params=_upright(sensor_cfg=_soles(), threshold=0.1, min_command=_AT_REST),
    )

    # -- contacts
    feet_stumble = RewardTermCfg(func=rewards.feet_stumble, weight=-1.5, params={"sensor_cfg": _soles(), "ratio": 3.0})
    feet_slip = RewardTermCfg(
        func=rewards.foot_slip, weight=-0.25, params={"asset_cfg": _feet(), "sensor_cfg": _soles(), "threshold": _TOUCH}
    )
    feet_contact_forces = RewardTermCfg(
        func=rewards.excess_contact_force, weight=-2.5e-4, params={"sensor_cfg": _soles(), "threshold": 400.0}
    )
    contact_momentum = RewardTermCfg(
        func=rewards.contact_momentum,
        weight=2.5e-4,
        params={"asset_cfg": _feet(), "sensor_cfg": _soles(), "threshold": 50.0},
    )

    # -- effort
    dof_acc = RewardTermCfg(
        func=rewards.joint_acc_policy_step_l2, weight=-2.5e-7, params={"asset_cfg": SceneEntityCfg("robot")}
    )
    dof_vel = RewardTermCfg(func=mdp.joint_vel_l2, weight=-1e-4, params={"asset_cfg": _legs()})
    dof_pos_limits = RewardTermCfg(
        func=mdp.joint_pos_limits, weight=-2.0, params={"asset_cfg": SceneEntityCfg("robot")}
    )
    dof_vel_limits = RewardTermCfg(
        func=rewards.joint_velocity_excess, weight=-2e-3, params={"soft_ratio": 0.8, "asset_cfg": _legs()}
    )
    torque_limits = RewardTermCfg(
        func=rewards.joint_torque_excess, weight=-0.1, params={"soft_ratio": 0.95, "asset_cfg": _legs()}
    )
    torques = RewardTermCfg(func=rewards.joint_torques_per_stiffness_l2, weight=-2.5e-6, params={"asset_cfg": _legs()})
    joint_power = RewardTermCfg(
        func=rewards.joint_power_per_speed,
        weight=-2e-5,
        params={"command_name": _COMMAND, "asset_cfg": _legs(), "yaw_weight": 0.2, "min_speed_sq": 0.1},
    )
    joint_tracking_error = RewardTermCfg(func=rewards.joint_target_error_l2, weight=-0.1, params={"asset_cfg": _legs()})

    # -- the policy's output
    action_rate = RewardTermCfg(func=mdp.action_rate_l2, weight=-0.01)
    smoothness = RewardTermCfg(func=rewards.action_smoothness_l2, weight=-0.05)
    action_vanish = RewardTermCfg(func=rewards.action_beyond_limits, weight=-1.0, params={"action_name": _ACTION})
