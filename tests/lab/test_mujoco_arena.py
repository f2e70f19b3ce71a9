# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module has types for half of what it holds)

"""Robots in MuJoCo for the suites: what makes it fast changes no number, and what is done is not done again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch

from himloco_lab.deployment.manifest import ManifestError
from himloco_lab.deployment.mujoco_sim import MujocoRobot, PolicyLoop, Wrench
from himloco_lab.deployment.policy import RandomPolicy, untrained_manifest
from himloco_lab.evaluation import mujoco_arena
from himloco_lab.evaluation.mujoco_arena import MujocoArena, find_mujoco_policy, measure, with_physics_dt
from himloco_lab.evaluation.suites import Job, load, save
from himloco_lab.evaluation.tour import PHYSICS_DT, TourRecording, make_plan, run_tour
from himloco_lab.evaluation.tracking import Recording
from himloco_lab.robots.g1 import G1_DESCRIPTION

ROBOT = "himloco_lab.robots.g1:G1_DESCRIPTION"
MANIFEST = with_physics_dt(untrained_manifest(ROBOT), PHYSICS_DT)
REST = (0.0, 0.0, 0.0, 0.74)
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


def test_a_recording_survives_its_file_bit_for_bit(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    alive, values = draw.random((4, 2)) > 0.5, draw.standard_normal((4, 4, 2))
    links = np.full((12, 2), "left_knee_link")
    punches = {"punch_time": draw.random((12, 2)), "punch_force": draw.random((12, 2)), "punch_link": links}
    tour = TourRecording(0.02, alive, *values, **punches)
    shapes = {"measured": (4, 2, 4), "contacts": (4, 2, 2), "pose": (4, 2, 3), "estimate": (4, 2, 3)}
    series = {
        name: draw.standard_normal(shapes.get(name, (4, 2))) for name in [*shapes, "power", "foot_speed", "actions"]
    }
    series["estimate"][:] = np.nan
    tracking = Recording(0.02, 100, 33.3, command=np.ones((2, 4)), rest=np.zeros(4), alive=alive, **series)
    for recording in (tour, tracking):
        save(recording, tmp_path / "0.npz")
        back = load(tmp_path / "0.npz")
        assert type(back) is type(recording)
        for name, value in vars(recording).items():
            np.testing.assert_array_equal(
                getattr(back, name), value, err_msg=name, strict=isinstance(value, np.ndarray)
            )
        assert type(back.dt) is float
    assert [path.name for path in tmp_path.iterdir()] == ["0.npz"]


def test_what_was_done_before_is_read_and_only_the_rest_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mujoco_arena, "SLICE", 2)
    zero = find_mujoco_policy("zero", None, ROBOT)
    job = Job("tracking", 7, 0.02, np.tile(REST, (6, 1)), REST, LIMITS)
    kept, again = tmp_path / "kept", tmp_path / "again"
    for folder, first in ((kept, 2), (again, 4)):
        folder.mkdir()
        mujoco_arena._measure_slice(zero, job, folder, range(first, first + 2))
    marked = load(kept / "2.npz")
    assert isinstance(marked, Recording)
    marked.power[:] = 1234.5  # as nobody would measure it
    save(marked, kept / "2.npz")

    seen: list[int] = []
    joined = measure(zero, job, kept, seen.append)
    assert seen[0] == 2 and sum(seen) == 6
    assert (joined.power[:, 2:4] == 1234.5).all() and (joined.power[:, [0, 1, 4, 5]] < 1234.5).all()
    alone = load(again / "4.npz")
    assert isinstance(alone, Recording)
    np.testing.assert_array_equal(joined.measured[:, 4:], alone.measured)
    assert not kept.exists()


class Linear(torch.nn.Module):
    """Actions by a matrix."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(torch.randn(inputs, 12, generator=torch.Generator().manual_seed(2)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weights


def test_a_torchscript_file_acts_in_mujoco_and_one_of_another_layout_is_refused(tmp_path: Path) -> None:
    fits, other = tmp_path / "fits.pt", tmp_path / "other.pt"
    torch.jit.script(Linear(456)).save(str(fits))
    torch.jit.script(Linear(450)).save(str(other))
    seen = np.random.default_rng(0).standard_normal((1, 456)).astype(np.float32)
    actions = find_mujoco_policy("fits", fits, ROBOT).make_policy(0, 0)(seen)
    np.testing.assert_allclose(actions, seen[0] @ Linear(456).weights.detach().numpy(), rtol=1e-5, atol=1e-5)
    with pytest.raises(ManifestError, match=r"other\.pt .* cannot take .*\[N, 456\]"):
        find_mujoco_policy("other", other, ROBOT)
