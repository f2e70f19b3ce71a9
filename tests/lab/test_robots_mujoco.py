# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false
# (the compiled modules used here, Pinocchio's and MuJoCo's, tell a type checker little about themselves)

"""The MuJoCo model against Pinocchio on the same URDF, and against physics."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys

import mujoco
import numpy as np
import pinocchio as pin
import pytest

from himloco_lab.robots.description import RobotDescription, is_contactless
from himloco_lab.robots.g1 import G1_DESCRIPTION, G1_FOOT_BODIES
from himloco_lab.robots.height_field import HeightField
from himloco_lab.robots.mjcf_builder import DEFAULT_KEY, GROUND, make_spec

from .test_robots_model import ALL, HUMANOIDS, TOTAL_MASS

GRAVITY = 9.81  # [m/s^2]


class Oracle:
    """Pinocchio on the URDF with a floating base; locked joints are held at 0."""

    def __init__(self, description: RobotDescription) -> None:
        model = pin.buildModelFromUrdf(str(description.urdf.locate()), pin.JointModelFreeFlyer())
        locked = [model.getJointId(name) for name in description.locked_joints]
        self.model = pin.buildReducedModel(model, locked, pin.neutral(model))
        self.data = self.model.createData()

    def joint(self, name: str) -> pin.JointModel:
        """Return Pinocchio's joint of that name."""
        return self.model.joints[self.model.getJointId(name)]

    def configuration(self, root: pin.SE3, positions: dict[str, float]) -> np.ndarray:
        """Return Pinocchio's configuration vector."""
        q = pin.neutral(self.model)
        q[:7] = pin.SE3ToXYZQUAT(root)
        for name, value in positions.items():
            q[self.joint(name).idx_q] = value
        return q


@pytest.fixture(scope="module", params=ALL, ids=lambda one: one.name)
def description(request: pytest.FixtureRequest) -> RobotDescription:
    return request.param


@pytest.fixture(scope="module")
def model(description: RobotDescription) -> mujoco.MjModel:
    return make_spec(description, timestep=0.005, visuals=False).compile()


def _place(model: mujoco.MjModel, data: mujoco.MjData, root: pin.SE3, positions: dict[str, float]) -> None:
    x, y, z, w = pin.SE3ToXYZQUAT(root)[3:]
    data.qpos[:7] = [*root.translation, w, x, y, z]
    for name, value in positions.items():
        data.qpos[model.joint(name).qposadr[0]] = value
    mujoco.mj_forward(model, data)


def _random_state(model: mujoco.MjModel, joints: tuple[str, ...], rng: np.random.Generator):
    turn = pin.exp3(rng.uniform(-2.0, 2.0, 3))
    return pin.SE3(turn, rng.uniform(-1.0, 1.0, 3)), {name: rng.uniform(*model.joint(name).range) for name in joints}


def _link_pose(model: mujoco.MjModel, data: mujoco.MjData, link: str) -> np.ndarray:
    """Return a link's rotation and position [3, 4]: a body's own, or the site of a link merged into a body."""
    if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, link) >= 0:
        found = data.body(link)
    else:
        found = data.site(link)
    return np.column_stack([found.xmat.reshape(3, 3), found.xpos])


def test_every_link_pose_and_the_center_of_mass(description: RobotDescription, model: mujoco.MjModel) -> None:
    oracle, data, rng = Oracle(description), mujoco.MjData(model), np.random.default_rng(0)
    links = [f.name for f in oracle.model.frames if f.type == pin.FrameType.BODY and f.name != "universe"]
    assert len(links) == 39 or description not in HUMANOIDS
    for _ in range(100 if description in HUMANOIDS else 20):
        root, positions = _random_state(model, description.joints, rng)
        _place(model, data, root, positions)
        q = oracle.configuration(root, positions)
        pin.framesForwardKinematics(oracle.model, oracle.data, q)
        for link in links:
            expected = oracle.data.oMf[oracle.model.getFrameId(link)]
            found = _link_pose(model, data, link)
            assert np.linalg.norm(found[:, 3] - expected.translation) < 1e-5, link
            assert np.linalg.norm(pin.log3(found[:, :3].T @ expected.rotation)) < 1e-5, link
        expected_com = pin.centerOfMass(oracle.model, oracle.data, q)
        assert np.linalg.norm(data.subtree_com[1] - expected_com) < 1e-5


def test_mass(description: RobotDescription, model: mujoco.MjModel) -> None:
    assert model.body_mass.sum() == pytest.approx(pin.computeTotalMass(Oracle(description).model), abs=1e-6)
    assert model.body_mass.sum() == pytest.approx(TOTAL_MASS[description.name], abs=6e-3)


