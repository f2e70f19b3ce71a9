# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false
# (the compiled modules used here, Pinocchio's and MuJoCo's, have few types)

"""What films are made of: poses, ground, words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import mujoco
import numpy as np
import pinocchio as pin
import pytest
import torch

from himloco_lab.deployment.video import write_table
from himloco_lab.playing.film import GroundWindow, place
from himloco_lab.robots.g1 import G1_DESCRIPTION
from himloco_lab.robots.height_field import HeightField
from himloco_lab.robots.mjcf_builder import make_spec, replace_ground


def test_a_pose_in_isaac_labs_terms_against_pinocchio() -> None:
    """Pinocchio, too, puts a quaternion's scalar last."""
    oracle = pin.buildModelFromUrdf(str(G1_DESCRIPTION.urdf.locate()), pin.JointModelFreeFlyer())
    locked = [oracle.getJointId(name) for name in G1_DESCRIPTION.locked_joints]
    oracle = pin.buildReducedModel(oracle, locked, pin.neutral(oracle))
    expected, rng = oracle.createData(), np.random.default_rng(0)
    model = make_spec(G1_DESCRIPTION, timestep=0.005, visuals=False).compile()
    data = mujoco.MjData(model)
    for _ in range(10):
        root = pin.SE3(pin.exp3(rng.uniform(-2.0, 2.0, 3)), rng.uniform(-1.0, 1.0, 3))
        joints = {name: rng.uniform(*model.joint(name).range) for name in rng.permutation(G1_DESCRIPTION.joints)}
        q = pin.neutral(oracle)
        q[:7] = pin.SE3ToXYZQUAT(root)
        for name, position in joints.items():
            q[oracle.joints[oracle.getJointId(name)].idx_q] = position
        pin.framesForwardKinematics(oracle, expected, q)
        place(model, data, pin.SE3ToXYZQUAT(root), joints)
        for link in ("pelvis", "torso_link", "left_wrist_yaw_link", "right_ankle_roll_link"):
            frame = expected.oMf[oracle.getFrameId(link)]
            body = _any_link(model, data, link)
            np.testing.assert_allclose(body.xpos, frame.translation, atol=1e-5)
            np.testing.assert_allclose(body.xmat.reshape(3, 3), frame.rotation, atol=1e-5)


def _any_link(model: mujoco.MjModel, data: mujoco.MjData, link: str) -> Any:
    """A link that may have been merged into a body, and is a site then."""
    return data.body(link) if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, link) >= 0 else data.site(link)


@dataclass
class Slope:
    """Ground that rises along x and y, endlessly."""

    along_x: float
    along_y: float
    device: str = "cpu"

    @property
    def level(self) -> float | None:
        return None if self.along_x or self.along_y else 0.0

    def height_at(self, points: torch.Tensor) -> torch.Tensor:
        return self.along_x * points[..., 0] + self.along_y * points[..., 1]


def _hit(model: mujoco.MjModel, data: mujoco.MjData, x: float, y: float) -> float:
    """Height at which a ray from above meets the ground [m]."""
    down, who = np.array([0.0, 0.0, -1.0]), np.zeros(1, dtype=np.int32)
    return 100.0 - mujoco.mj_ray(model, data, np.array([x, y, 100.0]), down, None, 1, 1, who)


def test_the_ground_goes_along_and_keeps_its_heights() -> None:
    slope = Slope(0.2, -0.1)
    window = GroundWindow(cast("Any", slope))
    field = window.field()
    assert field is not None
    spec = make_spec(G1_DESCRIPTION, timestep=0.005, terrain=field, visuals=False)
    for geom in spec.geoms:
        if geom.name != "ground":
            geom.pos = [0.0, 0.0, -50.0]  # out of the rays' way
    model = spec.compile()
    data = mujoco.MjData(model)
    for x, y, moves in ((0.5, -1.5, False), (2.5, 0.0, True), (3.9, 0.3, False), (40.0, -70.0, True)):
        assert window.follow(np.array([x, y, 0.8]), model) is moves
        mujoco.mj_forward(model, data)
        for dx, dy in ((0.0, 0.0), (3.03, -2.52), (-3.97, 3.01)):
            # a height field is straight between its samples, as a slope is
            found = _hit(model, data, x + dx, y + dy)
            assert found == pytest.approx(0.2 * (x + dx) - 0.1 * (y + dy), abs=1e-4)
    assert window.height_at(np.array([1.0, 2.0, 9.0])) == pytest.approx(0.0)


def test_level_ground_needs_no_heights() -> None:
    window = GroundWindow(cast("Any", Slope(0.0, 0.0)))
    assert window.field() is None
    assert not window.follow(np.array([30.6, 0.0, 0.8]), cast("Any", None))


def test_another_grid_is_refused() -> None:
    model = make_spec(
        G1_DESCRIPTION, timestep=0.005, terrain=HeightField(np.zeros((4, 6)), 0.1), visuals=False
    ).compile()
    for other in (HeightField(np.zeros((6, 4)), 0.1), HeightField(np.zeros((4, 5)), 0.1)):
        with pytest.raises(ValueError, match="cannot become"):
            replace_ground(model, other)


def test_words_change_their_own_cell_only() -> None:
    """As many rows and columns of pixels as the layout says: cell (1, 2) of a table of 2 x 4."""
    empty = np.full((480, 640, 3), 200, dtype=np.uint8)
    first = write_table(empty, [["", "a", "b", "c"], ["command", "0.50", "0.00", "0.00"]])
    second = write_table(empty, [["", "a", "b", "c"], ["command", "0.50", "-1.23", "0.00"]])
    rows, columns = np.nonzero((first != second).any(axis=-1))
    assert rows.min() >= 28 and rows.max() < 52
    assert columns.min() >= 320 and columns.max() < 480
    assert (first[60:] == 200).all()
    assert (empty == 200).all()
    assert (first[:56].max(axis=-1) > 240).sum() > 100
