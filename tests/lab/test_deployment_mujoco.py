# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false

"""The MuJoCo robot: its PD law, delays, readings and falls against what physics says they must be."""

from __future__ import annotations

import dataclasses

import mujoco
import numpy as np
import pytest

from himloco_lab.deployment.manifest import ManifestError
from himloco_lab.deployment.mujoco_sim import FALL_TILT, MujocoRobot, PolicyLoop, Wrench, run
from himloco_lab.deployment.policy import RandomPolicy, ZeroPolicy, untrained_manifest
from himloco_lab.deployment.terrain import rough_ground
from himloco_lab.robots.g1 import G1_29DOF_DESCRIPTION, G1_DESCRIPTION, G1_FOOT_BODIES, G1_LEG_JOINTS

MANIFEST = untrained_manifest("himloco_lab.robots.g1:G1_DESCRIPTION")
KNEE, ELBOW = MANIFEST.joint_names.index("left_knee_joint"), MANIFEST.joint_names.index("left_elbow_joint")
STAND = np.array([0.0, 0.0, 0.0, 0.74])
NOTHING = np.zeros(12)


@pytest.fixture
def robot() -> MujocoRobot:
    return MujocoRobot(MANIFEST, G1_DESCRIPTION)


def _fly(robot: MujocoRobot, quaternion: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)) -> None:
    """Lift the robot off the ground, its orientation as (w, x, y, z)."""
    robot.data.qpos[2], robot.data.qpos[3:7] = 3.0, quaternion
    mujoco.mj_forward(robot.model, robot.data)


def test_it_starts_in_the_default_pose_just_above_the_ground(robot: MujocoRobot) -> None:
    assert robot.state.joint_pos.tolist() == [joint.default_pos for joint in MANIFEST.joints]
    assert not robot.state.joint_vel.any()
    assert robot.ground_contacts() == set()
    assert not robot.has_fallen
    # pelvis to ankle 0.7492 m
    assert robot.base_height == pytest.approx(0.7492 + 0.02, abs=1e-3)
    for _ in range(10):
        robot.step(NOTHING)
    assert robot.ground_contacts() == set(G1_FOOT_BODIES)


def test_an_action_moves_the_joint_it_is_named_after(robot: MujocoRobot) -> None:
    """In free flight, one action of 1 brings its joint, and no other, 0.25 rad nearer to where it asks it to be."""
    for index, name in enumerate(G1_LEG_JOINTS):
        robot.reset()
        _fly(robot)
        start = robot.state.joint_pos
        for _ in range(15):
            robot.step(np.eye(12)[index])
        moved = robot.state.joint_pos - start
        assert int(np.argmax(np.abs(moved))) == MANIFEST.joint_names.index(name), name
        assert moved[MANIFEST.joint_names.index(name)] == pytest.approx(0.25, abs=0.06), name


def test_torques_are_the_pd_laws_and_within_the_limits(robot: MujocoRobot) -> None:
    """First physics step from rest: kp (target - q), clipped; a hook may change it, the clip comes last."""
    seen: list[tuple[float, np.ndarray]] = []

    def record(time: float, torque: np.ndarray) -> np.ndarray:
        seen.append((time, torque.copy()))
        return torque + 1000.0

    action = np.zeros(12)
    action[0], action[3] = 2.0, -400.0  # 0.5 rad; clipped to -100, that is -25 rad
    robot.step(action, torque_hook=record)
    assert [time for time, _ in seen] == pytest.approx([0.0, 0.005, 0.010, 0.015])
    assert seen[0][1][0] == pytest.approx(100.0 * 0.5)
    assert seen[0][1][3] == pytest.approx(150.0 * -25.0)
    limits = np.array([joint.effort_limit for joint in MANIFEST.joints])
    limits[3] *= -1.0  # -3750 + 1000 N m
    np.testing.assert_allclose(robot.torque, limits)
    np.testing.assert_allclose(robot.data.qfrc_actuator[6:].sum(), robot.torque.sum())


def test_upper_body_targets_reach_their_joints_only(robot: MujocoRobot) -> None:
    targets = robot.targets(NOTHING, {"left_elbow_joint": 0.7})
    default = robot.targets(NOTHING)
    assert targets[MANIFEST.joint_names.index("left_elbow_joint")] == 0.7
    assert (targets != default).sum() == 1
    for name in ("left_knee_joint", "tail_joint"):
        with pytest.raises(ValueError, match=name):
            robot.targets(NOTHING, {name: 0.0})


