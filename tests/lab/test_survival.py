# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""In PhysX: a resumed run goes on where its robots were, and a robot whose state is NaN costs one step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.dummy_rollouts import DummyRollouts

from himloco_lab.commands.replay import main

SCRIPT = Path(__file__).with_name("survival_probe.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the probe's findings and its dump lie."""
    return tmp_path_factory.mktemp("survival")


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    out = folder / "found.pt"
    command = [sys.executable, str(SCRIPT), "Himloco-G1-Rough-v0", "ovphysx", "survive", str(out)]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=550, check=False)
    assert out.is_file(), f"exit code {result.returncode}:\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
    return torch.load(out, weights_only=True)["survive"]


def test_robots_go_on_where_they_were(found: dict[str, Any]) -> None:
    saved, walked, loaded = found["saved"], found["walked"], found["loaded"]
    assert not torch.equal(saved["position"], walked["position"])
    for name in ("lengths", "levels", "origins", "steps", "tracking"):
        assert torch.equal(loaded[name], saved[name]), name
    for name in ("position", "velocity", "joint_position", "joint_velocity"):
        torch.testing.assert_close(loaded[name], saved[name], atol=1e-4, rtol=1e-4, msg=name)
    for name in ("velocity_target", "observation", "command", *found["remembered"]):
        assert torch.equal(loaded[name], saved[name]), name
    assert not torch.equal(saved["observation"], walked["observation"])
    kinds = {name.split("/")[0] for name in found["remembered"]}
    assert kinds == {"actions", "action", "frames", "command", "reward", "event"}
    assert found["logged"][0] == found["logged"][1] != {}
    assert len(set(saved["levels"].tolist())) > 1  # not where all of them begin
    assert found["returns"][0] == found["returns"][1]
    assert found["went_on"] == 3


def test_nan_costs_a_step_and_nan_that_stays_ends_the_run(found: dict[str, Any]) -> None:
    assert found["finite"] and found["networks_finite"]
    assert "environment 5" in found["message"]
    assert "broke in 3 steps in a row" in found["stopped"] or "does not help" in found["stopped"]
    assert "the last good checkpoint is" in found["stopped"]
    assert found["environments"].tolist() == [5]
    assert found["replayed_sound"] is None  # the state before the step was sound
    assert torch.equal(*found["origins"])  # of robot 5, though it is the first one there
    assert float((found["places"][0] - found["places"][1]).norm()) < 0.1  # where it was, and a fiftieth of a second


def replayed(repository: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/replay.py."""
    command = [sys.executable, str(repository / "scripts/replay.py"), *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)


def test_the_dump_is_replayed_by_its_own_command(found: dict[str, Any], folder: Path, repository: Path) -> None:
    (path,) = folder.glob("not_finite_*.pt")
    dump = torch.load(path, weights_only=True)
    dump["environments"] = torch.tensor([3, 5])
    dump["state"]["scene"]["articulation"]["robot"]["root_velocity"][3, 0] = float("nan")  # one that stays broken
    torch.save(dump, path.with_name("not_finite_99999.pt"))
    result = replayed(repository, str(folder), "--device", "cpu")  # the newest of the folder
    assert result.returncode == 3, result.stdout[-2000:] + result.stderr[-2000:]
    shown = [line for line in result.stdout.splitlines() if line.startswith(("3 ", "5 "))]
    assert shown[0].endswith("not finite")
    assert not shown[1].endswith("not finite") and shown[1].endswith("finite")
    assert "Himloco-G1-Rough-v0, iteration" in result.stdout
    assert "[INFO] Again, 1 of 2: Observation term" in result.stdout
    assert "environment 3" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["gone.pt"], ["gone.pt: no such file", "not_finite_<iteration>.pt"]),
        (["."], ["no not_finite_<iteration>.pt in this folder"]),
        ([], ["FILE"]),
        (["model.pt"], ["model.pt holds no step to replay", "no message"]),
        (["text.pt"], ["text.pt is no checkpoint of PyTorch"]),
        (["flat.pt", "--task", "Himloco-Go2-Flat-v0"], ["flat.pt does not fit Himloco-Go2-Flat-v0: observation group"]),
        (["untold.pt"], ["--task is missing", "untold.pt does not say"]),
    ],
)
def test_what_cannot_be_replayed_is_told_before_a_simulation(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    named: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["replay.py"])
    layout = DummyRollouts(4).observation_layout.as_record()
    whole = {"message": "", "environments": torch.tensor([1]), "actions": torch.zeros(4, 12), "layout": layout}
    whole |= {"observations": {}, "result": {}, "rewards": torch.zeros(1), "state": {"scene": {}}}
    torch.save({"iter": 3}, "model.pt")
    torch.save(whole, "untold.pt")
    torch.save(whole | {"made_with": {"task": "Himloco-G1-Flat-v0"}}, "flat.pt")
    Path("text.pt").write_text("hello")
    assert main(argv) in (1, 2)
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1
    for part in named:
        assert part in told
