# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The reward terms against numbers worked by hand from the reference's formulas (HomieRL).

Those about feet, and about effort and the policy's output, have files of their own.

The world (reward_world.py) is a handful of tensors of two environments. Expected values are literals, or arithmetic on
literals written next to the formula; none comes from the code under test.
"""

from __future__ import annotations

import math

import pytest
import torch
from isaaclab.managers import RewardTermCfg

from himloco_lab.tasks.velocity.config.g1.rewards_cfg import G1RewardsCfg

from .reward_world import JOINTS, SQUAT, STAND, WALK, Term, World, near

# HomieRL's, typed out here on purpose.
WEIGHTS = {
    "tracking_x_vel": 1.5,
    "tracking_y_vel": 1.0,
    "tracking_ang_vel": 2.0,
    "lin_vel_z": -0.5,
    "ang_vel_xy": -0.025,
    "orientation": -1.5,
    "action_rate": -0.01,
    "tracking_base_height": 2.0,
    "deviation_hip_joint": -0.2,
    "deviation_ankle_joint": -0.5,
    "deviation_knee_joint": -0.75,
    "dof_acc": -2.5e-7,
    "dof_pos_limits": -2.0,
    "feet_air_time": 0.05,
    "feet_clearance": -0.25,
    "feet_distance_lateral": 0.5,
    "knee_distance_lateral": 1.0,
    "feet_ground_parallel": -2.0,
    "feet_parallel": -3.0,
    "smoothness": -0.05,
    "joint_power": -2e-5,
    "feet_stumble": -1.5,
    "torques": -2.5e-6,
    "dof_vel": -1e-4,
    "dof_vel_limits": -2e-3,
    "torque_limits": -0.1,
    "no_fly": 0.75,
    "joint_tracking_error": -0.1,
    "feet_slip": -0.25,
    "feet_contact_forces": -2.5e-4,
    "contact_momentum": 2.5e-4,
    "action_vanish": -1.0,
    "stand_still": -0.15,
}


@pytest.fixture
def world() -> World:
    return World()


# -- the configuration


def test_names_and_weights_are_the_references() -> None:
    terms = {name: term.weight for name, term in vars(G1RewardsCfg()).items() if isinstance(term, RewardTermCfg)}
    assert len(WEIGHTS) == 33
    assert terms == WEIGHTS


def test_every_term_is_silent_or_full_at_rest(world: World) -> None:
    """Standing as told at the default pose costs nothing and earns what can be earned."""
    world.set_command(STAND, STAND)
    world.root_pos[:, 2] = 0.74
    for side, sign in (("left", 1.0), ("right", -1.0)):
        world.body(world.body_pos, f"{side}_ankle_roll_link", 0.0, sign * 0.12, 0.02)
        world.body(world.body_pos, f"{side}_knee_link", 0.0, sign * 0.12, 0.3)
        world.body(world.body_pos, f"{side}_hip_yaw_link", 0.0, sign * 0.12, 0.6)
        world.force(side, 0.0, 0.0, 165.0)
    earned = {"tracking_x_vel", "tracking_y_vel", "tracking_ang_vel", "tracking_base_height", "no_fly"}
    for name in WEIGHTS:
        assert Term(world, name)() == near(*([float(name in earned)] * 2)), name


# -- following the command


@pytest.mark.parametrize(("name", "axis"), [("tracking_x_vel", 0), ("tracking_y_vel", 1)])
def test_velocity_is_tracked_per_axis(world: World, name: str, axis: int) -> None:
    world.lin_vel_b[0, axis] = WALK[axis] + 0.5
    world.lin_vel_b[1, axis] = WALK[axis]
    world.lin_vel_b[1, 1 - axis] = 3.0  # the other axis does not matter
    assert Term(world, name)() == near(math.exp(-1.0), 1.0)  # 0.5² / 0.25 = 1


def test_yaw_rate_is_tracked(world: World) -> None:
    world.ang_vel_b[:, 2] = torch.tensor([-0.3, 0.2])
    assert Term(world, "tracking_ang_vel")() == near(1.0, math.exp(-1.0))


def test_base_height_is_measured_from_the_lower_foot(world: World) -> None:
    world.set_command(STAND, SQUAT)
    world.root_pos[:, 2] = 5.62  # on a hill
    world.body(world.body_pos, "left_ankle_roll_link", 0.0, 0.1, 5.0)
    world.body(world.body_pos, "right_ankle_roll_link", 0.0, -0.1, 4.9)
    # z - z_foot = 0.62 and 0.72; the larger counts: 0.72 - 0.74 + 0.02 = 0; 0.72 - 0.5 + 0.02 = 0.24
    assert Term(world, "tracking_base_height")() == near(1.0, math.exp(-0.96))


def test_vertical_velocity_is_free_in_a_squat(world: World) -> None:
    world.set_command(WALK, SQUAT)
    world.lin_vel_b[:, 2] = -0.4
    assert Term(world, "lin_vel_z")() == near(0.16, 0.0)


def test_rolling_and_tilting(world: World) -> None:
    world.ang_vel_b[0] = torch.tensor([1.0, -2.0, 9.0])
    world.gravity_b[1] = torch.tensor([0.3, 0.4, -0.866])
    assert Term(world, "ang_vel_xy")() == near(5.0, 0.0)
    assert Term(world, "orientation")() == near(0.0, 0.25)


# -- posture


def test_hip_deviation_counts_hips_only_and_not_in_a_squat(world: World) -> None:
    world.set_command(WALK, SQUAT)
    world.joint(world.default_joint_pos, "left_hip_pitch_joint", -0.1, -0.1)
    world.joint(world.joint_pos, "left_hip_pitch_joint", 0.2, 0.2)
    world.joint(world.joint_pos, "right_hip_roll_joint", -0.1, -0.1)
    world.joint(world.joint_pos, "right_hip_yaw_joint", 0.2, 0.2)
    world.joint(world.joint_pos, "left_knee_joint", 0.7, 0.7)
    assert Term(world, "deviation_hip_joint")() == near(0.3**2 + 0.1**2 + 0.2**2, 0.0)


def test_ankle_deviation_counts_rolls_only(world: World) -> None:
    world.set_command(STAND, SQUAT)
    world.joint(world.joint_pos, "left_ankle_roll_joint", 0.1, 0.1)
    world.joint(world.joint_pos, "right_ankle_roll_joint", -0.2, -0.2)
    world.joint(world.joint_pos, "right_ankle_pitch_joint", 0.4, 0.4)
    assert Term(world, "deviation_ankle_joint")() == near(0.05, 0.0)


def test_knees_bend_for_the_height_error_above_the_ground(world: World) -> None:
    world.set_command(STAND, SQUAT)
    for side, low, high in (("left", -0.5, 1.5), ("right", 0.0, 4.0)):
        index = JOINTS.index(f"{side}_knee_joint")
        world.limits[:, index] = torch.tensor([low, high])
    world.joint(world.joint_pos, "left_knee_joint", 1.0, 0.5)  # fraction 0.75, 0.5
    world.joint(world.joint_pos, "right_knee_joint", 0.4, 3.0)  # fraction 0.1, 0.75
    world.scene.ground = 2.0
    world.root_pos[:, 2] = 2.84  # 0.84 above the ground: errors 0.1 and 0.34
    assert Term(world, "deviation_knee_joint")() == near(0.1 * (0.25 + 0.4), 0.34 * 0.25)


def _place_feet(world: World, distance: float) -> None:
    """Put the feet apart along the base's y axis, which is world -x after a yaw of 90 degrees."""
    world.root_quat[:] = torch.tensor([0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5)])
    world.body(world.body_pos, "left_ankle_roll_link", 3.0 - distance, 0.0, 0.1)
    world.body(world.body_pos, "right_ankle_roll_link", 3.0, 0.7, 0.0)  # a long stride apart, which is free


