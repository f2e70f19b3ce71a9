# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIMLoco's terms against numbers worked by hand from its formulas; the world is reward_world.py's."""

from __future__ import annotations

import math

import pytest
import torch
from isaaclab.managers import RewardTermCfg, SceneEntityCfg

from himloco_lab.tasks.velocity.config.quadruped.rewards_cfg import QuadrupedRewardsCfg
from himloco_lab.tasks.velocity.mdp import rewards

from .reward_world import BODIES, Proxy, World, near

WEIGHTS = {
    "tracking_lin_vel": 1.0,
    "tracking_ang_vel": 0.5,
    "lin_vel_z": -2.0,
    "ang_vel_xy": -0.05,
    "orientation": -0.2,
    "dof_acc": -2.5e-7,
    "joint_power": -2e-5,
    "base_height": -1.0,
    "foot_clearance": -0.01,
    "action_rate": -0.01,
    "smoothness": -0.01,
}


@pytest.fixture
def world() -> World:
    return World()


def test_names_and_weights_are_the_references() -> None:
    terms = {name: term for name, term in vars(QuadrupedRewardsCfg()).items() if isinstance(term, RewardTermCfg)}
    assert {name: term.weight for name, term in terms.items()} == WEIGHTS
    assert terms["tracking_lin_vel"].params["std"] == terms["tracking_ang_vel"].params["std"] == 0.5
    assert terms["foot_clearance"].params["target"] == -0.2
    assert terms["base_height"].params["target"] == 0.3
    assert (terms["base_height"].params["size"], terms["base_height"].params["resolution"]) == ((0.3, 0.4), 0.05)


def test_base_height_is_above_the_mean_of_the_ground(world: World) -> None:
    """Ground that rises by 0.1 m per meter along the world's x and has a wall of 1 m at y > 0.45 m."""
    cfg = RewardTermCfg(
        func=rewards.base_height_above_ground_l2,  # pyright: ignore[reportArgumentType]
        weight=-1.0,
        params={"target": 0.3, "size": (1.6, 1.0), "resolution": 0.2},
    )
    term = rewards.base_height_above_ground_l2(cfg, world)  # type: ignore[arg-type]
    world.scene.ground = lambda points: 0.1 * points[..., 0] + (points[..., 1] > 0.45).float()
    world.root_pos[:] = torch.tensor([[2.0, 0.0, 1.0], [2.0, 0.0, 1.0]])
    world.root_quat[1] = torch.tensor([0.0, 0.0, math.sin(math.pi / 4), math.cos(math.pi / 4)])  # looks along y
    # 9 points along the heading, 6 across: straight, 1 of 6 columns (y = 0.5) is on the wall; turned, 2 of 9 rows
    # (y = 0.6, 0.8) are. The slope's mean is that under the middle of the grid.
    expected = [(1.0 - (0.2 + share) - 0.3) ** 2 for share in (1.0 / 6.0, 2.0 / 9.0)]
    assert term(world, **cfg.params).tolist() == near(*expected)  # type: ignore[arg-type]


def test_swing_height_is_seen_from_the_base(world: World) -> None:
    """A base at 1 m that rolls by 90 degrees to its left side: its z axis points along the world's -y."""
    velocity = torch.zeros(2, len(BODIES), 3)
    world.scene["robot"].data.body_link_lin_vel_w = Proxy(velocity)
    world.root_pos[:] = torch.tensor([0.0, 0.0, 1.0])
    world.root_quat[1] = torch.tensor([math.sin(math.pi / 4), 0.0, 0.0, math.cos(math.pi / 4)])
    world.lin_vel_w[:] = torch.tensor([1.0, 0.0, 0.0])
    world.body(world.body_pos, "left_ankle_roll_link", 0.0, 0.3, 0.7)
    velocity[:, BODIES.index("left_ankle_roll_link")] = torch.tensor([1.0, 0.6, 0.8])
    velocity[:, BODIES.index("right_ankle_roll_link")] = torch.tensor([1.0, 0.0, 0.0])  # rests in the base's frame
    feet = SceneEntityCfg("robot", body_names=["left_ankle_roll_link", "right_ankle_roll_link"])
    feet.resolve(world.scene)  # type: ignore[arg-type]
    # upright: height -0.3, error -0.1, horizontal speed 0.6; rolled: height -0.3 along -y, speed along x and z: 0.8
    found = rewards.swing_height_in_base(world, feet, -0.2)  # type: ignore[arg-type]
    assert found.tolist() == near(0.01 * 0.6, 0.01 * 0.8)


def test_power_is_torque_times_speed_whatever_the_signs(world: World) -> None:
    joints = ("left_knee_joint", "right_knee_joint")
    for name, effort, speed in zip(joints, (-10.0, 4.0), (2.0, 0.5), strict=True):
        world.joint(world.effort, name, effort, 0.0)
        world.joint(world.joint_vel, name, speed, 7.0)
    assert rewards.joint_power_l1(world).tolist() == near(22.0, 0.0)  # type: ignore[arg-type]
