# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the flat G1 task draws and does to its robots in PhysX, against the ranges of HomieRL's g1_config.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from .test_env import assert_feet_stay_up, probe

EXPERIMENTS = ("motion", "stand", "commands", "randomization", "disturbances", "idle")


@pytest.fixture(scope="module")
def on_flat(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("flat")
    return probe(folder, "Himloco-G1-Flat-v0", "ovphysx", *EXPERIMENTS)


@pytest.fixture(scope="module")
def drawn(on_flat: dict[str, Any]) -> dict[str, Any]:
    return on_flat["commands"]


def test_feet_stay_on_the_ground(on_flat: dict[str, Any]) -> None:
    assert_feet_stay_up(on_flat)


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
    # of the truncated exponential: mean amplitude .025, .050, .242 of the limit
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


@pytest.fixture(scope="module")
def randomized(on_flat: dict[str, Any]) -> dict[str, Any]:
    return on_flat["randomization"]


def assert_uniform(values: torch.Tensor, low: float, high: float) -> None:
    """The values fill [low, high] evenly and never leave it."""
    sample = values.flatten().double().numpy()
    assert sample.min() >= low - 1e-5 and sample.max() <= high + 1e-5
    assert stats.kstest(sample, stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_each_robot_has_one_material_and_a_new_one_at_each_reset(randomized: dict[str, Any]) -> None:
    material = randomized["material"]  # [resets, N, shapes, 3]
    assert torch.equal(material, material[:, :, :1].expand_as(material))
    assert torch.equal(material[..., 0], material[..., 1])  # static and dynamic friction
    assert_uniform(material[:, :, 0, 0], 0.1, 3.0)
    assert_uniform(material[:, :, 0, 2], 0.0, 1.0)
    assert len(material[-1, :, 0, 0].unique()) > 8  # of 16 robots
    assert randomized["others_kept"]


def test_gains_of_the_legs_vary_joint_by_joint(randomized: dict[str, Any]) -> None:
    legs = torch.tensor([any(part in name for part in ("hip", "knee", "ankle")) for name in randomized["motors"]])
    assert legs.sum() == 12
    for name in ("stiffness", "damping"):
        factors = randomized[name]  # [resets, N, J]; of the nominal gains, not of those before
        assert_uniform(factors[..., legs], 0.9, 1.1)
        assert (factors[..., ~legs] == 1.0).all()
    between = torch.corrcoef(
        torch.stack((randomized["stiffness"][..., legs], randomized["damping"][..., legs])).flatten(1)
    )
    assert between[0, 1].abs() < 0.05


def test_only_the_trunks_center_of_mass_moves(randomized: dict[str, Any]) -> None:
    moved = randomized["com"]  # [N, bodies, 3]
    trunk = randomized["bodies"].index("torso_link")
    assert_uniform(moved[:, trunk], -0.1, 0.1)
    moved[:, trunk] = 0.0
    assert moved.abs().max() < 1e-6


def test_robots_start_anywhere_near_the_middle_and_face_anywhere(randomized: dict[str, Any]) -> None:
    start = randomized["start"]
    assert_uniform(start[..., :2], -0.5, 0.5)
    assert start[..., 2].numpy() == pytest.approx(0.7896, abs=1e-4)
    assert_uniform(randomized["yaw"], -np.pi, np.pi)


def test_torques_have_an_offset_per_episode_and_noise_per_step(randomized: dict[str, Any]) -> None:
    shares = randomized["torque_shares"]  # [episodes, steps, N, 12]; both parts ±0.05
    assert shares.abs().max() <= 0.1 + 1e-6
    # the sum of two uniform numbers is triangular
    sample = shares[:, 0].flatten().numpy()
    assert stats.kstest(sample, stats.triang(0.5, -0.1, 0.2).cdf).pvalue > 1e-3
    assert_offset_and_noise(shares)


def assert_offset_and_noise(shares: torch.Tensor) -> None:
    """Half of the variance stays within an episode, nothing from one to the next."""
    first, second, other = (part.flatten() for part in (shares[:-1, 0], shares[:-1, 1], shares[1:, 0]))
    assert torch.corrcoef(torch.stack((first, second)))[0, 1] == pytest.approx(0.5, abs=0.05)
    assert torch.corrcoef(torch.stack((first, other)))[0, 1].abs() < 0.05


def test_motors_are_springs_and_dampers_up_to_their_limits(randomized: dict[str, Any]) -> None:
    """τ = clip(kp (q* − q) − kd q̇ + τ₀, ±τ_max), with the randomized gains and torques."""
    pd = randomized["pd"]
    wanted = pd["stiffness"] * (pd["target"] - pd["position"]) - pd["damping"] * pd["velocity"] + pd["feed_forward"]
    expected = torch.minimum(torch.maximum(wanted, -pd["limit"]), pd["limit"])
    torch.testing.assert_close(pd["applied"], expected, rtol=1e-4, atol=1e-3)
    assert (wanted.abs() > pd["limit"]).any() and (wanted.abs() < pd["limit"]).any()
    assert pd["feed_forward"].abs().max() > 1.0


def test_disturbances_grow_with_survival(on_flat: dict[str, Any]) -> None:
    """The task's ranges times the ratio; the hip pitch stands at -0.1, the knee at 0.3, the rest at 0."""
    found = on_flat["disturbances"]
    for ratio in (0.0, 0.5, 1.0):
        drawn = found[str(ratio)]
        assert drawn["velocity"].abs().amax() == pytest.approx(0.5 * ratio, rel=0.02, abs=1e-6)
        # U(0.8, 1.2) of 0.3 and U(-0.1, 0.1): 0.16 at most, at the knee
        most = float(drawn["joints"].abs().amax())
        assert 0.9 * 0.16 * ratio - 1e-6 <= most <= 0.16 * ratio + 1e-6
        command = drawn["command"]
        assert command[:, 3].min() == pytest.approx(0.74 - 0.5 * ratio, abs=0.02)
        # six tenths of the task's speeds at first
        share = 0.6 + 0.4 * ratio
        for axis, (low, high) in enumerate(((-0.8, 1.2), (-0.5, 0.5), (-0.8, 0.8))):
            assert command[:, axis].min() == pytest.approx(share * low, abs=0.05 * share)
            assert command[:, axis].max() == pytest.approx(share * high, abs=0.05 * share)
        # a third of HOMIE's commands squat; the rest of the fourth that do not move stand
        resting = (command[:, :3] == 0.0).all(dim=1).float().mean()
        assert resting == pytest.approx(1 / 6 + ratio / 3, abs=0.04)
        # HOMIE's weights at the end, and what makes a beginner step at first
        own = {"tracking_x_vel": 1.5, "tracking_y_vel": 1.0, "no_fly": 0.75, "smoothness": -0.05}
        first = {"tracking_x_vel": 3.0, "tracking_y_vel": 1.5, "no_fly": 2.5, "smoothness": -0.02}
        between = {name: (1 - ratio) * first[name] + ratio * own[name] for name in own}
        assert drawn["weights"] == pytest.approx(between)
        # a push goes `ratio` of the way from 2 m/s to U(-0.5, 0.5)
        low, high = 2.0 - 2.5 * ratio, 2.0 - 1.5 * ratio
        assert drawn["pushed"].min() >= low - 1e-5 and drawn["pushed"].max() <= high + 1e-5
        assert drawn["pushed"].max() - drawn["pushed"].min() > 0.95 * ratio - 1e-5
    # 399 steps are no interval; 0.9 and 0.76 lift the ratio, 0.7 leaves it, 0.59 and 0.4 take it to 0 and no lower
    assert found["path"] == pytest.approx([0.0, 0.05, 0.1, 0.1, 0.05, 0.0, 0.0])
    assert found["state"]["ratio"] == pytest.approx(0.0)
    assert "first_weights names no_fli" in found["refused"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts wake-ups in /proc")
def test_an_idle_simulation_leaves_the_cores_alone(on_flat: dict[str, Any]) -> None:
    """A thread of ovphysx's sleeps for a microsecond at a time: 7,000 wake-ups a second, if one lets it."""
    assert on_flat["idle"]["wakeups"] < 4000


def test_physx_repeats_bit_for_bit(on_flat: dict[str, Any], tmp_path: Path) -> None:
    again = probe(tmp_path, "Himloco-G1-Flat-v0", "ovphysx", "motion")["motion"]
    assert torch.equal(on_flat["motion"]["states"], again["states"])