@pytest.mark.parametrize(("distance", "upright", "squat"), [(0.15, -0.05, -0.05), (0.3, 0.0, 0.0), (0.45, -0.1, 0.0)])
def test_feet_stay_within_a_band(world: World, distance: float, upright: float, squat: float) -> None:
    world.set_command(STAND, SQUAT)
    _place_feet(world, distance)
    assert Term(world, "feet_distance_lateral")() == near(upright, squat)


def test_feet_distance_is_along_the_lateral_axis_of_the_base(world: World) -> None:
    # Turned by 120 degrees about (1, 1, 1): the base's x, y, z axes are the world's y, z, x.
    world.root_quat[:] = 0.5
    world.body(world.body_pos, "left_ankle_roll_link", 0.9, 0.7, 0.4)
    assert Term(world, "feet_distance_lateral")() == near(-0.05, -0.05)  # 0.35 - 0.4


def test_feet_distance_of_a_rolled_base_is_in_its_frame(world: World) -> None:
    # Roll of 60 degrees: the base's y axis is (0, 1/2, √3/2), so feet 0.8 m apart along world y are 0.4 m apart.
    world.root_quat[:] = torch.tensor([0.5, 0.0, 0.0, math.sqrt(0.75)])
    world.body(world.body_pos, "left_ankle_roll_link", 0.0, 0.8, 0.0)
    assert Term(world, "feet_distance_lateral")() == near(-0.05, -0.05)  # 0.35 - 0.4


