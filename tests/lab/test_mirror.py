# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module tells a type checker nothing about itself)

"""Physics itself against the mirror map: a robot and its mirror image, in PhysX (see mirror_probe.py).

Where nothing touches, the two differ by rounding alone, which the flailing limbs amplify: that is where signs and
rewards are compared closely. Contacts are another matter. A robot that
lands in PhysX does not land quite as its mirror image does, to 0.1 in an observation and mostly in the yaw rate, with
the solver's 4 iterations as with 64. There the differences are compared with those between robots that have nothing to
do with each other.

The G1 itself is not quite symmetric: its trunk's center of mass lies 0.3 mm off the middle. mirror_probe.py evens that
out, or it would be all that the first steps show.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest
import torch

from himloco_lab.deployment.manifest import Manifest
from himloco_lab.deployment.mujoco_sim import MujocoRobot
from himloco_lab.deployment.observations import ObservationBuilder
from himloco_lab.robots.g1 import G1_DESCRIPTION
from himloco_lab.robots.height_field import HeightField

from .test_env import FRAME, probe

PAIRS = 8
FLIGHT_START, FLIGHT = 5e-4, 1e-2
"""Largest difference of an observation in flight: within ten steps (measured 9e-5), within fifty (2.4e-3)."""
FLIGHT_REWARD = 5e-3
"""Largest difference of a reward term in flight, as a share of the term's largest value (measured 1.3e-3)."""
NEVER_SEEN = {"feet_air_time", "feet_ground_parallel", "feet_stumble"}
"""Terms that need steps or stairs; hand-made states test them (test_rewards_feet.py)."""


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    experiments = ("flight", "wrong_sign", "violent", "standing")
    folder = tmp_path_factory.mktemp("mirror")
    return probe(folder, "Himloco-G1-Flat-v0", "ovphysx", *experiments, script="mirror_probe.py")


