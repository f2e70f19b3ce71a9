# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Manifests: what fits together is read as it was written, what does not is refused by name."""

from __future__ import annotations

import copy
import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import himloco_lab
from himloco_lab.deployment.manifest import METADATA_KEY, Manifest, ManifestError, digest
from himloco_lab.deployment.policy import find_policy, load_manifest, open_session, untrained_manifest
from himloco_lab.robots.g1 import G1_JOINTS, G1_LEG_JOINTS

ROBOT = "himloco_lab.robots.g1:G1_DESCRIPTION"
MANIFEST = untrained_manifest(ROBOT)
POLICIES = Path(himloco_lab.__file__).parent / "policies"


@pytest.fixture
def content() -> dict[str, Any]:
    return copy.deepcopy(MANIFEST.to_dict())


def test_homies_layout() -> None:
    """6 frames of 3 + 1 + 3 + 3 + 27 + 27 + 12 = 76 values, as HomieRL's G1 has them."""
    assert (MANIFEST.input.width, MANIFEST.output.width) == (456, 12)
    assert MANIFEST.observation.frame_width == 76
    assert MANIFEST.joint_names == G1_JOINTS
    assert MANIFEST.action.joints == G1_LEG_JOINTS
    ankle = next(joint for joint in MANIFEST.joints if joint.name == "left_ankle_pitch_joint")
    assert (ankle.stiffness, ankle.damping, ankle.effort_limit, ankle.default_pos) == (40.0, 2.0, 35.0, -0.2)
    assert MANIFEST.spawn_height == pytest.approx(0.79, abs=0.001)


def test_it_survives_yaml_and_json(tmp_path: Path, content: dict[str, Any]) -> None:
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    assert load_manifest(tmp_path / "policy.yaml") == MANIFEST
    assert Manifest.from_dict(json.loads(json.dumps(content))) == MANIFEST


def _set(content: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    place: Any = content
    for key in parents:
        place = place[int(key)] if key.isdigit() else place[key]
    place[int(last) if last.isdigit() else last] = value


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("format", "himloco-policy/2", ["himloco-policy/2", "himloco-policy/1"]),
        ("input.width", 450, ["450", "456", "6 frames x", "joint_pos 27"]),
        ("output.width", 10, ["output.width has 10", "12"]),
        ("observation.history_length", 5, ["input.width", "456", "380"]),
        ("observation.history_length", 0, ["history_length 0", "at least 1"]),
        ("observation.history_order", "random", ["history_order", "oldest-first"]),
        ("observation.terms.0.scale", [2.0, 2.0], ["velocity_command.scale", "2", "3"]),
        ("observation.terms.0.clip", [1.0, -1.0], ["velocity_command.clip", "lower"]),
        ("observation.terms.4.joints.0", "left_hip_pitch", ["joint_pos.joints", "left_hip_pitch "]),
        ("observation.terms.4.joints", None, ["joint_pos.joints", "27"]),
        ("action.joints.0", "tail_joint", ["action.joints", "tail_joint"]),
        ("action.offset", [0.0], ["action.offset has 1", "12"]),
        ("action.scale", [0.25, 0.25], ["action.scale", "12"]),
        ("action.delay_steps", [3, 1], ["delay_steps [3, 1]", "0 to 4"]),
        ("action.delay_steps", [-1, 1], ["delay_steps [-1, 1]", "0 to 4"]),
        ("action.delay_steps", [0, 5], ["delay_steps [0, 5]", "0 to 4"]),
        ("action.delay_steps", [0, 1.5], ["delay_steps[1]", "int"]),
        ("timing.policy_dt", 0.03, ["policy_dt", "0.03", "0.02"]),
        ("timing.physics_dt", 0.0, ["physics_dt"]),
        ("timing.decimation", 4.5, ["timing.decimation", "int"]),
        ("spawn_height", float("nan"), ["spawn_height", "finite"]),
        ("spawn_height", "high", ["spawn_height", "'high'"]),
        ("joints.3.driven_by", "wind", ["driven_by", "wind"]),
        ("joints.3.driven_by", "command", ["left_knee_joint", "disagree"]),
        ("joints.3.stiffness", -1.0, ["left_knee_joint", "negative"]),
        ("joints.3.name", "left_hip_yaw_joint", ["twice", "left_hip_yaw_joint"]),
        ("command.standing", [0.0, 0.0, 0.0], ["command.standing", "4"]),
        ("source", "here", ["source", "mapping"]),
        ("comand", {}, ["comand", "unknown"]),
    ],
)
def test_what_does_not_fit_is_named(content: dict[str, Any], path: str, value: Any, named: list[str]) -> None:
    _set(content, path, value)
    with pytest.raises(ManifestError) as caught:
        Manifest.from_dict(content)
    for part in named:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "path", ["action.clip", "action.delay_steps", "source", "files", "observation.clip_input", "observation.extra"]
)
def test_what_may_be_left_out(content: dict[str, Any], path: str) -> None:
    *parents, last = path.split(".")
    place = content[parents[0]] if parents else content
    place.pop(last, None)
    Manifest.from_dict(content)