def test_readings_of_a_robot_that_lies_on_its_side_and_spins(robot: MujocoRobot) -> None:
    """Rolled by +90 deg about x, the base's y axis points up: gravity is -y, and the world's z rate is a y rate."""
    half = np.sqrt(0.5)
    _fly(robot, (half, half, 0.0, 0.0))
    robot.data.qvel[:3] = [0.3, 0.0, 0.5]  # world frame
    robot.data.qvel[3:6] = [0.0, 2.0, 0.0]  # body frame
    mujoco.mj_forward(robot.model, robot.data)
    np.testing.assert_allclose(robot.state.projected_gravity, [0.0, -1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(robot.state.base_ang_vel, [0.0, 2.0, 0.0])
    assert robot.tilt == pytest.approx(np.pi / 2)
    # the oracle: MuJoCo's own velocity of the body's inertial frame, turned into the body frame by hand
    com = robot.model.body_ipos[1]
    expected = np.array([0.3, 0.5, 0.0]) + np.cross([0.0, 2.0, 0.0], com)
    np.testing.assert_allclose(robot.lin_vel, expected, atol=1e-9)


@pytest.mark.parametrize(("angle", "falls"), [(FALL_TILT - 0.01, False), (FALL_TILT + 0.01, True)])
def test_a_fall_by_tilt(robot: MujocoRobot, angle: float, falls: bool) -> None:
    _fly(robot, (np.cos(angle / 2), 0.0, np.sin(angle / 2), 0.0))
    assert robot.tilt == pytest.approx(angle)
    assert robot.has_fallen == falls


def test_a_fall_by_sitting_down(robot: MujocoRobot) -> None:
    """Upright, but the pelvis is on the ground."""
    robot.data.qpos[2] = 0.1
    mujoco.mj_forward(robot.model, robot.data)
    assert robot.tilt < 0.01
    assert "pelvis" in robot.ground_contacts()
    assert robot.has_fallen


def test_physics_that_blew_up_is_a_fall(robot: MujocoRobot, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo logs it there
    robot.data.qvel[0] = 1e12
    robot.step(NOTHING)
    assert robot.has_diverged
    assert robot.has_fallen
    robot.reset()
    assert not robot.has_fallen


def test_a_push_gives_its_impulse(robot: MujocoRobot) -> None:
    """F t / m in free flight, and nothing from the step after it on."""
    _fly(robot)
    mass = robot.model.body_mass.sum()
    for _ in range(5):
        robot.step(NOTHING, wrench=Wrench("torso_link", force=(100.0, 0.0, 0.0)))
    pushed = _momentum(robot)
    assert pushed[0] == pytest.approx(100.0 * 0.1, rel=1e-3)
    assert pushed[2] == pytest.approx(-9.81 * 0.1 * mass, rel=1e-3)
    robot.step(NOTHING)
    assert _momentum(robot)[0] == pytest.approx(pushed[0], rel=1e-3)


def _momentum(robot: MujocoRobot) -> np.ndarray:
    mujoco.mj_subtreeVel(robot.model, robot.data)
    return robot.model.body_mass.sum() * robot.data.subtree_linvel[1]


def test_the_manifests_armature_and_limits_count() -> None:
    joints = tuple(dataclasses.replace(joint, armature=0.05, effort_limit=3.0) for joint in MANIFEST.joints)
    robot = MujocoRobot(dataclasses.replace(MANIFEST, joints=joints), G1_DESCRIPTION)
    assert (robot.model.dof_armature[6:] == 0.05).all()
    robot.step(100.0 * np.ones(12))
    assert np.abs(robot.data.qfrc_actuator).max() == pytest.approx(3.0)


def test_a_manifest_of_another_robot() -> None:
    with pytest.raises(ManifestError, match="waist_pitch_joint, waist_roll_joint"):
        MujocoRobot(MANIFEST, G1_29DOF_DESCRIPTION)


def test_the_same_seed_repeats_a_run_to_the_last_bit() -> None:
    def once(seed: int) -> np.ndarray:
        robot = MujocoRobot(MANIFEST, G1_DESCRIPTION, rough_ground(seed, reach=3.0), seed, reset_noise=0.02)
        loop = PolicyLoop(MANIFEST, robot, RandomPolicy(MANIFEST, seed))
        loop.reset()
        for _ in range(20):
            loop.step(STAND)
        return robot.data.qpos.copy()

    first = once(3)
    assert (first == once(3)).all()
    assert not np.allclose(first, once(4))


def test_a_report_counts_falls_and_work() -> None:
    """Zero actions do not balance: the robot tips over, is stood up again, and tips over again."""
    robot = MujocoRobot(MANIFEST, G1_DESCRIPTION)
    ended: list[float] = []

    def watch(stepped: MujocoRobot) -> None:
        if stepped.has_fallen:
            ended.append(float(stepped.data.time))

    report = run(PolicyLoop(MANIFEST, robot, ZeroPolicy(MANIFEST)), STAND, 3.0, watch)
    assert report.duration == pytest.approx(3.0)
    assert report.falls == len(ended) >= 1
    assert report.survival_time == pytest.approx(ended[0], abs=1e-6)
    assert report.energy > 1.0
    assert report.mean_power == pytest.approx(report.energy / 3.0)
    assert report.error_height == pytest.approx(abs(report.mean_height - 0.74), abs=0.1)


def test_a_watcher_may_end_the_run() -> None:
    robot = MujocoRobot(MANIFEST, G1_DESCRIPTION)
    steps: list[int] = []

    def watch(stepped: MujocoRobot) -> bool:
        steps.append(1)
        return len(steps) < 5

    assert run(PolicyLoop(MANIFEST, robot, ZeroPolicy(MANIFEST)), STAND, 3.0, watch).duration == pytest.approx(0.1)


def test_rough_ground_is_level_where_one_starts() -> None:
    ground = rough_ground(0, roughness=0.05, reach=4.0)
    middle = ground.heights.shape[0] // 2
    assert not ground.heights[middle - 3 : middle + 4, middle - 3 : middle + 4].any()
    assert ground.half_extent == pytest.approx((4.0, 4.0))
    assert 0.045 < ground.heights.max() <= 0.05
    assert (rough_ground(0, reach=4.0).heights == rough_ground(0, reach=4.0).heights).all()


def _sent(robot: MujocoRobot, knee: float, elbow: float, delay: int) -> list[tuple[float, float]]:
    """Targets of knee and elbow [rad] in each physics step, from the PD law's torque: q + (torque + kd v) / kp."""
    targets = []

    def solve(time: float, torque: np.ndarray) -> np.ndarray:
        state = robot.state
        kp, kd = np.array([(joint.stiffness, joint.damping) for joint in MANIFEST.joints]).T
        asked = state.joint_pos + (torque + kd * state.joint_vel) / kp
        targets.append((asked[KNEE], asked[ELBOW]))
        return torque

    action = np.zeros(12)
    action[3] = knee  # hip pitch, roll, yaw, knee
    robot.step(action, {"left_elbow_joint": elbow}, torque_hook=solve, delay=delay)
    return targets


def test_old_targets_for_the_delay_and_then_the_new_ones(robot: MujocoRobot) -> None:
    """The knee stands at 0.3 rad and an action of 1 is 0.25 rad; what the policy does not drive is never late."""
    expected = [
        ((1.0, 0.9, 3), [0.3, 0.3, 0.3, 0.55], 0.9),
        ((-1.0, 0.8, 1), [0.55, 0.05, 0.05, 0.05], 0.8),
        ((2.0, 0.7, 0), [0.8] * 4, 0.7),
        ((0.4, 0.6, 4), [0.8] * 4, 0.6),  # late by the whole step
        ((0.8, 0.5, 2), [0.4, 0.4, 0.5, 0.5], 0.5),
    ]
    for (knee, elbow, delay), knees, elbows in expected:
        sent = np.array(_sent(robot, knee, elbow, delay))
        np.testing.assert_allclose(sent[:, 0], knees, atol=1e-9)
        np.testing.assert_allclose(sent[:, 1], elbows, atol=1e-9)
    robot.reset()
    assert np.array(_sent(robot, 1.0, 0.9, 2))[:, 0] == pytest.approx([0.3, 0.3, 0.55, 0.55])


@pytest.mark.parametrize("delay", [-1, 5])
def test_a_delay_beyond_the_step(robot: MujocoRobot, delay: int) -> None:
    with pytest.raises(ValueError, match=rf"delay of {delay} must be 0 to 4"):
        robot.step(np.zeros(12), delay=delay)


def test_a_run_is_late_throughout() -> None:
    """A delay of the whole step is the same as a policy whose actions are those of the step before."""

    def path(delay: int, shift: int) -> list[float]:
        robot, heights = MujocoRobot(MANIFEST, G1_DESCRIPTION), []
        policy = RandomPolicy(MANIFEST, 3)
        act = policy.__call__
        held = [np.zeros(12)] * shift

        class Shifted(RandomPolicy):
            def __call__(self, observation: np.ndarray) -> np.ndarray:
                held.append(0.1 * act(observation))
                return held.pop(0)

        def watch(stepped: MujocoRobot) -> None:
            heights.append(stepped.base_height)

        loop = PolicyLoop(MANIFEST, robot, Shifted(MANIFEST))
        run(loop, np.array([0.0, 0.0, 0.0, 0.74]), 0.2, watch, delay=delay)
        return heights

    assert path(4, 0) == path(0, 1) != path(0, 0)
