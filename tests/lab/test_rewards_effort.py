# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The reward terms about effort and the policy's own output against numbers worked by hand from HomieRL's formulas."""

from __future__ import annotations

import pytest
import torch

from .reward_world import JOINTS, STAND, Term, World, near


@pytest.fixture
def world() -> World:
    return World()


# -- effort


def test_acceleration_over_the_policy_step(world: World) -> None:
    term = Term(world, "dof_acc")
    world.joint(world.joint_vel, "left_knee_joint", 3.0, 3.0)
    assert term() == near(0.0, 0.0)  # nothing to compare with
    world.joint(world.joint_vel, "left_knee_joint", 3.2, 3.0)
    world.joint(world.joint_vel, "waist_yaw_joint", 0.0, 0.1)  # the upper body counts here
    assert term() == near((0.2 / 0.02) ** 2, (0.1 / 0.02) ** 2)
    term.reset(torch.tensor([1], dtype=torch.int32))
    world.joint(world.joint_vel, "left_knee_joint", 3.2, -9.0)
    assert term() == near(0.0, 0.0)  # no jump across the reset
    world.joint(world.joint_vel, "left_knee_joint", 3.2, -9.4)
    assert term() == near(0.0, (0.4 / 0.02) ** 2)
    term.reset(None)
    world.joint(world.joint_vel, "left_knee_joint", 0.0, 0.0)
    assert term() == near(0.0, 0.0)


def test_joint_limits_of_all_joints(world: World) -> None:
    world.joint(world.joint_pos, "left_elbow_joint", 0.95, 0.85)
    world.joint(world.joint_pos, "right_hip_yaw_joint", -1.1, -0.9)
    assert Term(world, "dof_pos_limits")() == near(0.05 + 0.2, 0.0)


def test_joint_velocity_of_the_legs(world: World) -> None:
    world.joint(world.joint_vel, "left_hip_yaw_joint", 3.0, 0.0)
    world.joint(world.joint_vel, "right_ankle_roll_joint", -4.0, 2.0)
    world.joint(world.joint_vel, "left_wrist_yaw_joint", 7.0, 7.0)
    assert Term(world, "dof_vel")() == near(25.0, 4.0)


def test_velocity_limit_is_not_clipped(world: World) -> None:
    world.joint(world.joint_vel, "left_knee_joint", -19.0, 16.5)  # limit 0.8 · 20 = 16
    world.joint(world.joint_vel, "left_elbow_joint", 100.0, 100.0)
    assert Term(world, "dof_vel_limits")() == near(3.0, 0.5)


def test_torque_limit_of_each_leg_joint(world: World) -> None:
    world.joint(world.effort, "left_hip_roll_joint", 88.0, -85.0)  # 0.95 · 88 = 83.6
    world.joint(world.effort, "right_ankle_pitch_joint", -35.0, 30.0)  # 0.95 · 35 = 33.25
    world.joint(world.effort, "waist_yaw_joint", 500.0, 500.0)
    assert Term(world, "torque_limits")() == near(4.4 + 1.75, 1.4)


def test_torque_over_stiffness(world: World) -> None:
    world.joint(world.effort, "left_hip_roll_joint", 50.0, 0.0)
    world.joint(world.effort, "right_knee_joint", -30.0, 15.0)
    world.joint(world.effort, "left_ankle_roll_joint", 8.0, 0.0)
    world.joint(world.effort, "right_elbow_joint", 20.0, 20.0)
    assert Term(world, "torques")() == near(0.5**2 + 0.2**2 + 0.2**2, 0.1**2)


def test_actuators_without_stiffness_are_named(world: World) -> None:
    world.scene["robot"].cfg.actuators["legs"].stiffness = None
    with pytest.raises(ValueError, match="'robot' give no stiffness for left_hip_pitch_joint"):
        Term(world, "torques")


def test_power_counts_applied_leg_torques_only(world: World) -> None:
    """Of the reference's defect 7.5: a position target of the arm is no torque."""
    world.set_command((0.6, 0.0, 1.0, 0.74), STAND)
    world.joint(world.joint_vel, "left_knee_joint", -2.0, -2.0)
    world.joint(world.effort, "left_knee_joint", 30.0, 30.0)
    world.joint(world.joint_vel, "left_elbow_joint", 5.0, 5.0)
    world.joint(world.effort, "left_elbow_joint", 10.0, 10.0)
    world.joint(world.target, "left_elbow_joint", 1.0, 1.0)
    # 0.36 + 0.2 · 1 = 0.56; standing: at least 0.1
    assert Term(world, "joint_power")() == near(60.0 / 0.56, 600.0)


def test_distance_to_the_joint_targets(world: World) -> None:
    world.joint(world.target, "left_knee_joint", 0.5, 0.0)
    world.joint(world.joint_pos, "left_knee_joint", 0.2, 0.0)
    world.joint(world.joint_pos, "right_hip_yaw_joint", 0.0, -0.2)
    world.joint(world.joint_pos, "left_elbow_joint", 1.0, 1.0)
    assert Term(world, "joint_tracking_error")() == near(0.09, 0.04)


# -- the policy's output


def _actions(first: float, second: float) -> torch.Tensor:
    """Return actions that are 0 but for joint 3 of environment 0 and joint 7 of environment 1."""
    actions = torch.zeros(2, 12)
    actions[0, 3], actions[1, 7] = first, second
    return actions


def test_action_rate(world: World) -> None:
    world.act(_actions(0.5, 1.0))
    world.act(_actions(0.2, 1.0))
    assert Term(world, "action_rate")() == near(0.09, 0.0)


def test_smoothness_is_the_second_difference(world: World) -> None:
    term = Term(world, "smoothness")
    seen = []
    for action in (1.0, 3.0, 4.0):
        world.act(_actions(action, 0.0))
        seen.append(term()[0])
    # 1 - 0 + 0; 3 - 2 + 0; 4 - 6 + 1
    assert seen == near(1.0, 1.0, 1.0)
    world.act(_actions(5.0, 0.0))
    assert term() == near(0.0, 0.0)  # 5 - 8 + 3: a steady change is free


def test_smoothness_forgets_at_reset(world: World) -> None:
    term = Term(world, "smoothness")
    for action in (_actions(2.0, 2.0), _actions(2.0, 2.0)):
        world.act(action)
        term()
    term.reset(torch.tensor([0], dtype=torch.int32))
    world.action = world.action.clone()
    world.action[0] = 0.0  # the action manager forgets too
    world.act(_actions(2.0, 2.0))
    assert term() == near(4.0, 0.0)  # 2 - 0 + 0 from rest; 2 - 4 + 2


def test_actions_beyond_the_joint_limits(world: World) -> None:
    # Action 3 is the left knee, action 7 the right hip roll.
    world.limits[:, JOINTS.index("left_knee_joint")] = torch.tensor([-0.1, 2.0])
    world.joint(world.default_joint_pos, "left_knee_joint", 0.3, 0.3)  # a_max = 1.7 / 0.25 = 6.8, a_min = -1.6
    world.act(_actions(7.0, -5.0))  # right hip roll: a_min = -4
    assert Term(world, "action_vanish")() == near(0.2, 1.0)
    world.act(_actions(-2.0, 3.9))
    assert Term(world, "action_vanish")() == near(0.4, 0.0)
