# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The README's training command on the other engine that runs without Isaac Sim."""

from __future__ import annotations

import sys

import torch
from trainings import SMALL, scalars, the_only_run, train


def test_newton_trains(repository, tmp_path):
    script = str(repository / "scripts" / "train.py")
    sizes = ["--num_envs", "4", "--max_iterations", "2", *SMALL[2:], "physics=newton_mjwarp"]
    result = train(tmp_path, sys.executable, script, "--task", "Himloco-G1-Rough-v0", *sizes)
    assert result.returncode == 0, result.stderr[-3000:]
    run = the_only_run(tmp_path)
    first, last = (torch.load(run / f"model_{i}.pt", weights_only=True)["actor_state_dict"] for i in (0, 1))
    assert not torch.equal(first["mlp.0.weight"], last["mlp.0.weight"])
    losses = {tag: values for tag, values in scalars(run).items() if tag.startswith("Loss/")}
    assert "Loss/estimator_swap_loss" in losses
    assert all(value == value for values in losses.values() for value in values)
    assert "newton" in (run / "params" / "env.yaml").read_text().lower()