@pytest.mark.parametrize(
    ("knees", "thighs", "upright", "squat"),
    [(0.1, 0.2, -0.1, -0.1), (0.235, 0.235, 0.0, 0.0), (0.5, 0.4, -0.2, 0.0), (-0.25, 0.25, 0.0, 0.0)],
)
def test_knee_distance_adds_knees_and_thighs(
    world: World, knees: float, thighs: float, upright: float, squat: float
) -> None:
    world.set_command(WALK, SQUAT)
    world.body(world.body_pos, "left_knee_link", 0.1, knees, 0.3)
    world.body(world.body_pos, "left_hip_yaw_link", 0.1, thighs, 0.5)
    assert Term(world, "knee_distance_lateral")() == near(upright, squat)


def test_feet_parallel_is_the_variance_of_three_distances(world: World) -> None:
    """The right foot turned by 90 degrees: its points lie along world y."""
    world.set_command(STAND, SQUAT)
    world.body(world.body_pos, "left_ankle_roll_link", 0.0, 0.2, 0.0)
    world.body(world.body_quat, "right_ankle_roll_link", 0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))
    # left points (0.12, 0.2), (0, 0.2), (-0.06, 0.2); right points (0, 0.12), (0, 0), (0, -0.06)
    distances = [math.hypot(0.12, 0.08), 0.2, math.hypot(0.06, 0.26)]
    mean = sum(distances) / 3
    variance = sum((d - mean) ** 2 for d in distances) / 2
    assert variance > 1e-3
    assert Term(world, "feet_parallel")() == near(variance, 0.0)


# -- what terms share


def test_shared_quantities_are_read_again_in_the_next_step(world: World) -> None:
    term = Term(world, "feet_stumble")
    world.force("left", 50.0, 0.0, 0.0)
    assert term() == near(1.0, 1.0)
    world.step()
    world.force("left", 0.0, 0.0, 50.0)
    assert term() == near(0.0, 0.0)


def test_shared_quantities_belong_to_one_environment() -> None:
    hit, level = World(), World()
    hit.force("left", 50.0, 0.0, 0.0)
    assert Term(hit, "feet_stumble")() == near(1.0, 1.0)
    assert Term(level, "feet_stumble")() == near(0.0, 0.0)


def test_shared_quantities_differ_by_what_they_select(world: World) -> None:
    """Feet and knees are both read through the same function in the same step."""
    world.set_command(STAND, STAND)
    world.body(world.body_pos, "left_ankle_roll_link", 0.0, 0.1, 0.0)
    world.body(world.body_pos, "left_knee_link", 0.0, 0.3, 0.0)
    world.body(world.body_pos, "left_hip_yaw_link", 0.0, 0.3, 0.0)
    assert Term(world, "feet_distance_lateral")() == near(-0.1, -0.1)
    assert Term(world, "knee_distance_lateral")() == near(0.0, 0.0)
