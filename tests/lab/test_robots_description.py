# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Reading and merging on a robot small enough to work out by hand."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from himloco_lab.robots.description import (
    ActuatorSpec,
    Contact,
    Primitive,
    RobotDescription,
    UrdfSource,
    find_description,
    is_contactless,
)
from himloco_lab.robots.g1 import G1_29DOF_CFG, G1_CFG, G1_DESCRIPTION, G1_JOINTS
from himloco_lab.robots.meshes import thin_out
from himloco_lab.robots.rigid_body import lowest_point, pose, standing_height
from himloco_lab.robots.urdf import load_model
from himloco_lab.robots.usd_builder import principal_axes

# A 2 kg base with a 1 kg knob fixed 0.3 m above it, and a 1 kg leg hanging 0.5 m below on a hinge about y.
TOY = """
<robot name="toy">
  <link name="base"><inertial><mass value="2"/>
    <inertia ixx="0.1" iyy="0.2" izz="0.3" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <link name="knob"><inertial><mass value="1"/>
    <inertia ixx="0.01" iyy="0.02" izz="0.03" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <joint name="weld" type="fixed"><parent link="base"/><child link="knob"/>
    <origin xyz="0 0 0.3" rpy="0 0 1.5707963267948966"/></joint>
  <link name="leg"><inertial><origin xyz="0 0 -0.25"/><mass value="1"/>
    <inertia ixx="0.02" iyy="0.02" izz="0.001" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <joint name="hip" type="revolute"><parent link="base"/><child link="leg"/><origin xyz="0 0 -0.1"/>
    <axis xyz="0 1 0"/><limit lower="-1" upper="2" effort="10" velocity="5"/></joint>
</robot>
"""


@pytest.fixture
def toy(tmp_path: Path) -> RobotDescription:
    (tmp_path / "toy.urdf").write_text(TOY)
    return RobotDescription(
        name="toy",
        urdf=UrdfSource(str(tmp_path / "toy.urdf")),
        joints=("hip",),
        actuators={"hip": ActuatorSpec(("hip",), stiffness=1.0, damping=0.1)},
        contacts=(Contact("leg", Primitive("sphere", (0.05,), (0.0, 0.0, -0.45))),),
        foot_bodies=("leg",),
    )


def test_fixed_links_merge_by_steiner(toy: RobotDescription) -> None:
    base = load_model(toy).bodies["base"].inertial
    assert base.mass == 3.0
    np.testing.assert_allclose(base.com, [0.0, 0.0, 0.1])
    # 2 kg at 0.1 m and 1 kg at 0.2 m from the common center add 0.06 about x and y; the knob's x and y are swapped
    np.testing.assert_allclose(np.diag(base.inertia), [0.1 + 0.02 + 0.06, 0.2 + 0.01 + 0.06, 0.33])


