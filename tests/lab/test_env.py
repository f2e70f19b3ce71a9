# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the G1 tasks show and reward in real physics, against numbers recomputed from the engine's raw state."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

SIDES = ("left", "right")
LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
# HOMIE's order of joints, typed out here on purpose
JOINTS = [
    *(f"{side}_{joint}_joint" for side in SIDES for joint in LEG),
    "waist_yaw_joint",
    *(f"{side}_{joint}_joint" for side in SIDES for joint in ARM),
]
FRAME = [
    ("velocity_command", 3),
    ("height_command", 1),
    ("base_ang_vel", 3),
    ("projected_gravity", 3),
    ("joint_pos", 27),
    ("joint_vel", 27),
    ("actions", 12),
]
NOISE = np.concatenate(
    [np.zeros(4), np.full(3, 0.25), np.full(3, 0.05), np.full(27, 0.02), np.full(27, 0.1), np.zeros(12)]
)


def probe(folder: Path, task: str, physics: str, *experiments: str, script: str = "env_probe.py") -> dict[str, Any]:
    """Run experiments one after the other in a process of their own: starting one takes longer than most of them."""
    out = folder / "-".join((task, physics, *experiments))
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    path = str(Path(__file__).with_name(script))
    command = [sys.executable, path, task, physics, ",".join(experiments), str(out)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=550)
    assert out.is_file(), f"exit code {result.returncode}:\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
    return torch.load(out, weights_only=True)


