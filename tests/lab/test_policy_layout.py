# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a robot's policy layout says is what its task is built with, what an export says, and what deployment does."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import himloco_lab
from himloco_lab.deployment.manifest import Manifest
from himloco_lab.deployment.policy import untrained_manifest
from himloco_lab.robots import PolicyLayout
from himloco_lab.robots.description import find_description

from . import layout_probe
from .test_env import probe

POLICIES = sorted((Path(himloco_lab.__file__).parent / "policies").glob("*/policy.yaml"))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("layout")
    return probe(folder, "Other-Flat-v0", "ovphysx", "describe", script="layout_probe.py")["describe"]


@pytest.fixture(scope="module")
def exported(found: dict[str, Any]) -> Manifest:
    return Manifest.from_dict(found["manifest"])


def test_every_number_of_the_layout_is_another_one() -> None:
    default = dataclasses.asdict(PolicyLayout())
    assert not [name for name, value in dataclasses.asdict(layout_probe.LAYOUT).items() if value == default[name]]


def test_an_export_says_what_the_layout_says(exported: Manifest) -> None:
    observation = exported.observation
    assert (exported.timing.physics_dt, exported.timing.decimation) == (0.004, 5)
    assert observation.history_length == 4
    terms = {term.name: (term.width, term.scale) for term in observation.terms}
    assert terms == {
        "velocity_command": (3, (1.5, 1.0, 0.5)),
        "height_command": (1, 1.0),
        "base_ang_vel": (3, 0.375),
        "projected_gravity": (3, 1.0),
        "joint_pos": (12, 1.0),
        "joint_vel": (12, 0.125),
        "actions": (12, 1.0),
    }
    for term in observation.terms:
        largest = max(term.scale) if isinstance(term.scale, tuple) else term.scale
        assert term.clip == pytest.approx((-50.0 / largest, 50.0 / largest)), term.name
    assert exported.action.scale == 0.4
    command = exported.command
    assert command.lin_vel_x == (-0.5, 0.7) and command.lin_vel_y == (-0.4, 0.3)
    assert command.ang_vel_z == (-1.0, 1.2) and command.height == (0.25, 0.32)
    assert command.standing == (0.0, 0.0, 0.0, 0.32)


def test_an_export_agrees_with_what_deployment_takes_for_granted(exported: Manifest) -> None:
    assumed = untrained_manifest(f"{layout_probe.__name__}:OTHER_DESCRIPTION")
    for part in ("timing", "observation", "command", "input", "output", "joints", "spawn_height"):
        assert getattr(exported, part) == getattr(assumed, part), part
    assert (exported.action.joints, exported.action.scale) == (assumed.action.joints, assumed.action.scale)


def test_the_environment_observes_so(found: dict[str, Any]) -> None:
    assert found["step_dt"] == pytest.approx(0.02)
    assert found["policy_width"] == 4 * 46
    critic, command = found["critic"].numpy(), found["command"].numpy()
    np.testing.assert_allclose(critic[:, :3], command[:, :3] * [1.5, 1.0, 0.5], atol=1e-5)
    np.testing.assert_allclose(critic[:, 3], 0.32, atol=1e-6)
    np.testing.assert_allclose(critic[:, 4:7], 0.375 * found["ang_vel"].numpy(), atol=1e-5)
    np.testing.assert_allclose(critic[:, 22:34], 0.125 * found["joint_vel"].numpy(), atol=1e-4)
    np.testing.assert_allclose(critic[:, 46:49], 1.25 * found["lin_vel"].numpy(), atol=1e-5)


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.parent.name)
def test_exported_policies_find_their_robot(path: Path) -> None:
    """They name modules as they were called before 0.2."""
    manifest = yaml.safe_load(path.read_text())
    assert manifest["robot"].startswith("himloco_lab.assets.")
    description = find_description(manifest["robot"])
    assert [joint["name"] for joint in manifest["joints"]] == list(description.joints)
    robot, name = path.parent.name.split("_")[0], manifest["robot"].split(":")[1]
    assert description is find_description(f"himloco_lab.robots.{robot}:{name}")