def test_locked_joint_merges_at_its_angle(toy: RobotDescription) -> None:
    locked = dataclasses.replace(toy, joints=(), locked_joints={"hip": math.pi / 2}, contacts=(), actuators={})
    model = load_model(locked)
    assert list(model.bodies) == ["base"]
    assert model.frames["leg"].body == "base"
    # a quarter turn about +y takes the leg's -z to -x
    np.testing.assert_allclose(model.frames["leg"].pose[:3, :3] @ [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(model.bodies["base"].inertial.com, [-0.25 / 4, 0.0, (0.3 - 0.1) / 4], atol=1e-12)


def test_representative_gives_name_and_frame(toy: RobotDescription) -> None:
    model = load_model(dataclasses.replace(toy, representatives={"base": "knob"}))
    assert model.root == "knob"
    np.testing.assert_allclose(model.bodies["knob"].inertial.com, [0.0, 0.0, -0.2], atol=1e-12)
    np.testing.assert_allclose(model.joints["hip"].parent_pose[:3, 3], [0.0, 0.0, -0.4], atol=1e-12)


def test_standing_height_of_a_bent_leg(toy: RobotDescription) -> None:
    assert standing_height(load_model(toy), toy) == pytest.approx(0.1 + 0.45 + 0.05)
    bent = dataclasses.replace(toy, default_joint_pos={"hip": math.pi / 3})
    assert standing_height(load_model(bent), bent) == pytest.approx(0.1 + 0.45 * 0.5 + 0.05)


@pytest.mark.parametrize(
    ("primitive", "expected"),
    [
        (Primitive("box", (2.0, 4.0, 6.0)), -3.0),
        (Primitive("box", (2.0, 2.0, 2.0), rpy=(math.pi / 4, 0.0, 0.0)), -math.sqrt(2.0)),
        (Primitive("sphere", (0.5,), (0.0, 0.0, 1.0)), 0.5),
        (Primitive("capsule", (0.1, 1.0)), -0.6),
        (Primitive("capsule", (0.1, 1.0), rpy=(0.0, math.pi / 2, 0.0)), -0.1),
        (Primitive("cylinder", (0.1, 1.0)), -0.5),
        (Primitive("cylinder", (0.1, 1.0), rpy=(math.pi / 2, 0.0, 0.0)), -0.1),
    ],
)
def test_lowest_point(primitive: Primitive, expected: float) -> None:
    assert lowest_point(primitive, np.eye(4)) == pytest.approx(expected)


def test_urdf_rotations_are_about_fixed_axes() -> None:
    # roll first: y goes to z; then yaw a quarter turn leaves z where it is
    np.testing.assert_allclose(pose(rpy=(math.pi / 2, 0.0, math.pi / 2))[:3, :3] @ [0, 1, 0], [0, 0, 1], atol=1e-12)


def test_principal_axes_give_the_tensor_back() -> None:
    inertia = np.array([[0.3, 0.02, -0.01], [0.02, 0.2, 0.03], [-0.01, 0.03, 0.4]])
    moments, axes = principal_axes(inertia)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    np.testing.assert_allclose(axes @ np.diag(moments) @ axes.T, inertia, atol=1e-15)


def test_thin_out_merges_close_vertices_and_drops_flat_faces() -> None:
    vertices = np.array([[0.0, 0, 0], [0.1, 0, 0], [0.101, 0, 0], [0.0, 0.1, 0]]) + 0.05
    faces = np.array([[0, 1, 3], [1, 2, 3], [0, 2, 3]])
    points, kept = thin_out(vertices, faces, grid=0.02)
    assert points.shape == (3, 3)
    assert len(kept) == 1
    assert any(np.allclose(point, [0.1505, 0.05, 0.05]) for point in points)


def test_missing_package_says_what_to_install() -> None:
    with pytest.raises(FileNotFoundError, match="pip install no-such-robots"):
        UrdfSource("robots/none.urdf", "no-such-robots").locate()


def test_mistakes_in_a_description_are_named(toy: RobotDescription) -> None:
    with pytest.raises(ValueError, match="'ankle'"):
        load_model(dataclasses.replace(toy, joints=("hip", "ankle")))
    with pytest.raises(ValueError, match="neither actuates nor locks joint 'hip'"):
        load_model(dataclasses.replace(toy, joints=()))
    with pytest.raises(ValueError, match="'leg' cannot represent"):
        load_model(dataclasses.replace(toy, representatives={"base": "leg"}))
    with pytest.raises(ValueError, match="one actuator group"):
        dataclasses.replace(toy, actuators={}).actuator_of("hip")
    with pytest.raises(ValueError, match="capsule needs 2"):
        Primitive("capsule", (0.1,))
    with pytest.raises(ValueError, match="No robot description at"):
        find_description("himloco_lab.robots:NOTHING")


def test_g1_gains_and_limits() -> None:
    """HOMIE's gains, the URDF's efforts."""
    assert list(G1_CFG.actuators) == ["explicit"]
    motors = cast(Any, G1_CFG.actuators["explicit"])  # dicts by joint name
    assert tuple(motors.joint_names_expr) == G1_JOINTS
    expected = {
        "left_hip_yaw_joint": (100.0, 2.0, 88.0),
        "right_hip_roll_joint": (100.0, 2.0, 139.0),
        "left_knee_joint": (150.0, 4.0, 139.0),
        "right_ankle_pitch_joint": (40.0, 2.0, 35.0),
        "left_ankle_roll_joint": (40.0, 2.0, 35.0),
        "waist_yaw_joint": (300.0, 5.0, 88.0),
        "right_shoulder_yaw_joint": (200.0, 4.0, 25.0),
        "left_elbow_joint": (100.0, 1.0, 25.0),
        "right_wrist_yaw_joint": (20.0, 0.5, 5.0),
    }
    for joint, (stiffness, damping, effort) in expected.items():
        assert (motors.stiffness[joint], motors.damping[joint]) == (stiffness, damping)
        assert motors.actuator_effort_limit[joint] == effort
    assert set(motors.armature.values()) == {0.01}


def test_g1_stands_with_soles_just_above_the_ground() -> None:
    # 0.785 m from pelvis to sole and 5 mm of clearance
    assert G1_CFG.init_state.pos == (0.0, 0.0, pytest.approx(0.79, abs=1e-3))
    assert tuple(G1_CFG.init_state.joint_pos) == G1_JOINTS
    bent = {joint: angle for joint, angle in G1_CFG.init_state.joint_pos.items() if angle}
    assert bent == {
        f"{side}_{joint}_joint": angle
        for side in ("left", "right")
        for joint, angle in (("hip_pitch", -0.1), ("knee", 0.3), ("ankle_pitch", -0.2))
    }
    assert len(G1_29DOF_CFG.init_state.joint_pos) == 29


def test_arms_pass_through_the_body_and_legs_do_not_pass_each_other() -> None:
    assert is_contactless("left_wrist_yaw_link", "torso_link", G1_DESCRIPTION)
    assert is_contactless("left_knee_link", "left_ankle_roll_link", G1_DESCRIPTION)
    assert not is_contactless("left_ankle_roll_link", "right_ankle_roll_link", G1_DESCRIPTION)
    assert not is_contactless("right_knee_link", "left_knee_link", G1_DESCRIPTION)


def test_what_loads_with_a_robot() -> None:
    """The configuration loads without a USD runtime, the description even without Isaac Lab."""
    described = "import sys, himloco_lab.robots.g1 as g1; print('isaaclab' in sys.modules); g1.G1_CFG;"
    code = described + "print([m for m in ('pxr', 'omni', 'carb', 'isaacsim') if m in sys.modules])"
    path = {"PYTHONPATH": ":".join(sys.path)}
    result = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-2:] == ["False", "[]"]
