# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/evaluate.py`` from end to end, in PhysX and MuJoCo."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from himloco_lab.cli import evaluate as command

STAND = "g1_stand/policy.onnx"
SMALL = ("--num_commands", "3", "--robots", "2", "--duration", "3", "--seed", "7")


def evaluate(repository: Path, *flags: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    script = str(repository / "scripts/evaluate.py")
    words = [sys.executable, script, "--task", "Himloco-G1-Flat-v0", "--device", "cpu", *flags]
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=500, check=False)


@pytest.fixture(scope="module")
def stand(repository: Path) -> str:
    return str(repository / "exts/himloco_lab/himloco_lab/policies" / STAND)


@pytest.fixture(scope="module")
def folder(repository: Path, stand: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the results of ``--policy zero <stand>`` in two engines lie."""
    place = tmp_path_factory.mktemp("evaluation")
    flags = (*SMALL, "--policy", "zero", stand, "--engine", "ovphysx", "mujoco", "--output_dir", str(place / "out"))
    done = evaluate(repository, *flags, cwd=place)
    assert done.returncode == 0, done.stderr
    return place / "out"


def results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize("engine", ["ovphysx", "mujoco"])
def test_one_policy_falls_and_the_other_stands(folder: Path, engine: str) -> None:
    found = results(folder)
    zero, stands = found[f"tracking | zero | {engine}"], found[f"tracking | {STAND} | {engine}"]
    assert len(found) == 4
    for row in rows.values():
        assert (row["ground"], row["size"], row["robots"], row["falls"]) == ("discrete", 1.0, 4, 0)
    assert rows["lin"]["published_lin"] == 0.125 and rows["lin"]["error_lin"] > 0.3 > rows["ang"]["error_lin"]
    assert rows["ang"]["error_ang"] > 0.2 > rows["lin"]["error_ang"]
    for report in ("report.md", "report.html"):
        text = (tmp_path / "out" / report).read_text()
        assert "settled" in text and "HIM's paper" in text.replace("&#x27;", "'")
        assert "Levels 1 to 4 are taken to be rows 1 to 4 of ten" in text


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--policy", "nowhere.pt"], "nowhere.pt"),
        (["--policy", "zero", "zero"], "two policies are called zero"),
        (["--policy", "zero", "--num_commands", "5000"], "--num_commands 5000"),
        (["--policy", "zero", "--duration", "1"], "--duration 1"),
        (["--policy", "zero", "--suite", "robustness", "--engine", "mujoco"], "robustness suite runs in Isaac Lab"),
        (["--policy", "zero", "--suite", "robustness", "--groups", "terrain"], "--groups terrain"),
        (["--policy", "zero", "--suite", "robustness", "--groups", "impuls"], "did you mean impulse"),
        (["--policy", "zero", "--suite", "velocities", "--groups", "impulse"], "did you mean"),
        (["--policy", "zero", "--suite", "velocities"], "level ground only"),
        (["--task", "Himloco-Go2-Flat-v0", "--policy", "zero", "--suite", "tour"], "Himloco-Go2-Flat-v0 has none"),
        (["--policy", "zero", "--engine", "physx", "ovphysx"], "names ovphysx twice"),
        (["physics=ovphysx", "--policy", "zero", "--engine", "mujoco"], "leave one of them out"),
        ([], "no run of Himloco-G1-Flat-v0"),
    ],
)
def test_mistakes_are_told_before_anything_is_built(
    flags: list[str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "_measure", lambda *given: pytest.fail("a mistake reached the simulation"))
    monkeypatch.setattr(command, "_share_out", lambda *given: pytest.fail("a mistake reached the simulation"))
    monkeypatch.chdir(tmp_path)
    assert command.main(["--task", "Himloco-G1-Flat-v0", "--device", "cpu", *flags]) != 0
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1, told
    assert named in told
