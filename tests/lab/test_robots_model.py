# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false
# (the compiled modules used here, Pinocchio's and OpenUSD's, tell a type checker little about themselves)

"""The authored USD against Pinocchio on the same URDF.

Everything is read back from the USD file, so a mistake of the reader, the merging or the authoring shows.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest
from pxr import Usd, UsdGeom, UsdPhysics

from himloco_lab.robots.a1 import A1_DESCRIPTION
from himloco_lab.robots.aliengo import ALIENGO_DESCRIPTION
from himloco_lab.robots.cache import cached_usd
from himloco_lab.robots.description import RobotDescription
from himloco_lab.robots.g1 import G1_29DOF_DESCRIPTION, G1_DESCRIPTION, G1_LEG_JOINTS
from himloco_lab.robots.go1 import GO1_DESCRIPTION
from himloco_lab.robots.go2 import GO2_DESCRIPTION
from himloco_lab.robots.rigid_body import RigidBodyModel, standing_height
from himloco_lab.robots.urdf import load_model
from himloco_lab.robots.usd_builder import write_usd

from .usd_robot import Oracle, UsdRobot

QUADRUPEDS = (A1_DESCRIPTION, GO1_DESCRIPTION, GO2_DESCRIPTION, ALIENGO_DESCRIPTION)
HUMANOIDS = (G1_DESCRIPTION, G1_29DOF_DESCRIPTION)
ALL = (*HUMANOIDS, *QUADRUPEDS)
TOTAL_MASS = {
    "g1_27dof": 33.341,
    "g1_29dof": 33.341,
    "a1": 13.74,
    "go1": 13.10,
    "go2": 16.09,
    "aliengo": 24.937,
}
"""[kg], sums of the URDFs' masses"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("robots")


@pytest.fixture(scope="module", params=ALL, ids=lambda one: one.name)
def description(request: pytest.FixtureRequest) -> RobotDescription:
    return request.param


@pytest.fixture(scope="module")
def robot(description: RobotDescription, folder: Path) -> UsdRobot:
    if description in HUMANOIDS:
        return UsdRobot(cached_usd(description, folder))
    path = folder / f"{description.name}.usd"
    write_usd(_without_visuals(load_model(description)), description, path)
    return UsdRobot(path)


@pytest.fixture(scope="module", params=HUMANOIDS, ids=["27", "29"])
def g1(request: pytest.FixtureRequest, folder: Path) -> UsdRobot:
    return UsdRobot(cached_usd(request.param, folder))


def _without_visuals(model: RigidBodyModel) -> RigidBodyModel:
    """The same robot, invisible: reading the quadrupeds' meshes takes longer than all these tests."""
    bodies = {name: dataclasses.replace(body, visuals=()) for name, body in model.bodies.items()}
    return dataclasses.replace(model, bodies=bodies)


def _random_positions(description: RobotDescription, robot: UsdRobot, rng: np.random.Generator) -> dict[str, float]:
    return {name: rng.uniform(robot.joints[name].lower, robot.joints[name].upper) for name in description.joints}


def test_every_link_pose_at_random_configurations(description: RobotDescription, robot: UsdRobot) -> None:
    oracle, rng = Oracle(description), np.random.default_rng(0)
    for _ in range(100 if description in HUMANOIDS else 20):
        positions = _random_positions(description, robot, rng)
        expected, found = oracle.link_poses(positions), robot.link_poses(positions)
        assert len(expected) == 39 or description in QUADRUPEDS
        assert set(found) == set(expected)
        for link, pose in expected.items():
            assert np.linalg.norm(found[link][:3, 3] - pose[:3, 3]) < 1e-5, link
            assert np.linalg.norm(pin.log3(found[link][:3, :3].T @ pose[:3, :3])) < 1e-5, link


