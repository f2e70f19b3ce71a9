# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module has types for half of what it holds)

"""The tour in MuJoCo: what makes it fast changes no number."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import mujoco
import numpy as np
import pytest

from himloco_lab.deployment.mujoco_sim import MujocoRobot, PolicyLoop, Wrench
from himloco_lab.deployment.policy import RandomPolicy, untrained_manifest
from himloco_lab.evaluation.mujoco_arena import MujocoArena, with_physics_dt
from himloco_lab.evaluation.tour import PHYSICS_DT, TourRecording, make_plan, run_tour
from himloco_lab.robots.g1 import G1_DESCRIPTION

MANIFEST = with_physics_dt(untrained_manifest("himloco_lab.robots.g1.g1_description:G1_DESCRIPTION"), PHYSICS_DT)
LIMITS = np.array([[-0.8, -0.5, -0.8], [1.2, 0.5, 0.8]])


def tour(robots: Sequence[int]) -> TourRecording:
    arena = MujocoArena(MANIFEST, G1_DESCRIPTION, lambda number: RandomPolicy(MANIFEST, number), robots)
    return run_tour(arena, make_plan(robots, 3, len(arena.links)), LIMITS, 0.74, 3, duration=1.5)


@pytest.fixture(scope="module")
def three() -> TourRecording:
    return tour(range(3))


def test_a_robots_numbers_do_not_depend_on_who_else_is_there(three: TourRecording) -> None:
    """Bit for bit until the fall, although the others go on, or end the tour, at other times."""
    assert 0 < three.alive[:, 2].sum() < len(three.alive), "it must fall, or nothing is shown"
    alone = tour([2])
    for name in ("alive", "position_error", "yaw_error", "power", "acceleration"):
        together, single = getattr(three, name)[:, 2], getattr(alone, name)[:, 0]
        np.testing.assert_array_equal(together[three.alive[:, 2]], single[three.alive[:, 2]], err_msg=name)
    np.testing.assert_array_equal(three.alive[:, 2], alone.alive[:, 0])


def test_the_physics_is_the_plain_pd_law_step_by_step() -> None:
    """Against a second robot that is stepped as one would write it down: state and work agree bit for bit."""
    fast = PolicyLoop(MANIFEST, MujocoRobot(MANIFEST, G1_DESCRIPTION, seed=5, reset_noise=0.02), RandomPolicy(MANIFEST))
    plain = MujocoRobot(MANIFEST, G1_DESCRIPTION, seed=5, reset_noise=0.02)
    model, data = plain.model, plain.data
    joints = [model.joint(name) for name in MANIFEST.joint_names]
    qpos = [int(joint.qposadr[0]) for joint in joints]
    qvel = [int(joint.dofadr[0]) for joint in joints]
    motors = [model.actuator(name).id for name in MANIFEST.joint_names]
    gains = np.array([dataclasses.astuple(joint)[1:5] for joint in MANIFEST.joints]).T
    default, stiffness, damping, limit = gains
    work, most, command = 0.0, 0.0, np.array([0.0, 0.0, 0.0, 0.74])
    arm = next(joint.name for joint in MANIFEST.joints if joint.driven_by == "command")
    for step in range(30):
        push = Wrench("torso_link", (40.0, -20.0, 5.0)) if step >= 10 else None
        fast.step(command, {arm: 2.0}, wrench=push)
        target = default.copy()
        target[MANIFEST.joint_names.index(arm)] = 2.0
        for name, action in zip(MANIFEST.action.joints, fast.last_action, strict=True):
            index = MANIFEST.joint_names.index(name)
            target[index] = default[index] + 0.25 * np.clip(action, -100.0, 100.0)
        data.xfrc_applied[:] = 0.0
        if push is not None:
            data.xfrc_applied[model.body("torso_link").id, :3] = push.force
        for _ in range(MANIFEST.timing.decimation):
            torque = np.clip(stiffness * (target - data.qpos[qpos]) - damping * data.qvel[qvel], -limit, limit)
            data.ctrl[motors], most = torque, max(most, float(np.abs(torque / limit).max()))
            work += float(np.abs(torque * data.qvel[qvel]).sum()) * MANIFEST.timing.physics_dt
            mujoco.mj_step2(model, data)
            mujoco.mj_step1(model, data)
        np.testing.assert_array_equal(fast.robot.data.qpos, data.qpos)
        np.testing.assert_array_equal(fast.robot.data.qvel, data.qvel)
        assert fast.robot.energy == work
    assert most == 1.0, "a limit must have been reached, or the clip shows nothing"
