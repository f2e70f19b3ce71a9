# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (Pinocchio's compiled module tells a type checker nothing about itself)

"""The quadrupeds in PhysX, and their task, against Pinocchio and numbers recomputed from the engine's raw state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
import pytest
import torch
from scipy.spatial.transform import Rotation

from himloco_lab.robots.description import find_description
from himloco_lab.robots.urdf import load_model
from himloco_rl.observations import FRONT_BACK, LEFT_RIGHT, ObservationLayout
from himloco_rl.observations.symmetry import SymmetryMap

from .quadruped_world import NUM_JOINTS, OFFSET, ROBOTS, STIFF, STIFFER, description_of
from .test_env import probe

GRAVITY = 9.81  # [m/s^2]
JOINTS = [f"{leg}_{joint}_joint" for leg in ("FL", "FR", "RL", "RR") for joint in ("hip", "thigh", "calf")]
NOISE = np.repeat([0.0, 0.05, 0.05, 0.01, 0.075, 0.0], [3, 3, 3, 12, 12, 12])
"""Half-widths on a frame of HIMLoco's 45, typed out here on purpose."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("world") / "found.json"
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    script = str(Path(__file__).with_name("quadruped_world.py"))
    done = subprocess.run(
        [sys.executable, script, str(out)], env=environment, capture_output=True, text=True, timeout=550, check=False
    )
    assert out.is_file(), f"exit code {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("task")
    names = ("observe", "push", "commands")
    return probe(folder, "Himloco-Go2-Rough-v0", "ovphysx", *names, script="quadruped_probe.py")


@pytest.fixture(scope="module")
def seen(task: dict[str, Any]) -> dict[str, Any]:
    return task["observe"]


@pytest.mark.parametrize("robot", ROBOTS)
def test_joints_links_and_masses_in_physx(world: dict[str, Any], robot: str) -> None:
    run, description = world[robot], find_description(description_of(robot))
    masses = {name: body.inertial.mass for name, body in load_model(description).bodies.items()}
    assert dict(zip(run["bodies"], run["masses"], strict=True)) == pytest.approx(masses, rel=1e-5)
    moved = np.array(run["joint_pos"]) - np.array(run["default"])  # [robot, joint], the policy's order
    model = pin.buildModelFromUrdf(str(description.urdf.locate()))
    data = model.createData()
    root = load_model(description).root
    for index, joint in enumerate(run["joints"]):
        assert 0.4 * OFFSET < moved[index, index] < 1.6 * OFFSET, f"{joint} moved {moved[index, index]:.3f} rad"
        q = pin.neutral(model)
        for name, value in zip(run["joints"], run["joint_pos"][index], strict=True):
            q[model.joints[model.getJointId(name)].idx_q] = value
        pin.framesForwardKinematics(model, data, q)
        poses = np.array(run["poses"][index])  # [body, 7]: position, quaternion (x, y, z, w)
        placed = {body: pin.XYZQUATToSE3(poses[place]) for place, body in enumerate(run["bodies"])}
        for body, pose in placed.items():
            relative, expected = placed[root].inverse() * pose, data.oMf[model.getFrameId(body)]
            assert np.linalg.norm(relative.translation - expected.translation) < 2e-5, (joint, body)
            assert np.linalg.norm(pin.log3(relative.rotation.T @ expected.rotation)) < 2e-5, (joint, body)
    assert run["joints"] == JOINTS
    assert len(moved) == NUM_JOINTS


@pytest.mark.parametrize("robot", [*ROBOTS, STIFF])
def test_feet_carry_the_weight_in_physx(world: dict[str, Any], robot: str) -> None:
    """Zero action for 3 s: only the feet's bodies touch the ground, and who has the gains for it stands.

    HIMLoco's 40 N m/rad do not carry the 25 kg of its Aliengo, nor do they where Pinocchio computes it: knees give way
    by 0.15 rad at 80 N m/rad, 0.24 at 60, 0.36 at 50, 0.52 at 45, and there is no stance at 40 (docs/differences.md).
    It sits down until its rear shanks, which belong to the feet's bodies, lie on the ground: 0.5 rad and 10 degrees.
    """
    run, description = world[robot], find_description(description_of(robot))
    forces = np.array(run["forces"])  # [step, body], vertical [N]
    feet = [run["bodies"].index(name) for name in description.foot_bodies]
    assert forces[:, feet].sum(axis=1).mean() == pytest.approx(sum(run["masses"]) * GRAVITY, rel=0.01)
    assert np.abs(np.delete(forces, feet, axis=1)).max() == 0.0
    sag = np.abs(np.array(run["standing_joint_pos"]) - np.array(run["default"])).max()
    if robot == "aliengo":
        assert 0.4 < sag < 0.6
        assert run["standing_tilt"] < np.sin(np.radians(12.0))
    else:
        assert sag < 0.2
        assert run["standing_tilt"] < np.sin(np.radians(1.0))