def test_mass_and_center_of_mass(description: RobotDescription, robot: UsdRobot) -> None:
    oracle, rng = Oracle(description), np.random.default_rng(1)
    inertials = {body: robot.inertial(body) for body in robot.bodies}
    total = sum(mass for mass, _, _ in inertials.values())
    assert total == pytest.approx(TOTAL_MASS[description.name], abs=1e-3 if description in HUMANOIDS else 6e-3)
    # a fixed-base Pinocchio model leaves the root link's mass out of computeTotalMass, so take the floating one
    floating = Oracle(description, floating=True)
    assert total == pytest.approx(pin.computeTotalMass(floating.model), abs=1e-5)
    for _ in range(20):
        positions = _random_positions(description, robot, rng)
        poses = robot.body_poses(positions)
        found = sum(m * (poses[b][:3, :3] @ com + poses[b][:3, 3]) for b, (m, com, _) in inertials.items()) / total
        expected = pin.centerOfMass(floating.model, floating.data, floating.configuration(positions))
        assert np.linalg.norm(found - expected) < 1e-5
    assert oracle.model.nq == len(description.joints)


def test_joint_space_inertia(description: RobotDescription, robot: UsdRobot) -> None:
    """M(q) = sum over bodies of J^T I J, built from the file, against Pinocchio's composite rigid body algorithm."""
    oracle, rng = Oracle(description, floating=True), np.random.default_rng(2)
    joints = list(robot.joints)
    columns = [oracle.model.joints[oracle.model.getJointId(name)].idx_v for name in joints]
    for _ in range(3):
        positions = _random_positions(description, robot, rng)
        crba = pin.crba(oracle.model, oracle.data, oracle.configuration(positions))
        expected = np.triu(crba) + np.triu(crba, 1).T
        order = [*range(6), *columns]
        found = _mass_matrix(robot, joints, robot.body_poses(positions))
        np.testing.assert_allclose(found, expected[np.ix_(order, order)], atol=2e-5)


def _mass_matrix(robot: UsdRobot, joints: list[str], poses: dict[str, np.ndarray]) -> np.ndarray:
    """Return M [6 + J, 6 + J]; the base's velocity is (linear, angular) in its own frame, which is the reference."""
    parents = {joint.child: (name, joint.parent) for name, joint in robot.joints.items()}
    matrix = np.zeros((6 + len(joints), 6 + len(joints)))
    for body in robot.bodies:
        mass, com, inertia = robot.inertial(body)
        rotation, center = poses[body][:3, :3], poses[body][:3, :3] @ com + poses[body][:3, 3]
        linear, angular = np.zeros((3, matrix.shape[0])), np.zeros((3, matrix.shape[0]))
        linear[:, :3], angular[:, 3:6], linear[:, 3:6] = np.eye(3), np.eye(3), -pin.skew(center)
        link = body
        while link in parents:
            name, parent = parents[link]
            joint = robot.joints[name]
            frame = poses[parent] @ joint.parent_pose
            axis = frame[:3, :3] @ joint.axis
            column = 6 + joints.index(name)
            angular[:, column], linear[:, column] = axis, np.cross(axis, center - frame[:3, 3])
            link = parent
        matrix += mass * linear.T @ linear + angular.T @ (rotation @ inertia @ rotation.T) @ angular
    return matrix


def test_joint_limits(description: RobotDescription, robot: UsdRobot) -> None:
    model = Oracle(description).model
    assert set(robot.joints) == set(description.joints)
    for name, joint in robot.joints.items():
        index = model.joints[model.getJointId(name)].idx_q
        assert joint.lower == pytest.approx(model.lowerPositionLimit[index], abs=1e-6), name
        assert joint.upper == pytest.approx(model.upperPositionLimit[index], abs=1e-6), name
        assert joint.effort == pytest.approx(model.upperEffortLimit[index], abs=1e-5), name
        assert joint.velocity == pytest.approx(model.upperVelocityLimit[index], rel=1e-6), name


