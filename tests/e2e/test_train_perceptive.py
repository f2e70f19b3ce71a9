# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The task whose policy sees the ground: trained, exported, run in MuJoCo."""

from __future__ import annotations

import sys

import pytest
import torch
import yaml
from trainings import SMALL, scalars, the_only_run, train

from himloco_lab.commands import sim2sim


def test_a_policy_that_sees_the_ground_trains(repository, tmp_path):
    script = str(repository / "scripts" / "train.py")
    sizes = ["--num_envs", "4", "--max_iterations", "2", *SMALL[2:]]
    result = train(tmp_path, sys.executable, script, "--task", "Himloco-G1-Rough-Perceptive-v0", *sizes)
    assert result.returncode == 0, result.stderr[-3000:]
    run = the_only_run(tmp_path)
    assert run.parent.name == "himloco_g1_rough_perceptive"
    first, last = (torch.load(run / f"model_{i}.pt", weights_only=True)["actor_state_dict"] for i in (0, 1))
    assert first["terrain_encoder.0.weight"].shape == (128, 187)
    assert first["mlp.0.weight"].shape[1] == 76 + 3 + 32 + 32
    assert first["estimator.encoder.0.weight"].shape[1] == 6 * 76  # blind
    assert not torch.equal(first["terrain_encoder.0.weight"], last["terrain_encoder.0.weight"])
    assert all(value == value for tag, values in scalars(run).items() if tag.startswith("Loss/") for value in values)

    # and what is exported sees the ground in MuJoCo
    script = str(repository / "scripts" / "export.py")
    result = train(tmp_path, sys.executable, script, "--task", "Himloco-G1-Rough-Perceptive-v0", *SMALL[2:4])
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]
    (scan,) = yaml.safe_load((run / "exported" / "policy.yaml").read_text())["observation"]["extra"]
    assert (scan["width"], scan["scale"], scan["offset"], scan["clip"]) == (187, 5.0, 0.5, [-1.0, 1.0])
    assert scan["points"][0] == pytest.approx([-0.8, -0.5]) and scan["points"][1] == pytest.approx([-0.7, -0.5])
    assert sim2sim.main(["--policy", str(run / "exported"), "--terrain", "stairs", "--duration", "1"]) == 0
