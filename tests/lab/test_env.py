# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The G1 tasks in real physics, against numbers recomputed from the engine's raw state."""

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
from scipy import stats
from scipy.spatial.transform import Rotation

SIDES = ("left", "right")
LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
# HOMIE's order of joints (facts 4.2), typed out here on purpose
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
def on_flat(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("flat")
    return probe(folder, "Himloco-G1-Flat-v0", "ovphysx", "motion", "stand", "commands", "disturbances", "idle")


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


@pytest.fixture(scope="module")
def drawn(on_flat: dict[str, Any]) -> dict[str, Any]:
    return on_flat["commands"]


def frame_from_state(state: dict) -> np.ndarray:
    """HOMIE's 76 values, clean, from what the engine says (facts 4.2). Shape [N, 76]."""
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


@pytest.mark.parametrize("run", ["on_flat", "on_newton"])
def test_feet_stay_on_the_ground_at_any_friction(run: str, request: pytest.FixtureRequest) -> None:
    lowest = request.getfixturevalue(run)["stand"]["lowest_ankle"]
    # an ankle is 3.5 cm above a flat sole; a foot on its edge has it lower, by 2 cm at the most
    assert lowest[5:].min() > 0.01


def test_rewards_are_finite_and_all_33_there(rough: dict, flat_newton: dict) -> None:
    for found in (rough, flat_newton):
        assert len(found["rewards"]) == 33
        rewards = torch.stack([step["reward"] for step in found["steps"]])
        assert torch.isfinite(rewards).all()
        assert rewards.std() > 0


def test_commands_come_in_homies_proportions(drawn: dict) -> None:
    command = drawn["samples"].numpy()
    moving = np.abs(command[:, :3]).max(axis=1) > 0
    squats = command[:, 3] < 0.74 - 1e-6
    count = len(command)
    for share, expected in ((moving.mean(), 1 / 2), (squats.mean(), 1 / 3), ((~moving & ~squats).mean(), 1 / 6)):
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / count)
    assert not (moving & squats).any()
    for column, (low, high) in enumerate(((-0.8, 1.2), (-0.5, 0.5), (-0.8, 0.8))):
        assert stats.kstest(command[moving, column], stats.uniform(low, high - low).cdf).pvalue > 1e-3
    assert stats.kstest(command[squats, 3], stats.uniform(0.24, 0.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_arm_targets_follow_the_exponential_curriculum(drawn: dict, ratio: float) -> None:
    default, limits = drawn["default"].repeat(200, 1), drawn["limits"].repeat(200, 1, 1)
    limits[:, 0] = torch.tensor([-0.6, 0.6])  # the waist yaw, HOMIE's range
    move = drawn["targets"][ratio] - default
    share = torch.where(move > 0, move / (limits[..., 1] - default), move / (limits[..., 0] - default)).numpy()
    assert (share >= -1e-6).all() and (share <= 1 + 1e-6).all()
    assert abs((move > 0).float().mean() - 0.5) < 0.01

    # amplitude = r' U(0, 1) with r' ~ lam exp(-lam r') / (1 - exp(-lam)), lam = 20 (1 - 0.99 ratio):
    # P(r' U <= a) = int_0^1 min(1, a / r) p(r) dr, by quadrature
    rate = 20 * (1 - 0.99 * ratio)
    r = (np.arange(20000) + 0.5) / 20000
    density = rate * np.exp(-rate * r) / (1 - np.exp(-rate))
    grid = np.linspace(1e-4, 1, 400)
    cdf = np.array([(np.minimum(1, a / r) * density).mean() for a in grid])
    sample = np.random.default_rng(0).choice(share.ravel(), 4000, replace=False)
    assert stats.kstest(sample, lambda x: np.interp(x, grid, cdf)).pvalue > 1e-3
    # facts 2: mean amplitude .025, .050, .242 of the limit
    assert share.mean() == pytest.approx({0.0: 0.025, 0.5: 0.050, 1.0: 0.242}[ratio], rel=0.03)


def test_arms_move_in_a_straight_line_and_arrive(drawn: dict) -> None:
    path = torch.stack([step["command"] for step in drawn["path"]])  # [T, N, J]
    steps = path[1:] - path[:-1]
    target = drawn["path"][0]["target"]
    torch.testing.assert_close(path[0], drawn["default"])
    # one second is 50 steps; the fiftieth draws the next target, so this one is reached in 49
    torch.testing.assert_close(steps[:48], ((target - path[0]) / 49).expand(48, -1, -1), atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(path[49], target, atol=1e-5, rtol=0)


def test_the_delay_acts(drawn: dict) -> None:
    delays = torch.cat([step["delay"] for step in drawn["sent"]]).flatten()
    assert set(delays.tolist()) == {0, 1, 2, 3}
    for step in drawn["sent"]:
        for substep in range(4):
            late = (step["delay"] > substep).expand_as(step["now"])
            expected = torch.where(late, step["before"], step["now"])
            assert torch.equal(step["seen"][substep], expected)


def test_payloads_act_beside_the_mass_factors(drawn: dict) -> None:
    names = drawn["body_names"]
    factor = drawn["mass"] / drawn["default_mass"]
    payload_bodies = ["torso_link", "left_wrist_yaw_link", "right_wrist_yaw_link"]
    plain = [i for i, name in enumerate(names) if name not in (*payload_bodies, "pelvis")]
    assert torch.equal(drawn["mass"][:, names.index("pelvis")], drawn["default_mass"][:, names.index("pelvis")])
    assert factor[:, plain].min() >= 0.8 - 1e-5 and factor[:, plain].max() <= 1.2 + 1e-5
    assert factor[:, plain].min() < 0.82 and factor[:, plain].max() > 1.18
    torso = names.index("torso_link")
    added = drawn["mass"][:, torso] - drawn["default_mass"][:, torso]
    # 0.2 of the trunk's own mass is 1.6 kg: more than that can only come from the payload of -5 to 10 kg
    assert added.max() > 4.0 and added.min() < -2.5


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


def test_disturbances_grow_with_survival(on_flat: dict[str, Any]) -> None:
    """Ranges of facts 4.6 and 4.4 times the ratio; the hip pitch stands at -0.1, the knee at 0.3, the rest at 0."""
    found = on_flat["disturbances"]
    for ratio in (0.0, 0.5, 1.0):
        drawn = found[str(ratio)]
        assert drawn["velocity"].abs().amax() == pytest.approx(0.5 * ratio, rel=0.02, abs=1e-6)
        # U(0.8, 1.2) of 0.3 and U(-0.1, 0.1): 0.16 at most, at the knee
        most = float(drawn["joints"].abs().amax())
        assert 0.95 * 0.16 * ratio - 1e-6 <= most <= 0.16 * ratio + 1e-6
        command = drawn["command"]
        assert command[:, 3].min() == pytest.approx(0.74 - 0.5 * ratio, abs=0.02)
        # a quarter of the task's speeds at first
        share = 0.25 + 0.75 * ratio
        for axis, (low, high) in enumerate(((-0.8, 1.2), (-0.5, 0.5), (-0.8, 0.8))):
            assert command[:, axis].min() == pytest.approx(share * low, abs=0.05 * share)
            assert command[:, axis].max() == pytest.approx(share * high, abs=0.05 * share)
        # a push goes `ratio` of the way from 2 m/s to U(-0.5, 0.5)
        low, high = 2.0 - 2.5 * ratio, 2.0 - 1.5 * ratio
        assert drawn["pushed"].min() >= low - 1e-5 and drawn["pushed"].max() <= high + 1e-5
        assert drawn["pushed"].max() - drawn["pushed"].min() > 0.95 * ratio - 1e-5
    # 399 steps are no interval; 0.9 and 0.86 lift the ratio, 0.8 leaves it, 0.69 and 0.4 take it to 0 and no lower
    assert found["path"] == pytest.approx([0.0, 0.05, 0.1, 0.1, 0.05, 0.0, 0.0])
    assert found["state"]["ratio"] == pytest.approx(0.0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts wake-ups in /proc")
def test_an_idle_simulation_leaves_the_cores_alone(on_flat: dict[str, Any]) -> None:
    """A thread of ovphysx's sleeps for a microsecond at a time: 7,000 wake-ups a second, if one lets it."""
    assert on_flat["idle"]["wakeups"] < 4000


def test_physx_repeats_bit_for_bit(on_flat: dict[str, Any], tmp_path: Path) -> None:
    again = probe(tmp_path, "Himloco-G1-Flat-v0", "ovphysx", "motion")["motion"]
    assert torch.equal(on_flat["motion"]["states"], again["states"])