def test_flat_layout_and_names(description: RobotDescription, robot: UsdRobot) -> None:
    assert all(prim.GetParent() == robot.robot for prim in robot.bodies.values())
    assert len(robot.bodies) == len(description.joints) + 1
    assert set(description.foot_bodies) <= set(robot.bodies)
    if description in QUADRUPEDS:
        assert robot.root == ("base" if description is GO2_DESCRIPTION else "trunk")
        return
    assert robot.root == "pelvis"
    assert "torso_link" in robot.bodies
    assert ("waist_yaw_link" in robot.bodies) == (description is G1_29DOF_DESCRIPTION)


def test_trunk_is_merged_at_the_torso_frame(tmp_path: Path) -> None:
    robot = UsdRobot(cached_usd(G1_DESCRIPTION, tmp_path))
    mass, _, _ = robot.inertial("torso_link")
    # waist yaw 0.214, waist roll 0.086, torso 6.78, head 1.036, logo 0.001 [kg] in the URDF
    assert mass == pytest.approx(0.214 + 0.086 + 6.78 + 1.036 + 0.001, abs=1e-6)
    assert robot.joints["waist_yaw_joint"].child == "torso_link"


def test_soles_reach_the_ground_at_the_default_pose() -> None:
    # Pinocchio: pelvis to ankle 0.7492 m, ankle to sole 0.0354 m, the feet level at the default pose
    assert standing_height(load_model(G1_DESCRIPTION), G1_DESCRIPTION) == pytest.approx(0.7492 + 0.0354, abs=1e-4)


def test_visual_meshes_cover_the_robot(g1: UsdRobot) -> None:
    """Every body shows a mesh; together they are as large as a G1 (about 1.3 m tall, shoulders 0.45 m wide)."""
    shown = {name: prim.GetChild("visuals").GetChildren() for name, prim in g1.bodies.items()}
    assert all(meshes and all(mesh.IsA(UsdGeom.Mesh) for mesh in meshes) for meshes in shown.values())
    assert not any(mesh.HasAPI(UsdPhysics.CollisionAPI) for meshes in shown.values() for mesh in meshes)
    box = UsdGeom.BBoxCache(Usd.TimeCode.Default(), [UsdGeom.Tokens.default_]).ComputeWorldBound(g1.robot)
    size = box.ComputeAlignedRange().GetSize()
    assert 1.2 < size[2] < 1.4
    assert 0.35 < size[1] < 0.6
    faces = sum(len(UsdGeom.Mesh(m).GetFaceVertexCountsAttr().Get()) for meshes in shown.values() for m in meshes)
    assert 10_000 < faces < 60_000


def test_thinned_meshes_keep_their_bounds(g1: UsdRobot) -> None:
    foot = g1.bodies["left_ankle_roll_link"].GetChild("visuals").GetChildren()
    points = np.concatenate([np.array(UsdGeom.Mesh(mesh).GetPointsAttr().Get()) for mesh in foot])
    # bounds of the mesh: x -0.066 to 0.142, y +-0.038, lowest z -0.0354
    np.testing.assert_allclose(points.min(axis=0), [-0.066, -0.038, -0.0354], atol=0.004)
    np.testing.assert_allclose(points.max(axis=0)[:2], [0.142, 0.038], atol=0.004)


def test_contact_shapes_are_few_and_where_they_should_be(g1: UsdRobot) -> None:
    shapes = [prim for prim in Usd.PrimRange(g1.robot) if prim.HasAPI(UsdPhysics.CollisionAPI)]
    carriers = {shape.GetParent().GetParent().GetName() for shape in shapes}
    both = {f"{side}_{part}_link" for side in ("left", "right") for part in ("ankle_roll", "knee", "hip_yaw")}
    assert both | {"pelvis", "torso_link"} <= carriers
    assert any("elbow" in name for name in carriers)
    assert any("wrist" in name for name in carriers)
    assert len(shapes) <= 16
    assert all(UsdGeom.Imageable(shape).GetPurposeAttr().Get() == UsdGeom.Tokens.guide for shape in shapes)


