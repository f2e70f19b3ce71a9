# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""From training to MuJoCo with robots that have four legs, no arms, and one height."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from himloco_lab.commands import sim2sim

TASK = "Himloco-Aliengo-Flat-v0"


def run(repository: Path, folder: Path, script: str, *flags: str) -> str:
    """Run a script that must succeed, and return what it prints."""
    command = [sys.executable, str(repository / "scripts" / f"{script}.py"), *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


def test_a_policy_is_trained_exported_and_run_in_mujoco(repository: Path, tmp_path: Path) -> None:
    task = ("--task", TASK, "--device", "cpu")
    run(repository, tmp_path, "train", *task, "--num_envs", "8", "--max_iterations", "1", "agent.num_steps_per_env=8")
    said = run(repository, tmp_path, "export", *task)
    assert re.search(r"ONNX Runtime: largest difference \d\.\de-\d\d over 1000 observations", said)
    (exported,) = (tmp_path / "logs" / "rsl_rl" / "himloco_aliengo_flat").glob("*/exported")
    manifest = yaml.safe_load((exported / "policy.yaml").read_text())
    assert (manifest["input"]["width"], manifest["output"]["width"]) == (270, 12)
    assert manifest["observation"]["history_order"] == "oldest-first"
    assert manifest["action"]["scale"] == 0.5  # as HIMLoco has it
    assert {joint["stiffness"] for joint in manifest["joints"]} == {40.0}
    assert {joint["damping"] for joint in manifest["joints"]} == {2.0}
    assert manifest["command"]["height"] == [0.3, 0.3]
    run(repository, tmp_path, "sim2sim", "--policy", str(exported), "--duration", "1", "--json", "mujoco.json")
    assert json.loads((tmp_path / "mujoco.json").read_text())["duration"] == pytest.approx(1.0)


@pytest.mark.parametrize("robot", ["a1", "go1", "go2", "aliengo"])
def test_each_stands_up_in_mujoco(robot: str, tmp_path: Path) -> None:
    """Zero action for a second; how far its legs give way is PhysX's business (lab/test_quadrupeds.py)."""
    description = f"himloco_lab.robots.{robot}:{robot.upper()}_DESCRIPTION"
    flags = ["--policy", "zero", "--robot", description, "--duration", "1", "--json", str(tmp_path / "found.json")]
    assert sim2sim.main(flags) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["falls"] == 0
    assert 0.25 < found["mean_height"] < 0.38