@pytest.mark.parametrize("robot", ["a1", "go1", "go2", STIFF])
def test_legs_give_way_by_weight_over_gains(world: dict[str, Any], robot: str) -> None:
    """The PD law's torques, from PhysX's pose, and some force at each foot balance Pinocchio's gravity; and these
    forces are the ones that PhysX measures, so masses and their centers are where the URDF has them."""
    run, description = world[robot], find_description(description_of(robot))
    model = pin.buildModelFromUrdf(str(description.urdf.locate()), pin.JointModelFreeFlyer())
    data, q = model.createData(), pin.neutral(model)
    q[3:7] = run["standing_quat"]  # x, y, z, w in both
    joints = [model.joints[model.getJointId(name)] for name in run["joints"]]
    columns = [joint.idx_v for joint in joints]
    for joint, position in zip(joints, run["standing_joint_pos"], strict=True):
        q[joint.idx_q] = position
    gains = [description.actuator_of(name) for name in run["joints"]]
    scale = STIFFER if robot == STIFF else 1.0
    torque = np.zeros(model.nv)
    torque[columns] = scale * (
        np.array([gain.stiffness for gain in gains]) * (np.array(run["default"]) - run["standing_joint_pos"])
        - np.array([gain.damping for gain in gains]) * run["standing_joint_vel"]
    )
    pin.computeJointJacobians(model, data, q)
    pin.framesForwardKinematics(model, data, q)
    touch = pin.skew(np.array([0.0, 0.0, -description.foot_height]))  # from a foot's center to the ground
    jacobians = []
    for foot in description.foot_bodies:
        jacobian = pin.getFrameJacobian(model, data, model.getFrameId(foot), pin.LOCAL_WORLD_ALIGNED)
        jacobians.append(jacobian[:3] - touch @ jacobian[3:])
    feet = np.vstack(jacobians).T  # [18, 12]
    missing = pin.computeGeneralizedGravity(model, data, q) - torque
    forces = np.linalg.lstsq(feet, missing, rcond=None)[0]
    assert np.abs(feet @ forces - missing).max() < 0.2  # [N, N m]; the largest torques are 5 to 12 N m
    measured = np.array(run["forces"])[:, [run["bodies"].index(name) for name in description.foot_bodies]].mean(axis=0)
    np.testing.assert_allclose(forces[2::3], measured, atol=1.0)


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_robot_has_an_image_left_to_right_and_none_front_to_back(robot: str) -> None:
    """By the joints' ranges: hips open to their own side, and all knees bend the same way."""
    joints = load_model(find_description(description_of(robot))).joints
    layout = ObservationLayout({}, tuple(JOINTS), {name: (one.lower, one.upper) for name, one in joints.items()})
    SymmetryMap(layout, plane=LEFT_RIGHT)
    with pytest.raises(ValueError, match="front-back"):
        SymmetryMap(layout, plane=FRONT_BACK)


def test_groups_are_himlocos(seen: dict[str, Any]) -> None:
    frame = ["velocity_command", "base_ang_vel", "projected_gravity", "joint_pos", "joint_vel", "actions"]
    assert seen["terms"]["policy"] == frame
    assert seen["terms"]["critic"] == [*frame, "base_lin_vel", "external_force", "height_scan"]
    assert seen["terms"]["estimator"] == [*frame[1:], "base_lin_vel"]
    widths = {group: values.shape[1] for group, values in seen["first"].items()}
    assert widths == {"policy": 6 * 45, "critic": 238, "estimator": 45}
    assert len(seen["rewards"]) == 11


def _frame(state: dict[str, Any]) -> np.ndarray:
    """HIMLoco's 45 values, clean, from what the engine says. Shape [N, 45]."""
    order = [state["joint_names"].index(name) for name in JOINTS]
    rotation = Rotation.from_quat(state["quat"].numpy())  # scipy, too, puts the scalar last
    return np.concatenate(
        [
            state["command"].numpy()[:, :3] * [2.0, 2.0, 0.25],
            rotation.inv().apply(state["ang_vel_w"].numpy()) * 0.25,
            rotation.inv().apply([0.0, 0.0, -1.0]),
            (state["joint_pos"] - state["default_joint_pos"]).numpy()[:, order],
            state["joint_vel"].numpy()[:, order] * 0.05,
            state["action"].numpy(),
        ],
        axis=1,
    )


