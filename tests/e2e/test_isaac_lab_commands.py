# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Isaac Lab's own train and play know the tasks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from trainings import SMALL, scalars, the_only_run, train

TASK = ["--rl_library", "rsl_rl", "--task", "Himloco-G1-Flat-v0"]
# Isaac Lab's --device is the simulation's; the learner's is cuda:0 unless the configuration says otherwise
LEARNER = "agent.device=cpu"
PLAYBACK = "Policy playback is running"
PATIENCE = 240.0
"""How long the playback may take to begin or to end [s]."""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run of ``isaaclab train``."""
    folder = tmp_path_factory.mktemp("isaaclab")
    command = [sys.executable, "-m", "isaaclab", "train", *TASK, "--max_iterations", "2", *SMALL, LEARNER]
    result = train(folder, *command)
    assert result.returncode == 0, result.stderr[-3000:]
    return the_only_run(folder)


def test_isaac_labs_own_train_trains_him(run):
    saved = torch.load(run / "model_1.pt", weights_only=True)
    assert any("estimator" in key for key in (*saved, *saved["actor_state_dict"])), list(saved)
    assert len(scalars(run)["Loss/estimator_swap_loss"]) == 2


def test_isaac_labs_own_play_plays_and_exports_what_was_trained(run):
    command = [sys.executable, "-m", "isaaclab", "play", *TASK, "--num_envs", "2", "--device", "cpu", LEARNER]
    process = subprocess.Popen(
        [*command, "--checkpoint", str(run / "model_1.pt")],
        cwd=run.parents[3],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    watchdog = threading.Timer(PATIENCE, process.kill)  # reading would wait for ever
    watchdog.start()
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if PLAYBACK in line:
            break
    try:
        process.wait(5.0)  # it plays until Ctrl-C: what ends before has failed
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    else:
        pytest.fail("".join(lines)[-3000:] + process.stdout.read()[-3000:])
    lines.append(process.stdout.read())
    code = process.wait(PATIENCE)
    watchdog.cancel()
    output = "".join(lines)
    assert PLAYBACK in output, output[-3000:]
    assert code == 0, output[-3000:]
    assert "Traceback" not in output

    history = np.random.default_rng(0).normal(size=(3, 456)).astype(np.float32)
    session = onnxruntime.InferenceSession(run / "exported" / "policy.onnx")
    fused = torch.jit.load(run / "exported" / "policy.pt")
    (name,) = (one.name for one in session.get_inputs())
    for row in history:
        actions = np.asarray(session.run(None, {name: row[None]})[0])
        assert actions.shape == (1, 12)
        np.testing.assert_allclose(fused(torch.from_numpy(row[None])).detach().numpy(), actions, atol=1e-5)
