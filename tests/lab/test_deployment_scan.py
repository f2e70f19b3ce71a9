# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false

"""What a policy sees of the ground in MuJoCo, against MuJoCo's own rays."""

from __future__ import annotations

import dataclasses

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from himloco_lab.deployment.manifest import Manifest, Tensor, Term
from himloco_lab.deployment.mujoco_sim import MujocoRobot, PolicyLoop
from himloco_lab.deployment.observations import ObservationBuilder
from himloco_lab.deployment.policy import ZeroPolicy, untrained_manifest
from himloco_lab.deployment.terrain import make_ground
from himloco_lab.robots.g1 import G1_DESCRIPTION
from himloco_lab.robots.height_field import HeightField

STAND = np.array([0.0, 0.0, 0.0, 0.74])
# HIMLoco: 17 x 11 points at 0.1 m, x runs fastest; clip(z - 0.5 - h, +-1) x 5
POINTS = tuple((round(0.1 * i, 1), round(0.1 * j, 1)) for j in range(-5, 6) for i in range(-8, 9))
SCAN = Term("height_scan", 187, 5.0, (-1.0, 1.0), points=POINTS, offset=0.5)


def _perceptive(scan: Term = SCAN) -> Manifest:
    """HOMIE's layout with a scan after the history."""
    base = untrained_manifest("himloco_lab.robots.g1:G1_DESCRIPTION")
    seen = dataclasses.replace(base.observation, extra=(scan,))
    return dataclasses.replace(base, observation=seen, input=Tensor("obs", 456 + scan.width))


def _grounds() -> dict[str, HeightField | None]:
    uneven = np.random.default_rng(1).uniform(-0.3, 0.2, (15, 20))  # not square, its middle not at a point
    kinds = {kind: make_ground(kind, 6, seed=2, reach=12.0) for kind in ("flat", "slope", "rough", "stairs")}
    return {**kinds, "uneven": HeightField(uneven, 0.3)}


GROUNDS = _grounds()


def _by_ray(robot: MujocoRobot, points: np.ndarray) -> np.ndarray:
    """Height of the ground where rays from far above meet it. They see geoms of group 0, where the robot has none."""
    group, hit = np.array([1, 0, 0, 0, 0, 0], np.uint8), np.zeros(1, np.int32)
    heights = []
    for x, y in points:
        start = np.array([x, y, 10.0])
        length = mujoco.mj_ray(robot.model, robot.data, start, np.array([0.0, 0.0, -1.0]), group, 1, -1, hit, None)
        assert robot.model.geom(int(hit[0])).name == "ground"
        heights.append(10.0 - length)
    return np.array(heights)


@pytest.mark.parametrize("kind", [kind for kind in GROUNDS if kind != "flat"])
def test_the_heights_are_those_that_rays_find(kind: str) -> None:
    """To the precision with which MuJoCo keeps heights."""
    ground = GROUNDS[kind]
    assert ground is not None
    robot = MujocoRobot(_perceptive(), G1_DESCRIPTION, ground)
    reach = 0.999 * np.array(ground.half_extent)
    points = np.random.default_rng(3).uniform(-reach, reach, (500, 2))
    expected = _by_ray(robot, points)
    assert np.ptp(expected) > 0.3
    np.testing.assert_allclose(ground.height_at(points), expected, atol=1e-6)
    # the corners of the cells are where the heights are given
    corner = np.array(ground.half_extent) - ground.cell * np.array([2.0, 1.0])
    assert ground.height_at(corner) == pytest.approx(ground.heights[-3, -2])
    assert ground.height_at(corner * [-1, 1]) == pytest.approx(ground.heights[2, -2])


def test_feet_meet_the_same_surface() -> None:
    """A robot that drops onto rough ground touches it where the heights say it is; bilinear ones are off by 5 cm."""
    ground = GROUNDS["rough"]
    assert ground is not None
    robot, generator, gaps = MujocoRobot(_perceptive(), G1_DESCRIPTION, ground), np.random.default_rng(4), []
    for _ in range(6):
        robot.reset()
        robot.data.qpos[:2] = generator.uniform(-6.0, 6.0, 2)
        robot.data.qpos[2] = 0.95 + ground.height_at(robot.data.qpos[:2])
        mujoco.mj_forward(robot.model, robot.data)
        for _ in range(30):
            robot.step(np.zeros(12))
            contacts = [contact for contact in robot.data.contact if "ground" in _names(robot, contact)]
            gaps += [c.pos[2] - ground.height_at(c.pos[:2]) for c in contacts if c.dist > -0.003]
    assert len(gaps) > 200
    assert np.abs(gaps).max() < 0.01  # measured 0.003 on level 9