@pytest.fixture(scope="module")
def perceptive(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("scan")
    return probe(folder, "Himloco-G1-Rough-Perceptive-v0", "ovphysx", "scan", script="mirror_probe.py")["scan"]


def images(run: dict[str, Any], group: str) -> tuple[torch.Tensor, torch.Tensor]:
    """What the map makes of the originals' observations, and what their mirror images saw, both [T, P, D]."""
    index, sign = run["maps"][group]
    values = run["obs"][group]
    return values[:, :PAIRS].index_select(-1, index) * sign, values[:, PAIRS:]


def share(run: dict[str, Any], steps: slice = slice(None)) -> dict[str, float]:
    """Largest difference of each reward term that is not always 0, as a share of the term's largest value."""
    original, image = run["rewards"][steps, :PAIRS], run["rewards"][steps, PAIRS:]
    size = original.abs().amax((0, 1))
    difference = (original - image).abs().amax((0, 1))
    return {n: float(d / s) for n, d, s in zip(run["reward_names"], difference, size, strict=True) if s > 0}


@pytest.mark.parametrize("group", ["policy", "critic", "estimator"])
def test_observations_of_the_image_are_the_mirrored_observations(flat: dict[str, Any], group: str) -> None:
    mirrored, seen = images(flat["flight"], group)
    assert (mirrored - seen)[:10].abs().max() < FLIGHT_START
    assert (mirrored - seen).abs().max() < FLIGHT


@pytest.mark.parametrize("group", ["policy", "critic", "estimator"])
def test_every_sign_and_every_partner_matters(flat: dict[str, Any], group: str) -> None:
    """With one sign flipped, or one value left on its side, the comparison above fails, for each column."""
    run = flat["flight"]
    mirrored, seen = images(run, group)
    flipped = (-mirrored - seen).abs().amax((0, 1))
    assert flipped.min() > FLIGHT
    own = run["obs"][group][:, :PAIRS] * run["maps"][group][1]
    swapped = run["maps"][group][0] != torch.arange(own.shape[-1])
    assert swapped.float().mean() > 0.7  # joints and actions but the waist
    assert (own - seen).abs().amax((0, 1))[swapped].min() > FLIGHT


@pytest.mark.parametrize("group", ["policy", "critic", "estimator"])
def test_an_action_mirrored_with_one_wrong_sign_is_found_out(flat: dict[str, Any], group: str) -> None:
    mirrored, seen = images(flat["wrong_sign"], group)
    assert (mirrored - seen)[:10].abs().max() > 100 * FLIGHT
    assert max(share(flat["wrong_sign"]).values()) > 100 * FLIGHT_REWARD


def test_rewards_in_flight_are_equal_term_by_term(flat: dict[str, Any]) -> None:
    shares = share(flat["flight"])
    assert not {name: value for name, value in shares.items() if value > FLIGHT_REWARD}
    # limits of joints, velocities and torques: two steps, before flailing legs meet; measured 6e-3
    violent = share(flat["violent"], slice(0, 2))
    assert max(violent[name] for name in ("dof_pos_limits", "dof_vel_limits", "torque_limits")) < 2e-2


def test_rewards_on_the_ground_are_equal_on_average(flat: dict[str, Any]) -> None:
    run = flat["standing"]
    original, image = run["rewards"][:, :PAIRS], run["rewards"][:, PAIRS:]
    size = original.abs().mean((0, 1))
    seen = size > 0
    # measured: foot slip 0.23, contact forces 0.19, everything else below 0.11; the means 0.05
    assert ((original - image).abs().mean((0, 1)) / size)[seen].max() < 0.4
    assert ((original - image).mean((0, 1)).abs() / size)[seen].max() < 0.1
    exercised = {*share(run), *share(flat["flight"]), *share(flat["violent"], slice(0, 2))}
    assert set(run["reward_names"]) - exercised == NEVER_SEEN


@pytest.mark.parametrize("group", ["policy", "critic", "estimator"])
def test_a_standing_robot_is_far_nearer_to_its_image_than_to_others(flat: dict[str, Any], group: str) -> None:
    mirrored, seen = images(flat["standing"], group)
    others = torch.stack([(mirrored - seen.roll(shift, 1)).abs().mean() for shift in range(1, PAIRS)]).mean()
    assert (mirrored - seen).abs().mean() < 0.03 * others  # measured 0.007


def test_the_body_needed_little_to_be_symmetric(flat: dict[str, Any]) -> None:
    assert flat["flight"]["shift"] == pytest.approx(3.3e-4, abs=1e-4)  # [m], the trunk


def test_the_perceptive_tasks_groups(perceptive: dict[str, Any]) -> None:
    terms = perceptive["terms"]
    assert list(terms) == ["policy", "critic", "estimator", "height_scan"]
    assert terms["policy"] == FRAME  # blind but for the extra group
    assert terms["critic"] == [*FRAME, ("base_lin_vel", 3), ("height_scan", 187)]
    assert terms["estimator"] == [*FRAME[2:], ("base_lin_vel", 3)]
    assert terms["height_scan"] == [("height_scan", 187)]
    assert perceptive["obs"]["height_scan"].shape[-1] == 187
    for index, sign in perceptive["maps"].values():  # twice is nothing
        assert torch.equal(index[index], torch.arange(len(index)))
        assert (sign * sign[index] == 1).all()


def test_the_image_sees_the_mirrored_ground(perceptive: dict[str, Any]) -> None:
    """For the ten steps before the feet touch.

    Terrain and height map are made of cells of 10 and 5 cm, so single points differ by up to 8 cm (0.4 in the scaled
    scan), and all on average by 3 mm (0.015).
    """
    for group in ("policy", "critic", "estimator", "height_scan"):
        mirrored, seen = images(perceptive, group)
        own = perceptive["obs"][group][:, :PAIRS]
        columns = slice(79, None) if group == "critic" else slice(None)
        if group in ("critic", "height_scan"):
            assert (mirrored - seen)[:10, :, columns].abs().mean() < 0.03
            assert (mirrored - seen)[:10, :, columns].abs().max() < 0.6
            assert (own - seen)[:10, :, columns].abs().mean() > 0.2  # the ground is not level
            columns = slice(0, 79)
        if group != "height_scan":
            assert (mirrored - seen)[:10, :, columns].abs().max() < FLIGHT_START
    torch.testing.assert_close(perceptive["obs"]["height_scan"], perceptive["obs"]["critic"][..., 79:])


def test_an_exported_policy_sees_in_mujoco_what_it_saw_in_training(perceptive: dict[str, Any]) -> None:
    """The manifest read off this environment, and MuJoCo's robot at the same place on the same ground.

    Training looks up the nearest height of its map, 5 cm apart: on slopes of 0.4 that is 5 mm off on average, 0.025
    when scaled, and more at the steps of 8 cm that these pyramids have at their tops. Any other order of the points,
    or another heading, is off by 0.1 at least.
    """
    found = perceptive["mujoco"]
    manifest = Manifest.from_dict(found["manifest"])
    assert manifest.action.delay_steps == (2, 2)  # as the probe has it
    assert manifest.input.width == 456 + 187
    seen = perceptive["obs"]["height_scan"][-1].numpy()  # [2 P, 187]
    for robot in range(1, 2 * PAIRS, 3):
        heights = found["ground"][robot].numpy().astype(float)
        there = MujocoRobot(manifest, G1_DESCRIPTION, HeightField(heights, found["cell"]))
        place, (x, y, z, w) = found["pose"][robot, :3].numpy(), found["pose"][robot, 3:].tolist()
        there.data.qpos[:7] = [*(place[:2] - found["middle"][robot].numpy()), place[2], w, x, y, z]
        mujoco.mj_forward(there.model, there.data)
        mine = ObservationBuilder(manifest).observe(there.state, np.zeros(4), np.zeros(12))[0, 456:]
        assert np.abs(mine - seen[robot]).mean() < 0.05  # measured 0.031
        assert np.abs(mine - seen[robot]).max() < 0.4
        about_face = mine.reshape(11, 17)[::-1, ::-1].reshape(-1)
        assert np.abs(about_face - seen[robot]).mean() > 0.15
