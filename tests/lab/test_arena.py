# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the suites do to robots, against Newton's and Coulomb's laws, in every engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from .test_env import probe

ENGINES = ("ovphysx", "newton_mjwarp")


@pytest.fixture(scope="module", params=ENGINES)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp(request.param)
    return probe(folder, "Himloco-G1-Flat-v0", request.param, "all", script="arena_probe.py")


def test_a_push_changes_the_momentum_by_force_times_time(found: dict[str, Any]) -> None:
    push = found["push"]
    cos, sin = push["yaw"].cos(), push["yaw"].sin()
    x, y = push["force"][:, 0], push["force"][:, 1]
    expected = torch.stack([cos * x - sin * y, sin * x + cos * y], dim=1) * push["dt"]
    torch.testing.assert_close(push["pushed"][:, :2], expected.float(), rtol=0.02, atol=0.02)
    assert push["after"][:, :2].abs().max() < 0.05  # and then it is over
    assert push["yaw"].std() > 0.3  # or the frame would not matter


def test_hold_puts_everything_back(found: dict[str, Any]) -> None:
    hold = found["hold"]
    assert hold["moved"] > 0.1
    assert hold["left"] < 1e-5
    assert hold["pose"].abs().max() < 0.02
    assert hold["speed"] < 0.3


def test_arms_go_where_they_are_told(found: dict[str, Any]) -> None:
    arms = found["arms"]
    assert len(arms["arms"]) == 15
    # a pitch joint carries the arm's weight
    np.testing.assert_allclose(arms["found"], arms["targets"], atol=0.12)
    assert abs(float((arms["found"] - arms["targets"]).mean())) < 0.05


def test_a_payload_weighs_and_a_slippery_robot_slides(found: dict[str, Any]) -> None:
    changes = found["changes"]
    np.testing.assert_allclose(changes["added"], [5.0] * 4 + [0.0] * 4, atol=1e-3)
    slippery, normal = changes["lost"][:4], changes["lost"][4:]
    # Coulomb: mu g t = 0.1 x 9.81 x 0.1 m/s while it slides; with a coefficient of 1 it trips rather than slides
    assert slippery.mean() == pytest.approx(0.0981, abs=0.015)
    assert normal.mean() > 1.7 * slippery.mean()


def test_a_delayed_action_comes_late(found: dict[str, Any]) -> None:
    change = found["delay"]["change"].reshape(2, 4).mean(dim=0)
    assert change[0] > 0.05  # of 0.25 rad that were asked for
    assert (change.diff() < 0).all()
    assert change[3] < 0.5 * change[0]
