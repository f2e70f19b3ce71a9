# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The reward terms of HOMIE and HIMLoco that Isaac Lab does not have; `docs/rewards.md` compares each with them."""

from .base import (
    base_height_above_ground_l2,
    knee_height_deviation,
    lateral_distance_band,
    track_base_height_exp,
    track_lin_vel_axis_exp,
    upright_joint_deviation_l2,
    upright_lin_vel_z_l2,
)
from .effort import (
    action_beyond_limits,
    action_smoothness_l2,
    joint_acc_policy_step_l2,
    joint_power_l1,
    joint_power_per_speed,
    joint_target_error_l2,
    joint_torque_excess,
    joint_torques_per_stiffness_l2,
    joint_velocity_excess,
)
from .feet import (
    contact_momentum,
    excess_contact_force,
    feet_not_parallel,
    feet_stumble,
    foot_slip,
    landing_foot_tilt,
    lifted_feet_at_rest,
    single_support,
    step_air_time,
    swing_clearance,
    swing_height_in_base,
)

__all__ = [
    "action_beyond_limits",
    "action_smoothness_l2",
    "base_height_above_ground_l2",
    "contact_momentum",
    "excess_contact_force",
    "feet_not_parallel",
    "feet_stumble",
    "foot_slip",
    "joint_acc_policy_step_l2",
    "joint_power_l1",
    "joint_power_per_speed",
    "joint_target_error_l2",
    "joint_torque_excess",
    "joint_torques_per_stiffness_l2",
    "joint_velocity_excess",
    "knee_height_deviation",
    "landing_foot_tilt",
    "lateral_distance_band",
    "lifted_feet_at_rest",
    "single_support",
    "step_air_time",
    "swing_clearance",
    "swing_height_in_base",
    "track_base_height_exp",
    "track_lin_vel_axis_exp",
    "upright_joint_deviation_l2",
    "upright_lin_vel_z_l2",
]
