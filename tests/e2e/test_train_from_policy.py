# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``train.py --checkpoint policy.onnx``: training that starts from an exported policy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tensordict import TensorDict
from trainings import SMALL, the_only_run, train

from himloco_rl.models import HIMActor

STURDY = "Himloco-G1-Sturdy-v0"


def coming_along(repository: Path, name: str) -> Path:
    return repository / "exts/himloco_lab/himloco_lab/policies" / name / "policy.onnx"


def start(repository: Path, folder: Path, *flags: str, task: str = STURDY) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "scripts" / "train.py"), "--task", task, "--max_iterations", "2"]
    return train(folder, *command, *SMALL, *flags)


def test_it_acts_as_the_file_while_the_critic_learns(repository: Path, tmp_path: Path) -> None:
    file = coming_along(repository, "g1_sturdy")
    result = start(repository, tmp_path, "--checkpoint", str(file))
    assert result.returncode == 0, result.stderr[-3000:]
    assert f"Starting from the policy {file}" in result.stdout
    saved = torch.load(the_only_run(tmp_path) / "model_1.pt", weights_only=True)
    assert saved["iter"] == 1
    width, targets = 456, 75
    history = torch.randn(200, width, generator=torch.Generator().manual_seed(1))
    obs = TensorDict({"policy": history, "estimator": torch.zeros(200, targets)}, batch_size=[200])
    actor = HIMActor(
        obs,
        {"actor": ["policy"], "estimator": ["estimator"]},
        "actor",
        12,
        hidden_dims=[256, 128, 128],
        obs_normalization=True,
        distribution_cfg={"class_name": "GaussianDistribution", "init_std": 1.0},
        history_length=6,
        estimator_cfg={"preset": "himloco"},
    )
    actor.load_state_dict(saved["actor_state_dict"])
    actor.eval()
    session = onnxruntime.InferenceSession(file.read_bytes())
    wanted = np.concatenate([np.asarray(session.run(None, {"obs": row[None]})[0]) for row in history.numpy()])
    with torch.no_grad():
        acted = actor(obs).numpy()
    assert np.abs(wanted).max() > 1.0
    # the observations' statistics were updated for two iterations
    np.testing.assert_allclose(acted, wanted, atol=5e-3 * np.abs(wanted).max())
    assert torch.equal(saved["actor_state_dict"]["distribution.std_param"], torch.full((12,), 0.3))


@pytest.mark.parametrize(
    ("task", "policy", "flags", "named"),
    [
        (
            STURDY,
            "go2_walk",
            [],
            ["does not fit Himloco-G1-Sturdy-v0: observation group 'policy' has", "'height_command' only here"],
        ),
        (STURDY, "g1_sturdy", ["agent.actor.hidden_dims=[64,32]"], ["layer mlp.0.weight has shape [256, 95] there"]),
        (STURDY, "g1_sturdy", ["agent.actor.obs_normalization=false"], ["layer obs_normalizer._mean is only there"]),
        ("Himloco-G1-Rough-v0", "g1_rough", [], ["mlp.0.weight has shape [256, 95] there and [512, 111] here"]),
    ],
)
def test_a_policy_of_other_sizes_is_refused_before_anything_is_built(
    task: str, policy: str, flags: list[str], named: list[str], repository: Path, tmp_path: Path
) -> None:
    result = start(repository, tmp_path, "--checkpoint", str(coming_along(repository, policy)), *flags, task=task)
    assert_refused(result, tmp_path, *named)


def test_other_files_are_refused(repository: Path, tmp_path: Path, make_onnx: Callable[..., Path]) -> None:
    assert_refused(start(repository, tmp_path, "--checkpoint", "nowhere.onnx"), tmp_path, "nowhere.onnx: no such file")
    (tmp_path / "junk.onnx").write_bytes(b"no model")
    assert_refused(start(repository, tmp_path, "--checkpoint", "junk.onnx"), tmp_path, "junk.onnx", "export it again")
    broken = onnx.load(coming_along(repository, "g1_sturdy"))
    weights = next(tensor for tensor in broken.graph.initializer if tensor.name == "mlp.2.bias")
    weights.CopyFrom(onnx.numpy_helper.from_array(np.full(128, np.nan, dtype=np.float32), "mlp.2.bias"))
    onnx.save(broken, tmp_path / "nan.onnx")
    refused = start(repository, tmp_path, "--checkpoint", "nan.onnx")
    assert_refused(refused, tmp_path, "nan.onnx cannot be used: layer mlp.2.bias is not finite")
    foreign = make_onnx(tmp_path / "foreign.onnx")
    assert_refused(start(repository, tmp_path, "--checkpoint", str(foreign)), tmp_path, "foreign.onnx", "no manifest")


def assert_refused(result: subprocess.CompletedProcess[str], folder: Path, *named: str) -> None:
    assert result.returncode == 1, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and "Traceback" not in result.stderr, result.stderr
    for part in named:
        assert part in lines[0]
    assert not (folder / "logs").exists()
