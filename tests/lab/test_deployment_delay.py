# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Actions that come late, against targets worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from himloco_lab.deployment.mujoco_sim import MujocoRobot, PolicyLoop, run
from himloco_lab.deployment.policy import RandomPolicy, untrained_manifest
from himloco_lab.robots.g1 import G1_DESCRIPTION

MANIFEST = untrained_manifest("himloco_lab.robots.g1.g1_description:G1_DESCRIPTION")
KNEE, ELBOW = MANIFEST.joint_names.index("left_knee_joint"), MANIFEST.joint_names.index("left_elbow_joint")


@pytest.fixture
def robot() -> MujocoRobot:
    return MujocoRobot(MANIFEST, G1_DESCRIPTION)


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