def test_leg_joints_are_homies_order() -> None:
    names = [name.removeprefix("left_").removesuffix("_joint") for name in G1_LEG_JOINTS[:6]]
    assert names == ["hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll"]
    assert [name.replace("left", "right") for name in G1_LEG_JOINTS[:6]] == list(G1_LEG_JOINTS[6:])


def test_quadrupeds_joints_are_himlocos_order() -> None:
    # Isaac Gym's order of a URDF whose legs are called FL, FR, RL, RR, typed out here on purpose
    order = "FL_hip FL_thigh FL_calf FR_hip FR_thigh FR_calf RL_hip RL_thigh RL_calf RR_hip RR_thigh RR_calf".split()
    for one in QUADRUPEDS:
        assert [joint.removesuffix("_joint") for joint in one.action_joints] == order


@pytest.mark.parametrize(
    ("one", "thigh", "calf", "angles"),
    [
        (A1_DESCRIPTION, 0.2, 0.2, (0.8, 1.0)),
        (GO1_DESCRIPTION, 0.213, 0.213, (0.8, 1.0)),
        (GO2_DESCRIPTION, 0.213, 0.213, (0.8, 1.0)),
        (ALIENGO_DESCRIPTION, 0.25, 0.25, (0.8, 0.8)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_how_high_quadrupeds_stand(one: RobotDescription, thigh: float, calf: float, angles: tuple[float, ...]) -> None:
    """The leg that reaches down farthest, worked by hand: thigh and calf in the plane that the hip's roll tilts."""
    tilt = 0.0 if one is ALIENGO_DESCRIPTION else 0.1
    sideways = {"a1": 0.0838, "go1": 0.08, "go2": 0.0955, "aliengo": 0.0868}[one.name]
    reach = max(thigh * np.cos(a) + calf * np.cos(a - 1.5) for a in angles) * np.cos(tilt) - sideways * np.sin(tilt)
    radius = {"a1": 0.02, "go1": 0.02, "go2": 0.022, "aliengo": 0.0265}[one.name]
    assert standing_height(load_model(one), one) == pytest.approx(reach + radius, abs=1e-4)


def test_the_aliengos_right_is_its_left_in_a_mirror() -> None:
    """Of every link: the mass, the center and the inertia; of the hips the limits too."""
    model = load_model(ALIENGO_DESCRIPTION)
    flip = np.diag([1.0, -1.0, 1.0])
    for leg in ("F", "R"):
        for part in ("hip", "thigh", "foot"):
            left, right = (model.bodies[f"{leg}{side}_{part}"].inertial for side in "LR")
            assert left.mass == right.mass
            np.testing.assert_allclose(flip @ left.com, right.com, atol=1e-12)
            np.testing.assert_allclose(flip @ left.inertia @ flip, right.inertia, atol=1e-12)
        left, right = (model.joints[f"{leg}{side}_hip_joint"] for side in "LR")
        assert (left.lower, left.upper) == (-right.upper, -right.lower)


def test_the_aliengos_rear_hips_are_its_front_hips_turned_round() -> None:
    """The motors of the hips lie towards the trunk's middle, as in the real robot's and in the A1's URDF."""
    aliengo, a1 = load_model(ALIENGO_DESCRIPTION), load_model(A1_DESCRIPTION)
    flip = np.diag([-1.0, 1.0, 1.0])
    for side in "LR":
        front, rear = (aliengo.bodies[f"{end}{side}_hip"].inertial for end in "FR")
        np.testing.assert_allclose(flip @ front.com, rear.com, atol=1e-12)
        np.testing.assert_allclose(flip @ front.inertia @ flip, rear.inertia, atol=1e-12)
        assert front.com[0] < 0.0 and a1.bodies[f"F{side}_hip"].inertial.com[0] < 0.0
        assert rear.com[0] > 0.0 and a1.bodies[f"R{side}_hip"].inertial.com[0] > 0.0