def test_joint_space_inertia(description: RobotDescription, model: mujoco.MjModel) -> None:
    """Masses, centers of mass and inertias together: M(q) from the composite rigid body algorithm of both."""
    oracle, data, rng = Oracle(description), mujoco.MjData(model), np.random.default_rng(1)
    dofs = [model.joint(name).dofadr[0] for name in description.joints]
    columns = [oracle.joint(name).idx_v for name in description.joints]
    for _ in range(5):
        root, positions = _random_state(model, description.joints, rng)
        _place(model, data, root, positions)
        found = np.zeros((model.nv, model.nv))
        mujoco.mj_fullM(model, data, found)
        crba = pin.crba(oracle.model, oracle.data, oracle.configuration(root, positions))
        expected = np.triu(crba) + np.triu(crba, 1).T
        # MuJoCo counts the armature in
        np.testing.assert_allclose(
            found[np.ix_(dofs, dofs)] - 0.01 * np.eye(len(dofs)), expected[np.ix_(columns, columns)], atol=1e-6
        )
        # base rotation is body-fixed in both; its linear velocity is not, so compare the angular columns
        np.testing.assert_allclose(found[np.ix_([3, 4, 5], dofs)], expected[np.ix_([3, 4, 5], columns)], atol=1e-6)


def test_joint_limits_and_motors(description: RobotDescription, model: mujoco.MjModel) -> None:
    oracle = Oracle(description)
    assert model.nu == len(description.joints)
    for name in description.joints:
        joint, motor = model.joint(name), model.actuator(name)
        index = oracle.joint(name).idx_q
        assert joint.limited[0]
        assert joint.range[0] == pytest.approx(oracle.model.lowerPositionLimit[index], abs=1e-9), name
        assert joint.range[1] == pytest.approx(oracle.model.upperPositionLimit[index], abs=1e-9), name
        assert model.dof_armature[joint.dofadr[0]] == description.actuator_of(name).armature
        effort = oracle.model.upperEffortLimit[oracle.joint(name).idx_v]
        assert motor.ctrlrange == pytest.approx([-effort, effort]), name


def test_a_positive_torque_moves_its_joint_and_no_other_way(model: mujoco.MjModel) -> None:
    """Floating in empty space, each motor turns its own child against its parent about the joint's positive axis."""
    data = mujoco.MjData(model)
    model.opt.gravity[2], before = 0.0, model.opt.gravity[2]
    try:
        for index in range(model.nu):
            mujoco.mj_resetDataKeyframe(model, data, model.key(DEFAULT_KEY).id)
            data.qpos[2] = 5.0
            data.ctrl[index] = 0.5
            joint = model.joint(model.actuator(index).name)
            start = data.qpos.copy()
            mujoco.mj_step(model, data, 4)
            moved = data.qpos - start
            assert moved[joint.qposadr[0]] > 1e-5, joint.name
            assert data.qfrc_actuator[joint.dofadr[0]] == pytest.approx(0.5)
    finally:
        model.opt.gravity[2] = before


def test_the_soles_carry_the_weight(description: RobotDescription) -> None:
    """Held in the default pose by a stiff PD law, the robot stands, and its soles push up by its weight."""
    model = make_spec(description, timestep=0.001, visuals=False).compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key(DEFAULT_KEY).id)
    stance = data.qpos[7:].copy()
    feet = description.foot_bodies
    upward: dict[str, list[float]] = {foot: [] for foot in feet}
    for step in range(1500):
        data.ctrl[:] = 0.0
        data.qfrc_applied[6:] = 400.0 * (stance - data.qpos[7:]) - 8.0 * data.qvel[6:]
        mujoco.mj_step(model, data)
        if step >= 1000 and step % 5 == 0:
            for foot in feet:
                upward[foot].append(_ground_force(model, data, foot)[2])
    total = sum(np.mean(forces) for forces in upward.values())
    assert total == pytest.approx(model.body_mass.sum() * GRAVITY, rel=0.01)
    assert np.mean(upward[feet[0]]) == pytest.approx(np.mean(upward[feet[1]]), rel=0.1)
    assert model.key(DEFAULT_KEY).qpos[2] - 0.08 < data.qpos[2] < model.key(DEFAULT_KEY).qpos[2]
    others = {model.body(model.geom_bodyid[g]).name for c in data.contact for g in c.geom} - {"world"}
    assert others == set(feet)


def _ground_force(model: mujoco.MjModel, data: mujoco.MjData, body: str) -> np.ndarray:
    """Return the force of the ground on a body in the world frame [3] [N], by summing contact forces."""
    total, ground = np.zeros(3), model.geom(GROUND).id
    for index, contact in enumerate(data.contact):
        if ground in contact.geom and model.body(body).id in model.geom_bodyid[contact.geom]:
            force = np.zeros(6)
            mujoco.mj_contactForce(model, data, index, force)
            # rows of the frame are the contact's axes; the force acts on the second geom
            world = contact.frame.reshape(3, 3).T @ force[:3]
            total += world if contact.geom[0] == ground else -world
    return total