@pytest.mark.parametrize("policy", sorted(POLICIES.iterdir()), ids=lambda folder: folder.name)
def test_a_policy_of_version_0_1_is_read_and_written_letter_by_letter(policy: Path) -> None:
    manifest, onnx = find_policy(policy)
    assert manifest.to_yaml() == (policy / "policy.yaml").read_text()
    text = open_session(onnx).get_modelmeta().custom_metadata_map[METADATA_KEY]
    assert json.dumps(Manifest.from_json(text, onnx).to_dict()) == text


def test_what_is_left_out_may_be_written(content: dict[str, Any]) -> None:
    """As version 0.1 wrote it."""
    content["observation"]["clip_input"] = content["input"]["dtype"] = None
    untyped = dataclasses.replace(MANIFEST, input=dataclasses.replace(MANIFEST.input, dtype=None))
    assert Manifest.from_dict(content | {"source": {}, "files": {}}) == untyped


@pytest.mark.parametrize("key", ["timing", "joints", "observation", "spawn_height"])
def test_what_must_be_there(content: dict[str, Any], key: str) -> None:
    del content[key]
    with pytest.raises(ManifestError, match=f"{key}: missing"):
        Manifest.from_dict(content)


@pytest.mark.parametrize("robot", ["no.module:X", "himloco_lab.robots:load_model", "nonsense"])
def test_a_robot_that_is_none(robot: str) -> None:
    with pytest.raises(ManifestError, match=robot.partition(":")[0]):
        untrained_manifest(robot)


def _export(folder: Path, make_onnx: Callable[..., Path], content: dict[str, Any], inside: bool = True) -> None:
    onnx = make_onnx(folder / "policy.onnx", metadata=content if inside else None)
    files = {"onnx": "policy.onnx", "onnx_sha256": digest(onnx)}
    (folder / "policy.yaml").write_text(yaml.safe_dump({**content, "files": files}))


def test_a_policy_is_found_by_folder_file_or_its_metadata(
    tmp_path: Path, make_onnx: Callable[..., Path], content: dict[str, Any]
) -> None:
    _export(tmp_path, make_onnx, content)
    for path in (tmp_path, tmp_path / "policy.onnx"):
        manifest, onnx = find_policy(path)
        assert (manifest.joints, onnx) == (MANIFEST.joints, tmp_path / "policy.onnx")
    (tmp_path / "policy.yaml").unlink()
    assert find_policy(tmp_path) == (MANIFEST, tmp_path / "policy.onnx")
    assert load_manifest(tmp_path / "policy.onnx") == MANIFEST


def test_files_that_do_not_belong_together(
    tmp_path: Path, make_onnx: Callable[..., Path], content: dict[str, Any]
) -> None:
    _export(tmp_path, make_onnx, content)
    make_onnx(tmp_path / "policy.onnx", metadata=content, gain=0.5)
    with pytest.raises(ManifestError, match="SHA-256"):
        find_policy(tmp_path)
    content["spawn_height"] = 1.0
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ManifestError, match="export both again"):
        find_policy(tmp_path / "policy.onnx")


def test_files_that_are_missing_or_broken(
    tmp_path: Path, make_onnx: Callable[..., Path], content: dict[str, Any]
) -> None:
    with pytest.raises(ManifestError, match=r"no policy\.onnx"):
        find_policy(tmp_path)
    with pytest.raises(ManifestError, match=r"no file .*else\.onnx"):
        find_policy(tmp_path / "else.onnx")
    onnx = make_onnx(tmp_path / "policy.onnx")
    with pytest.raises(ManifestError, match="has no manifest"):
        find_policy(onnx)
    onnx.write_bytes(onnx.read_bytes()[: onnx.stat().st_size // 2])
    with pytest.raises(ManifestError, match="not an ONNX model"):
        find_policy(onnx)
    (tmp_path / "policy.yaml").write_text("joints: [")
    with pytest.raises(ManifestError, match="not YAML"):
        load_manifest(tmp_path / "policy.yaml")
    (tmp_path / "policy.yaml").write_text("just words")
    with pytest.raises(ManifestError, match="mapping"):
        load_manifest(tmp_path / "policy.yaml")


def test_the_room_needs_neither_isaac_lab_nor_torch() -> None:
    """Every module of the room, and the command, in a process of its own, before and after a run."""
    code = (
        "import sys, pkgutil, importlib, himloco_lab.commands.sim2sim\n"
        "assert 'mujoco' not in sys.modules\n"  # it reads MUJOCO_GL when it is imported, which --video chooses
        "import himloco_lab.deployment as room\n"
        "for module in pkgutil.iter_modules(room.__path__):\n"
        "    importlib.import_module(f'{room.__name__}.{module.name}')\n"
        "from himloco_lab.commands.sim2sim import main\n"
        "heavy = {'torch', 'isaaclab', 'pxr', 'warp', 'newton', 'himloco_rl'} & set(sys.modules)\n"
        "assert 'gymnasium' not in sys.modules\n"
        "assert main(['--policy', 'zero', '--duration', '0.1']) == 0\n"  # and when it runs
        "heavy |= {'torch', 'isaaclab', 'pxr', 'warp', 'newton', 'himloco_rl'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
