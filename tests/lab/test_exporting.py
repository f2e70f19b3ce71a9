# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""An export's files against the model they were made from, and against one that they were not made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import onnx
import pytest
import torch
import yaml
from benchmarks.dummy_rollouts import DummyRollouts
from benchmarks.learner import EAGER, build_learner

from himloco_lab.commands.export import _check_difference
from himloco_lab.deployment.manifest import METADATA_KEY, Manifest, digest
from himloco_lab.deployment.policy import untrained_manifest
from himloco_lab.errors import CliError
from himloco_lab.exporting.files import TOLERANCE, compare_files, write_files
from himloco_rl.models import HIMActor

if TYPE_CHECKING:
    from tensordict import TensorDict


MANIFEST = untrained_manifest("himloco_lab.robots.g1:G1_DESCRIPTION")


@pytest.fixture(scope="module")
def actor() -> HIMActor:
    """The Flat task's networks, untrained; its observations are normalized by something that is not one."""
    torch.manual_seed(3)
    env = DummyRollouts(4)
    made = cast("HIMActor", build_learner(EAGER["HIM"], env, 2).get_policy())
    for _ in range(20):
        scaled = env.get_observations().apply(lambda values: 3.0 * values + 1.0)
        made.update_normalization(cast("TensorDict", scaled))
    return made.eval()


@pytest.fixture(scope="module")
def folder(actor: HIMActor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("exported")
    write_files(actor, MANIFEST, place)
    return place


def observations(rows: int = 50) -> torch.Tensor:
    return cast("torch.Tensor", DummyRollouts(rows).get_observations()["policy"])


def test_the_files_are_sound_and_act_as_the_model(
    actor: HIMActor, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compare_files(actor, observations(), folder)
    assert 0.0 <= max(found["onnx_difference"], found["torchscript_difference"]) <= TOLERANCE == 1e-5
    assert 0.0 < found["onnx_ms"] < 1.0 and found["torchscript_ms"] > 0.0
    _check_difference(found, 50, folder)
    assert capsys.readouterr().out.count("largest difference") == 2
    graph = onnx.load(str(folder / "policy.onnx"))
    onnx.checker.check_model(graph, full_check=True)
    manifest = yaml.safe_load((folder / "policy.yaml").read_text())
    (inside,) = [json.loads(entry.value) for entry in graph.metadata_props if entry.key == METADATA_KEY]
    assert inside == MANIFEST.to_dict() == {key: value for key, value in manifest.items() if key != "files"}
    assert Manifest.from_dict(manifest).behavior == MANIFEST
    assert manifest["files"]["onnx_sha256"] == digest(folder / "policy.onnx")
    assert sorted(path.name for path in folder.iterdir()) == ["policy.onnx", "policy.pt", "policy.yaml"]


def test_files_that_act_otherwise_end_the_export(actor: HIMActor, folder: Path) -> None:
    """The model has learned a little more since: one bias of its last layer, by twice the tolerance."""
    bias = cast("torch.nn.Linear", actor.mlp[-1]).bias
    with torch.no_grad():
        bias[0] += 2.0 * TOLERANCE
    try:
        found = compare_files(actor, observations(), folder)
    finally:
        with torch.no_grad():
            bias[0] -= 2.0 * TOLERANCE
    for kind in ("onnx", "torchscript"):
        assert found[f"{kind}_difference"] == pytest.approx(2e-5, rel=0.2)
    with pytest.raises(
        CliError, match=r"differ from the model by [12].*e-05, more than 1e-05; do not use them"
    ) as ending:
        _check_difference(found, 50, folder)
    assert ending.value.code == 1
    fine = {"onnx_difference": 0.0, "torchscript_difference": 0.0, "onnx_ms": 0.1, "torchscript_ms": 0.1}
    for broken in ("onnx_difference", "torchscript_difference"):  # a comparison with NaN is never true
        with pytest.raises(CliError, match="by nan"):
            _check_difference(fine | {broken: float("nan")}, 50, folder)