def test_observations_follow_from_the_state(seen: dict[str, Any]) -> None:
    before = seen["first"]["policy"].numpy().reshape(-1, 6, 45)
    assert (before == before[:, :1]).all()  # the first observation fills the history
    for step in seen["steps"]:
        clean, obs = _frame(step["state"]), {name: values.numpy() for name, values in step["obs"].items()}
        rotation = Rotation.from_quat(step["state"]["quat"].numpy())
        velocity = 2.0 * rotation.inv().apply(step["state"]["lin_vel_w"].numpy())
        np.testing.assert_allclose(obs["critic"][:, :45], clean, atol=2e-3)
        np.testing.assert_allclose(obs["critic"][:, 45:48], velocity, atol=2e-3)
        np.testing.assert_allclose(obs["estimator"], np.hstack([clean[:, 3:], velocity]), atol=2e-3)
        frames = obs["policy"].reshape(-1, 6, 45)
        off = np.abs(frames[:, -1] - clean)
        assert (off <= NOISE + 2e-3).all()
        goes_on = ~step["done"].numpy()
        np.testing.assert_array_equal(frames[goes_on, :-1], before[goes_on, 1:])
        before = frames
    assert (off.max(axis=0)[3:33] > 0.5 * NOISE[3:33]).any()


def test_the_force_comes_every_eighth_step_and_the_critic_knows(seen: dict[str, Any]) -> None:
    for step in seen["steps"]:
        force = step["obs"]["critic"][:, 48:51]
        assert (force.abs().amax(dim=1) > 0.0).all() == (step["count"] % 8 == 0)
        assert force.abs().max() <= 30.0
    assert any(step["count"] % 8 == 0 for step in seen["steps"])


def test_the_force_moves_the_robot_by_as_much(task: dict[str, Any]) -> None:
    """In the air, over one policy step of 20 ms, momentum changes by weight and force."""
    run = task["push"]
    momentum, force = run["momentum"], run["force"]
    change = momentum[1:] - momentum[:-1]
    pushed = [index for index in range(1, 9) if force[index].abs().max() > 0.0]
    assert len(pushed) == 1
    quiet = [index for index in range(1, 9) if index not in pushed]
    idle = torch.stack([change[index - 1] for index in quiet]).mean(0)
    got = change[pushed[0] - 1] - idle
    expected = (
        0.02
        * torch.as_tensor(Rotation.from_quat(run["quat"][pushed[0]].numpy()).apply(force[pushed[0]].numpy())).float()
    )
    torch.testing.assert_close(got, expected, atol=0.06, rtol=0.1)


def test_resets_and_headings(seen: dict[str, Any]) -> None:
    state = seen["steps"][0]["state"]
    low, high = seen["soft_limits"].unbind(-1)
    default = state["default_joint_pos"]
    ends = torch.stack([0.5 * default, 1.5 * default])
    assert (seen["reset_joint_pos"] >= torch.maximum(ends.amin(0), low) - 1e-4).all()
    assert (seen["reset_joint_pos"] <= torch.minimum(ends.amax(0), high) + 1e-4).all()
    step = seen["steps"][-1]
    yaw = Rotation.from_quat(step["state"]["quat"].numpy()).as_euler("xyz")[:, 2]
    turn = (step["heading"].numpy() - yaw + np.pi) % (2 * np.pi) - np.pi
    goes_on = ~step["done"].numpy()
    command = step["state"]["command"].numpy()[:, 2]
    # roll and pitch bend Euler's yaw a little
    np.testing.assert_allclose(command[goes_on], (0.5 * turn)[goes_on], atol=0.15)


def test_fast_robots_and_small_commands(task: dict[str, Any]) -> None:
    run = task["commands"]
    drawn, fast = run["drawn"], run["is_fast"]
    assert fast.sum() == 4  # 20 % of 16, rounded up
    assert run["widest"] == (-2.0, 2.0)
    assert drawn[:, fast, 0].abs().max() > 1.8
    assert drawn[:, ~fast, 0].abs().max() <= 1.0
    assert (drawn[:, fast, 1][drawn[:, fast, 0].abs() >= 1.0] == 0.0).all()
    speed = drawn[..., :2].norm(dim=-1)
    assert ((speed == 0.0) | (speed > 0.2)).all()
    assert 0.02 < (speed[:, ~fast] == 0.0).float().mean() < 0.05  # pi 0.2^2 / 2^2 of a square is 0.031
    assert (drawn[..., 3] == 0.3).all()


def test_the_range_grows_when_both_groups_track(task: dict[str, Any]) -> None:
    # too early; due; the others lag; the fast lag; due again
    ends = [round(high, 6) for _, high in task["commands"]["ranges"]]
    assert ends == [1.0, 1.2, 1.2, 1.2, 1.4]
    assert [round(low, 6) for low, _ in task["commands"]["ranges"]] == [-end for end in ends]
    assert task["commands"]["restored"] == task["commands"]["ranges"][-1]