def test_an_ankle_pitched_down_sinks_the_toes() -> None:
    """Positive ankle pitch lowers the front of the foot, as in the URDF: the sign of one joint against common sense."""
    model = make_spec(G1_DESCRIPTION, timestep=0.005, visuals=False).compile()
    data = mujoco.MjData(model)
    front = np.array([0.1, 0.0, 0.0])
    heights = []
    for angle in (0.0, 0.3):
        _place(model, data, pin.SE3.Identity(), {"left_ankle_pitch_joint": angle})
        foot = data.body("left_ankle_roll_link")
        heights.append((foot.xpos + foot.xmat.reshape(3, 3) @ front)[2])
    assert heights[1] == pytest.approx(heights[0] - 0.1 * np.sin(0.3), abs=2e-3)


def test_who_collides_with_whom(description: RobotDescription, model: mujoco.MjModel) -> None:
    """Only primitives touch; excluded pairs are the description's; left and right legs still meet."""
    pairs = {frozenset(_exclude_names(model, index)) for index in range(model.nexclude)}
    carriers = {model.body(body).name for body in model.geom_bodyid[model.geom_contype > 0]} - {"world"}
    expected = {
        frozenset(pair) for pair in itertools.combinations(carriers, 2) if is_contactless(*sorted(pair), description)
    }
    assert pairs == expected
    assert frozenset(description.foot_bodies[:2]) not in pairs
    assert len(description.contacts) == model.ngeom - 1


def _exclude_names(model: mujoco.MjModel, index: int) -> tuple[str, str]:
    signature = int(model.exclude_signature[index])
    return model.body(signature >> 16).name, model.body(signature & 0xFFFF).name


@pytest.mark.parametrize("collides", [True, False])
def test_self_collisions_can_be_switched_off(collides: bool) -> None:
    """Feet put into each other touch, unless the description says that the robot does not collide with itself."""
    model = make_spec(
        dataclasses.replace(G1_DESCRIPTION, self_collisions=collides), timestep=0.005, visuals=False
    ).compile()
    data = mujoco.MjData(model)
    inward = {"left_hip_roll_joint": -0.15, "right_hip_roll_joint": 0.15}
    _place(model, data, pin.SE3(np.eye(3), np.array([0.0, 0.0, 3.0])), inward)
    assert (data.ncon > 0) == collides


def test_visual_meshes_show_and_do_not_touch() -> None:
    model = make_spec(G1_DESCRIPTION, timestep=0.005).compile()
    meshes = model.geom_type == mujoco.mjtGeom.mjGEOM_MESH
    assert {model.body(body).name for body in model.geom_bodyid[meshes]} >= {"pelvis", "torso_link", *G1_FOOT_BODIES}
    assert (model.geom_group[meshes] == 2).all()
    assert (model.geom_contype[meshes] == 0).all()
    assert (model.geom_conaffinity[meshes] == 0).all()
    assert model.body_mass.sum() == pytest.approx(33.341, abs=1e-3)
    # the whole robot is as tall as a G1 although MuJoCo moves meshes to their own center
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    heights = []
    for geom in np.flatnonzero(meshes):
        mesh = model.geom_dataid[geom]
        start, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
        points = model.mesh_vert[start : start + count] @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]
        heights += [points[:, 2].min(), points[:, 2].max()]
    assert 1.2 < max(heights) - min(heights) < 1.4


def test_height_field_is_as_high_as_it_says() -> None:
    """A ray from above meets the ground at the given heights, x and y the right way round."""
    heights = np.zeros((41, 31))
    heights[30:, :] = 0.2  # x >= 1
    heights[:, 25:] -= 0.1  # y >= 1
    model = make_spec(G1_DESCRIPTION, timestep=0.005, terrain=HeightField(heights, 0.1), visuals=False).compile()
    data = mujoco.MjData(model)
    data.qpos[2] = 5.0
    mujoco.mj_forward(model, data)
    for x, y, expected in [(-1.5, -1.2, 0.0), (1.5, -1.2, 0.2), (1.5, 1.2, 0.1), (-1.5, 1.2, -0.1)]:
        geom = np.zeros(1, np.int32)
        distance = mujoco.mj_ray(model, data, np.array([x, y, 2.0]), np.array([0, 0, -1.0]), None, 1, -1, geom)
        assert model.geom(geom[0]).name == GROUND
        assert 2.0 - distance == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("heights", "cell", "named"),
    [
        (np.zeros(5), 0.1, "shape"),
        (np.zeros((1, 5)), 0.1, "X, Y >= 2"),
        (np.zeros((4, 4)), 0.0, "cell"),
        (np.full((4, 4), np.nan), 0.1, "finite"),
    ],
)
def test_a_height_field_that_is_none(heights: np.ndarray, cell: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        HeightField(heights, cell)


def test_no_simulator_but_mujoco_is_imported() -> None:
    code = (
        "import sys, himloco_lab.robots.mjcf_builder\n"
        "heavy = {'torch', 'isaaclab', 'pxr', 'warp', 'newton', 'omni'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
