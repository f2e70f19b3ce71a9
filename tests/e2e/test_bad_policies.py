# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policies that ``play``, ``evaluate`` and ``export`` cannot use: a line, an exit code, and no simulation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.dummy_rollouts import DummyRollouts
from isaaclab.utils import to_dict
from isaaclab_rl.rsl_rl import handle_deprecated_rsl_rl_cfg
from isaaclab_rl.rsl_rl.utils import check_rsl_rl_version

from himloco_lab.commands import evaluate, export, play
from himloco_lab.runs.loading import build_runner
from himloco_lab.tasks.velocity.config.g1.agents.rsl_rl_him_cfg import G1FlatHIMRunnerCfg

FLAT, ROUGH = "Himloco-G1-Flat-v0", "Himloco-G1-Rough-v0"
COMMANDS = {"play": play, "evaluate": evaluate, "export": export}
Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the Flat task's networks, written without a simulation."""
    cfg: Any = to_dict(handle_deprecated_rsl_rl_cfg(G1FlatHIMRunnerCfg(), check_rsl_rl_version()))
    runner = build_runner(DummyRollouts(4), cfg | {"num_steps_per_env": 2}, None, "cpu")
    runner.made_with["task"] = FLAT
    path = tmp_path_factory.mktemp("made") / "model_3.pt"
    runner.save(str(path))
    return path


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command, which must complain in a line; return its exit code and the complaint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["scripts/some.py"])
    monkeypatch.setattr("isaaclab.app.launch_simulation", lambda *_: pytest.fail("it came near the simulation"))
    monkeypatch.setattr(evaluate, "_measure", lambda *_: pytest.fail("it came near the simulation"))
    monkeypatch.setattr(evaluate, "_share_out", lambda *_: pytest.fail("it came near the simulation"))

    def run(command: str, *flags: str, task: str = FLAT) -> tuple[int, str]:
        code = COMMANDS[command].main(["--task", task, "--device", "cpu", *map(str, flags)])
        complaint = capsys.readouterr().err
        assert complaint.startswith("error: ") and complaint.count("\n") == 1, complaint
        return code, complaint

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_checkpoints(command: str, refused: Run, checkpoint: Path, tmp_path: Path) -> None:
    engine = ("--engine", "mujoco") if command == "evaluate" else ()
    code, complaint = refused(command, *engine)
    assert code == 1 and f"--checkpoint latest: no run of {FLAT}" in complaint
    (tmp_path / "empty").mkdir()
    code, complaint = refused(command, "--checkpoint", "empty", *engine)
    assert code == 1 and "--checkpoint empty: no model_" in complaint and "name a run that has saved" in complaint
    code, complaint = refused(command, "--checkpoint", "gone.pt", *engine)
    assert code == 1 and "gone.pt: no such file" in complaint
    code, complaint = refused(command, "--checkpoint", checkpoint, *engine, task=ROUGH)
    assert code == 1
    assert f"does not fit {ROUGH}: observation group 'critic' has 'height_scan' only" in complaint
    assert f"it was made with {FLAT}" in complaint
    (tmp_path / "cut.pt").write_bytes(checkpoint.read_bytes()[:1000])
    code, complaint = refused(command, "--checkpoint", "cut.pt", *engine)
    assert code == 1 and "cut.pt" in complaint


@pytest.mark.parametrize("command", ["play", "evaluate"])
def test_policy_files(command: str, refused: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    code, complaint = refused(command, "--policy", "broken.onnx")
    assert code == 1 and "broken.onnx is not an ONNX model" in complaint
    code, complaint = refused(command, "--policy", "gone.onnx")
    assert code == 1 and "gone.onnx: no such file" in complaint


def test_a_window_without_a_display(refused: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    code, complaint = refused("play", "--policy", "zero", "--viz", "newton_gl")
    assert code == 1 and "--viz newton_gl: there is no display" in complaint and "--viz viser" in complaint
