# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false
# (the compiled modules used here, Pinocchio's, tell a type checker little about themselves)

"""The robot in real physics: PhysX (ovphysx) and MuJoCo Warp (Newton), on the CPU.

A process carries one simulation, so this file runs itself as a script once per engine and reads what came out.

Robots 0 to 26 hang in free fall, where gravity bends nothing, each with one joint's target moved. Three stand on
the ground: kept upright by a couple and a level force on the pelvis (neither bears weight), left alone, and started
2 cm inside the ground. The last one hangs and presses its legs together and its arms into its trunk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

NUM_JOINTS = 27
BALANCED, ALONE, SUNKEN, CROSSED = range(NUM_JOINTS, NUM_JOINTS + 4)
STEP = 0.005  # [s]
OFFSET = 0.1  # [rad]
GRAVITY = 9.81  # [m/s^2]
CROSSING = {
    "left_hip_roll_joint": -0.45,
    "right_hip_roll_joint": 0.45,
    "left_shoulder_roll_joint": -0.6,
    "right_shoulder_roll_joint": 0.6,
    "left_elbow_joint": 1.5,
    "right_elbow_joint": 1.5,
}
"""Targets [rad] that press the legs together and the forearms into the trunk."""


def _run(engine: str, folder: Path) -> dict:
    out = folder / f"{engine}.json"
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    command = [sys.executable, __file__, engine, str(out)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert out.is_file(), f"{engine} ended with {result.returncode}:\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def physx(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return _run("ovphysx", tmp_path_factory.mktemp("physx"))


@pytest.fixture(scope="module")
def newton(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return _run("newton", tmp_path_factory.mktemp("newton"))


def _model_masses() -> dict[str, float]:
    from himloco_lab.robots.g1 import G1_DESCRIPTION
    from himloco_lab.robots.urdf import load_model

    return {name: body.inertial.mass for name, body in load_model(G1_DESCRIPTION).bodies.items()}


@pytest.mark.parametrize("engine", ["physx", "newton"])
def test_masses_reach_the_engine(engine: str, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue(engine)
    masses = dict(zip(run["bodies"], run["masses"], strict=True))
    assert masses == pytest.approx(_model_masses(), rel=1e-5)
    assert sum(run["masses"]) == pytest.approx(33.341, abs=1e-3)


@pytest.mark.parametrize("engine", ["physx", "newton"])
def test_every_joint_moves_the_right_way(engine: str, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue(engine)
    moved = np.array(run["hanging_joint_pos"]) - np.array(run["default"])  # [robot, joint], the policy's order
    for index, joint in enumerate(run["joints"]):
        assert 0.5 * OFFSET < moved[index, index] < 1.5 * OFFSET, f"{joint} moved {moved[index, index]:.3f} rad"
        others = np.delete(moved[index], index)
        assert np.abs(others).max() < 0.4 * OFFSET, f"{joint} took another joint along"


@pytest.mark.parametrize("engine", ["physx", "newton"])
def test_every_link_is_where_pinocchio_says(engine: str, request: pytest.FixtureRequest) -> None:
    import pinocchio as pin

    from himloco_lab.robots.g1 import G1_DESCRIPTION

    run = request.getfixturevalue(engine)
    model = pin.buildModelFromUrdf(str(G1_DESCRIPTION.urdf.locate()))
    data = model.createData()
    frames = {body: model.getFrameId(body) for body in run["bodies"]}
    for robot in range(NUM_JOINTS):
        q = pin.neutral(model)
        for joint, value in zip(run["joints"], run["hanging_joint_pos"][robot], strict=True):
            q[model.joints[model.getJointId(joint)].idx_q] = value
        pin.framesForwardKinematics(model, data, q)
        poses = np.array(run["hanging_body_poses"][robot])  # [body, 7]: position, quaternion (x, y, z, w)
        world = {body: pin.XYZQUATToSE3(poses[index]) for index, body in enumerate(run["bodies"])}
        for body, frame in frames.items():
            relative = world["pelvis"].inverse() * world[body]
            assert np.linalg.norm(relative.translation - data.oMf[frame].translation) < 2e-5, (robot, body)
            assert np.linalg.norm(pin.log3(relative.rotation.T @ data.oMf[frame].rotation)) < 2e-5, (robot, body)


def test_soles_carry_the_weight(physx: dict) -> None:
    weight = sum(physx["masses"]) * GRAVITY
    forces = np.array(physx["balanced_forces"])  # [step, body], vertical [N]
    feet = [physx["bodies"].index(f"{side}_ankle_roll_link") for side in ("left", "right")]
    assert forces[:, feet].sum(axis=1).mean() == pytest.approx(weight, rel=0.01)
    assert np.abs(np.delete(forces, feet, axis=1)).max() == 0.0
    left, right = forces[:, feet].mean(axis=0)
    assert left == pytest.approx(right, rel=0.05)


def test_default_pose_holds_without_a_command(physx: dict) -> None:
    """0.3 s at zero action: no joint sags by more than 0.1 rad, no more tilt than 3 degrees, only soles touch."""
    assert np.abs(np.array(physx["alone_joint_pos"]) - np.array(physx["default"])).max() < 0.1
    assert physx["alone_tilt"] < np.sin(np.radians(3.0))
    assert 0.77 < physx["alone_height"] < 0.79
    assert physx["alone_touching"] == ["left_ankle_roll_link", "right_ankle_roll_link"]


def test_a_robot_in_the_ground_comes_out_gently(physx: dict) -> None:
    assert physx["sunken_speed"] < 1.2  # [m/s], the cap of 1 m/s and what the legs add


@pytest.mark.parametrize("engine", ["physx", "newton"])
def test_legs_stop_each_other_and_arms_pass_through(engine: str, request: pytest.FixtureRequest) -> None:
    touching = request.getfixturevalue(engine)["crossed_touching"]
    assert touching
    assert all(any(part in body for part in ("hip", "knee", "ankle")) for body in touching), touching


def test_the_scene_starts_at_rest(physx: dict) -> None:
    assert physx["speed_after_build"] < 1e-3


def test_newton_stands_too(newton: dict) -> None:
    weight = sum(newton["masses"]) * GRAVITY
    assert np.array(newton["balanced_forces"]).sum(axis=1).mean() == pytest.approx(weight, rel=0.01)
    assert newton["alone_touching"] == ["left_ankle_roll_link", "right_ankle_roll_link"]
    assert np.isfinite(newton["hanging_joint_pos"]).all()


# The script that a process runs -------------------------------------------------------------------------------------


def _physics(engine: str):
    if engine == "ovphysx":
        from isaaclab_ov.physics import OvPhysxCfg

        return OvPhysxCfg()
    from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg

    return NewtonCfg(solver_cfg=MJWarpSolverCfg(njmax=200, nconmax=100, integrator="implicitfast"), num_substeps=1)


def _scene_cfg():
    import isaaclab.sim as sim_utils
    from isaaclab.assets import ArticulationCfg, AssetBaseCfg
    from isaaclab.scene import InteractiveSceneCfg
    from isaaclab.sensors import ContactSensorCfg
    from isaaclab.utils import configclass

    from himloco_lab.robots.g1 import G1_CFG

    @configclass
    class SceneCfg(InteractiveSceneCfg):
        """G1s on a slab."""

        ground: AssetBaseCfg = AssetBaseCfg(
            prim_path="/World/ground",
            spawn=sim_utils.CuboidCfg(
                size=(40.0, 40.0, 1.0), collision_props=sim_utils.UsdPhysicsCollisionCfg(collision_enabled=True)
            ),
            init_state=AssetBaseCfg.InitialStateCfg(pos=(0.0, 0.0, -0.5)),
        )
        robot: ArticulationCfg = G1_CFG.replace(prim_path="{ENV_REGEX_NS}/Robot")
        contact_forces: ContactSensorCfg = ContactSensorCfg(prim_path="{ENV_REGEX_NS}/Robot/[^/]*", update_period=0.0)

    return SceneCfg(num_envs=CROSSED + 1, env_spacing=2.5, lazy_sensor_update=False)


def _simulate(engine: str, out: Path) -> None:
    from himloco_lab.compat import allow_pageable_host_memory

    allow_pageable_host_memory()
    from isaaclab.scene import InteractiveScene
    from isaaclab.sim import SimulationCfg, build_simulation_context

    cfg = SimulationCfg(dt=STEP, device="cpu", physics=_physics(engine))
    with build_simulation_context(device="cpu", sim_cfg=cfg) as sim:
        scene = InteractiveScene(_scene_cfg())
        sim.reset()
        scene.reset()
        out.write_text(json.dumps(_experiment(sim, scene)))


def _keep_upright(robot, start) -> None:
    """Hold a pelvis level and in its place by a couple about x and y and a force along x and y [world frame]."""
    import torch

    data = robot.data
    gravity = data.projected_gravity_b.torch[BALANCED]
    # z x up turns the body's z axis towards the vertical; up is -gravity, in the body frame (near the world's here)
    tilt = torch.stack([gravity[1], -gravity[0], torch.zeros(())])
    level = torch.tensor([1.0, 1.0, 0.0])
    couple = level * (400.0 * tilt - 20.0 * data.root_ang_vel_w.torch[BALANCED])
    offset = start[:3] - data.root_pos_w.torch[BALANCED]
    force = level * (2000.0 * offset - 300.0 * data.root_lin_vel_w.torch[BALANCED])
    robot.permanent_wrench_composer.set_forces_and_torques_index(
        forces=force.reshape(1, 1, 3),
        torques=couple.reshape(1, 1, 3),
        body_ids=torch.as_tensor([robot.body_names.index("pelvis")]),
        env_ids=torch.as_tensor([BALANCED]),
        is_global=True,
    )


def _experiment(sim, scene) -> dict:
    import torch

    from himloco_lab.robots.g1 import G1_FOOT_BODIES, G1_JOINTS

    robot, contacts = scene["robot"], scene["contact_forces"]
    ids, joints = robot.find_joints(list(G1_JOINTS), preserve_order=True)
    ids = torch.as_tensor(np.array(ids), dtype=torch.long)
    joints_of = {name: int(index) for name, index in zip(joints, ids, strict=True)}
    sensed, _ = contacts.find_sensors(robot.body_names, preserve_order=True)
    result = {
        "joints": joints,
        "bodies": robot.body_names,
        "masses": robot.data.body_mass.torch[BALANCED].tolist(),
        "speed_after_build": float(robot.data.body_com_vel_w.torch.abs().max()),
    }
    default = robot.data.default_joint_pos.torch.clone()
    result["default"] = default[0, ids].tolist()
    root = robot.data.default_root_pose.torch.clone()
    root[:, :3] += scene.env_origins
    root[:NUM_JOINTS, 2] += 2.0
    root[CROSSED, 2] += 2.0
    root[SUNKEN, 2] -= 0.02
    robot.write_root_pose_to_sim_index(root_pose=root)
    robot.write_root_velocity_to_sim_index(root_velocity=torch.zeros(len(root), 6))
    robot.write_joint_position_to_sim_index(position=default)
    robot.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(default))
    target = default.clone()
    target[torch.arange(NUM_JOINTS), ids] += OFFSET
    for name, angle in CROSSING.items():
        target[CROSSED, joints_of[name]] = angle
    robot.actuators.target_command.set_position_index(value=target)
    forces, sunken, crossed = [], 0.0, set()
    for step in range(220):
        _keep_upright(robot, start=root[BALANCED])
        scene.write_data_to_sim()
        sim.step()
        scene.update(STEP)
        vertical = contacts.data.net_normal_forces_w.torch[:, sensed]
        if step == 29:  # 0.15 s: falling 11 cm, still in the air
            result["hanging_joint_pos"] = robot.data.joint_pos.torch[:NUM_JOINTS, ids].tolist()
            result["hanging_body_poses"] = robot.data.body_link_pose_w.torch[:NUM_JOINTS].tolist()
        if step < 90:  # 0.45 s: falling 1 m, still in the air
            touching = vertical[CROSSED].norm(dim=-1) > 1.0
            crossed |= {name for name, touch in zip(robot.body_names, touching, strict=True) if touch}
        if step < 20:
            sunken = max(sunken, float(robot.data.root_lin_vel_w.torch[SUNKEN].norm()))
        if step == 59:  # 0.3 s
            result["alone_joint_pos"] = robot.data.joint_pos.torch[ALONE, ids].tolist()
            result["alone_tilt"] = float(robot.data.projected_gravity_b.torch[ALONE, :2].norm())
            result["alone_height"] = float(robot.data.root_pos_w.torch[ALONE, 2])
            touching = vertical[ALONE].norm(dim=-1) > 1.0
            result["alone_touching"] = sorted(n for n, t in zip(robot.body_names, touching, strict=True) if t)
        if step >= 160:  # settled
            forces.append(vertical[BALANCED, :, 2].tolist())
    result["sunken_speed"] = sunken
    result["crossed_touching"] = sorted(crossed)
    result["balanced_forces"] = forces
    result["balanced_tilt"] = float(robot.data.projected_gravity_b.torch[BALANCED, :2].norm())
    assert set(G1_FOOT_BODIES) <= set(robot.body_names)
    return result


if __name__ == "__main__":
    _simulate(sys.argv[1], Path(sys.argv[2]))