def _names(robot: MujocoRobot, contact: mujoco.MjContact) -> list[str]:
    return [robot.model.geom(int(geom)).name for geom in contact.geom]


def test_beyond_the_edges_the_nearest_edge_counts() -> None:
    ground = HeightField(np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]), 2.0)  # x from -2 to 2, y from -1 to 1
    points = np.array([[[-9.0, -9.0], [9.0, 9.0]], [[0.0, 9.0], [9.0, 0.0]]])
    np.testing.assert_allclose(ground.height_at(points), [[0.0, 5.0], [3.0, 4.5]])


@pytest.mark.parametrize("kind", GROUNDS)
def test_a_leaning_robots_scan_is_what_rays_find_ahead_and_to_the_left(kind: str) -> None:
    """The points turn with the heading only, not with roll and pitch; the network sees them clipped and scaled."""
    manifest = _perceptive()
    robot = MujocoRobot(manifest, G1_DESCRIPTION, GROUNDS[kind])
    yaw, place = 2.2, np.array([-0.7, 0.4, 0.9])
    x, y, z, w = Rotation.from_euler("ZYX", [yaw, -0.5, 0.3]).as_quat()
    robot.data.qpos[:7] = [*place, w, x, y, z]
    mujoco.mj_forward(robot.model, robot.data)
    ahead, left = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    where = np.array([place[:2] + px * ahead + py * left for px, py in POINTS])
    above = 0.9 - _by_ray(robot, where)
    assert robot.state.height_scan == pytest.approx(above, abs=1e-6)
    seen = ObservationBuilder(manifest).observe(robot.state, STAND, np.zeros(12))
    assert seen.shape == (1, 643)
    np.testing.assert_allclose(seen[0, 456:], 5.0 * np.clip(above - 0.5, -1.0, 1.0), atol=1e-5)


def test_a_scan_may_stand_in_the_history_too() -> None:
    base = untrained_manifest("himloco_lab.robots.g1:G1_DESCRIPTION")
    seen = dataclasses.replace(base.observation, terms=(SCAN, *base.observation.terms))
    manifest = dataclasses.replace(base, observation=seen, input=Tensor("obs", 6 * (76 + 187)))
    robot = MujocoRobot(manifest, G1_DESCRIPTION)
    frame = ObservationBuilder(manifest).frame(robot.state, STAND, np.zeros(12))
    np.testing.assert_allclose(frame[:187], 5.0 * (manifest.spawn_height - 0.5))


def test_a_policy_with_a_scan_runs() -> None:
    """The whole loop, on stairs; what the policy is given is what the builder makes of the robot's state."""
    manifest, given = _perceptive(), []

    class Watching(ZeroPolicy):
        def __call__(self, observation: np.ndarray) -> np.ndarray:
            given.append(observation)
            return super().__call__(observation)

    robot = MujocoRobot(manifest, G1_DESCRIPTION, GROUNDS["stairs"])
    loop = PolicyLoop(manifest, robot, Watching(manifest))
    loop.reset()
    loop.step(STAND)
    robot.data.qpos[0] = 1.2  # the first edge crosses the middle of the scan
    mujoco.mj_forward(robot.model, robot.data)
    loop.step(STAND)
    assert [seen.shape for seen in given] == [(1, 643)] * 2
    rows = given[1][0, 456:].reshape(11, 17)  # y, x
    assert (rows[:, 16] > rows[:, 0] + 5.0 * 0.16).all()  # ahead the ground lies at least a step of 16.7 cm lower
    assert rows[:, 0] == pytest.approx(rows[0, 0])


@pytest.mark.parametrize("name", ["points", "offset"])
def test_a_scan_that_says_too_little(name: str) -> None:
    with pytest.raises(ValueError, match=r"height_scan.*points and offset"):
        _perceptive(dataclasses.replace(SCAN, **{name: None}))


def test_a_scan_of_another_width_or_twice() -> None:
    with pytest.raises(ValueError, match=r"height_scan.points has 186 values.*187"):
        _perceptive(dataclasses.replace(SCAN, points=POINTS[1:]))
    base = _perceptive()
    twice = dataclasses.replace(base.observation, extra=(SCAN, dataclasses.replace(SCAN)))
    with pytest.raises(ValueError, match=r"height_scan.*once"):
        dataclasses.replace(base, observation=twice, input=Tensor("obs", 456 + 2 * 187))