@pytest.fixture(scope="module")
def on_rough(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("rough")
    return probe(folder, "Himloco-G1-Rough-v0", "ovphysx", "observe", "scan", "curricula")


@pytest.fixture(scope="module")
def on_newton(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("newton")
    return probe(folder, "Himloco-G1-Flat-v0", "newton_mjwarp", "observe", "stand")


@pytest.fixture(scope="module")
def rough(on_rough: dict[str, Any]) -> dict[str, Any]:
    return on_rough["observe"]


@pytest.fixture(scope="module")
def flat_newton(on_newton: dict[str, Any]) -> dict[str, Any]:
    return on_newton["observe"]


def frame_from_state(state: dict) -> np.ndarray:
    """HOMIE's 76 values, clean, from what the engine says. Shape [N, 76]."""
    order = [state["joint_names"].index(name) for name in JOINTS]
    rotation = Rotation.from_quat(state["quat"].numpy())  # scipy, too, puts the scalar last
    return np.concatenate(
        [
            state["command"].numpy() * [2.0, 2.0, 0.5, 1.0],
            rotation.inv().apply(state["ang_vel_w"].numpy()) * 0.5,
            rotation.inv().apply([0.0, 0.0, -1.0]),
            (state["joint_pos"] - state["default_joint_pos"]).numpy()[:, order],
            state["joint_vel"].numpy()[:, order] * 0.05,
            state["action"].numpy(),
        ],
        axis=1,
    )


@pytest.mark.parametrize("run", ["rough", "flat_newton"])
def test_groups_hold_the_terms_in_homies_order(run: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(run)
    names, sizes = [name for name, _ in FRAME], [size for _, size in FRAME]
    scan = [("height_scan", 187)] if run == "rough" else []
    assert found["terms"]["policy"] == names
    assert found["dims"]["policy"] == [(6 * size,) for size in sizes]
    assert found["terms"]["critic"] == [*names, "base_lin_vel", *(name for name, _ in scan)]
    assert found["dims"]["critic"] == [(size,) for size in [*sizes, 3, *(size for _, size in scan)]]
    assert found["terms"]["estimator"] == [*names[2:], "base_lin_vel"]
    assert found["first"]["policy"].shape == (16, 456)
    assert found["first"]["estimator"].shape == (16, 75)


@pytest.mark.parametrize("run", ["rough", "flat_newton"])
def test_the_critic_sees_the_clean_frame(run: str, request: pytest.FixtureRequest) -> None:
    for step in request.getfixturevalue(run)["steps"]:
        alive = ~step["done"].numpy()  # the state of a robot that was just put back is refreshed one step later
        expected = frame_from_state(step["state"])
        velocity = Rotation.from_quat(step["state"]["quat"].numpy()).inv().apply(step["state"]["lin_vel_w"].numpy()) * 2
        critic, estimator = step["obs"]["critic"].numpy(), step["obs"]["estimator"].numpy()
        np.testing.assert_allclose(critic[alive, :76], expected[alive], atol=2e-4)
        np.testing.assert_allclose(critic[alive, 76:79], velocity[alive], atol=2e-4)
        np.testing.assert_allclose(estimator[alive, :72], expected[alive, 4:], atol=2e-4)
        np.testing.assert_allclose(estimator[alive, 72:], velocity[alive], atol=2e-4)


@pytest.mark.parametrize("run", ["rough", "flat_newton"])
def test_the_policy_sees_six_noisy_frames_oldest_first(run: str, request: pytest.FixtureRequest) -> None:
    steps = request.getfixturevalue(run)["steps"]
    deviations = []
    for before, now in itertools.pairwise(steps):
        frames = now["obs"]["policy"].view(16, 6, 76).numpy()
        alive = ~now["done"].numpy()
        np.testing.assert_array_equal(frames[alive, :5], before["obs"]["policy"].view(16, 6, 76).numpy()[alive, 1:])
        deviations.append((frames[:, 5] - now["obs"]["critic"].numpy()[:, :76])[alive])
    deviation = np.abs(np.concatenate(deviations))
    assert (deviation <= NOISE + 1e-5).all()
    # and the noise is there: its largest value comes close to the half-width in every noisy column
    noisy = NOISE > 0
    assert (deviation.max(axis=0)[noisy] > 0.7 * NOISE[noisy]).all()


@pytest.mark.parametrize("run", ["rough", "flat_newton"])
def test_a_reset_fills_the_history_with_the_first_observation(run: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(run)
    first = found["first"]["policy"].view(16, 6, 76)
    assert torch.equal(first, first[:, -1:].expand_as(first))
    again = found["end"]["obs"]["policy"].view(16, 6, 76)[[3, 5]]
    assert torch.equal(again, again[:, -1:].expand_as(again))
    assert not torch.equal(found["end"]["obs"]["policy"][0, :76], found["end"]["obs"]["policy"][0, -76:])


@pytest.mark.parametrize("run", ["rough", "flat_newton"])
def test_a_fall_ends_and_the_terrains_edge_times_out(run: str, request: pytest.FixtureRequest) -> None:
    end = request.getfixturevalue(run)["end"]
    assert end["terms"]["bad_orientation"][3] and end["terminated"][3] and not end["truncated"][3]
    assert end["terms"]["terrain_out_of_bounds"][5] and end["truncated"][5] and not end["terminated"][5]
    # a fall when the time is up, or beyond the edge, is a fall: nothing to bootstrap from
    assert end["terminated"][[7, 9]].all() and not end["truncated"][[7, 9]].any()
    # the terminal observation is the fallen robot's, the returned one a standing robot's
    assert end["final_obs"]["critic"][3, 9] > -0.6
    assert end["obs"]["critic"][3, 9] < -0.95


@pytest.mark.parametrize("run", ["rough", "flat_newton"])
def test_the_trunk_can_touch_the_ground(run: str, request: pytest.FixtureRequest) -> None:
    end = request.getfixturevalue(run)["end"]
    assert end["terms"]["base_contact"][[6, 7]].all()  # on their heads
    assert not end["terms"]["base_contact"][3]  # on its back, but in the air


@pytest.mark.parametrize("run", ["rough", "flat_newton"])
def test_the_terminal_observation_is_the_clean_frame(run: str, request: pytest.FixtureRequest) -> None:
    end = request.getfixturevalue(run)["end"]
    for robot in (3, 6):
        expected = frame_from_state(end["before_reset"])[robot]
        np.testing.assert_allclose(end["final_obs"]["critic"][robot, :76].numpy(), expected, atol=2e-4)
        np.testing.assert_allclose(end["final_obs"]["estimator"][robot, :72].numpy(), expected[4:], atol=2e-4)


def assert_feet_stay_up(run: dict[str, Any]) -> None:
    """At any friction: an ankle is 3.5 cm above a flat sole; a foot on its edge has it lower, by 2 cm at the most."""
    assert run["stand"]["lowest_ankle"][5:].min() > 0.01


def test_feet_stay_on_the_ground_in_newton(on_newton: dict[str, Any]) -> None:
    assert_feet_stay_up(on_newton)


def test_rewards_are_finite_and_all_33_there(rough: dict, flat_newton: dict) -> None:
    for found in (rough, flat_newton):
        assert len(found["rewards"]) == 33
        rewards = torch.stack([step["reward"] for step in found["steps"]])
        assert torch.isfinite(rewards).all()
        assert rewards.std() > 0


def test_the_height_map_sees_what_rays_see(on_rough: dict[str, Any]) -> None:
    found = on_rough["scan"]
    difference = (found["map"] - found["rays"]).abs()
    assert found["rays"].std() > 0.05  # there is something to see
    assert difference.median() < 2e-3
    # the edges of steps: half the map's resolution sideways
    assert (difference > 0.02).float().mean() < 0.12


def test_levels_and_reach_follow_the_tracking(on_rough: dict[str, Any]) -> None:
    found = on_rough["curricula"]
    assert found["levels"].tolist() == [5] * 4 + [4] * 4 + [4] * 4 + [3] * 4
    assert found["origins_match"]
    assert found["ratios"] == pytest.approx([0.0, 0.05, 0.10, 0.10, 0.15])
    assert found["restored"]["levels"].tolist() == found["levels"].tolist()
    assert found["restored"]["ratio"] == pytest.approx(0.15)
    assert found["restored"]["counter"] == found["counter"]
