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

from himloco_lab.commands import evaluate as command

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
    assert all(row["falls"] == row["robots"] == 2 for row in zero["rows"])
    assert zero["rows"][0]["error_vx"] is None  # nobody lived to show it
    standing = stands["rows"][0]
    assert [standing[axis] for axis in ("vx", "vy", "yaw_rate", "height")] == pytest.approx([0.0, 0.0, 0.0, 0.74])
    assert standing["falls"] == 0
    assert standing["error_vx"] < 0.1 and standing["error_height"] < 0.05
    assert 0.1 < standing["power"] < 300.0


def test_the_reports_show_both(folder: Path) -> None:
    text, page = (folder / "report.md").read_text(), (folder / "report.html").read_text()
    for name, engine in itertools.product(("zero", STAND), ("ovphysx", "mujoco")):
        assert f"| {name} | {engine} |" in text and f"<td>{name}</td><td>{engine}</td>" in page
    assert page.count("data:image/png;base64,") == 5  # curves, errors, histograms, survival, feet
    assert "://" not in page  # nothing is fetched; base64 has no colon


def test_the_same_seed_gives_the_same_numbers_whoever_went_before(
    repository: Path, stand: str, folder: Path, tmp_path: Path
) -> None:
    flags = (*SMALL, "--policy", stand, "--engine", "mujoco", "ovphysx", "--output_dir", "out")
    done = evaluate(repository, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    before = results(folder)
    assert results(tmp_path / "out") == {name: one for name, one in before.items() if STAND in name}


def test_a_tour_is_added_and_nothing_is_measured_again(
    repository: Path, stand: str, folder: Path, tmp_path: Path
) -> None:
    before = results(folder)
    suites = ("--suite", "tracking", "tour", "--runs", "3", "--tour_duration", "2", "--engine", "mujoco", "ovphysx")
    flags = (*SMALL, *suites, "--policy", stand, "--output_dir", str(folder))
    done = evaluate(repository, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("measured before") == 2
    after = results(folder)
    assert before.items() <= after.items()
    for engine in ("ovphysx", "mujoco"):
        summary = after[f"tour | {STAND} | {engine}"]["summary"]
        assert summary["runs"] == 3 and 0.0 < summary["survival"] <= 2.0
        assert summary["position_error"] > 0.0 and summary["power"] > 0.0
    assert "HOMIE (published)" in done.stdout
    assert (folder / "report.html").read_text().count("data:image/png;base64,") == 6


def test_difficulties_bring_a_standing_robot_down(repository: Path, stand: str, tmp_path: Path) -> None:
    suites = ("--suite", "robustness", "--groups", "impulse", "delay", "arms", "--robots", "1", "--duration", "3")
    done = evaluate(repository, *suites, "--policy", stand, "--output_dir", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (entry,) = results(tmp_path / "out").values()
    shares = {(row["group"], row["kind"], row["size"]): row["survived"] for row in entry["rows"]}
    assert len(shares) == 8 * 8 + 4 + 5
    pushed = [share for (group, _, size), share in shares.items() if group == "impulse" and size == 100.0]
    assert np.mean(pushed) < 0.5 < shares["delay", "", 0.0]
    assert set(entry["largest"]) == {kind for group, kind, _ in shares if group == "impulse"}
    assert "impulse backward left [N s]" in (tmp_path / "out" / "report.md").read_text()


def test_a_quadruped_beside_the_papers_figures(repository: Path, tmp_path: Path) -> None:
    """Zero action on obstacles: the robot stands, so its error is the speed that it is asked for."""
    flags = ("--task", "Himloco-Go2-Rough-v0", "--suite", "velocities", "--groups", "discrete", "--robots", "1")
    done = evaluate(repository, *flags, "--policy", "zero", "--output_dir", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (entry,) = results(tmp_path / "out").values()
    rows = {row["test"]: row for row in entry["rows"]}
    assert set(rows) == {"lin", "ang", "combined"}
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
        (["--policy", "zero", "--suite", "velocities", "--groups", "impulse"], "--groups impulse: "),
        (["--policy", "zero", "--suite", "velocities"], "level ground only"),
        (["--task", "Himloco-Go2-Flat-v0", "--policy", "zero", "--suite", "tour"], "Himloco-Go2-Flat-v0 has none"),
        (["--policy", "zero", "--engine", "physx", "ovphysx"], "names ovphysx twice"),
        (["physics=ovphysx", "--policy", "zero", "--engine", "mujoco"], "leave one of them out"),
        ([], "no run of Himloco-G1-Flat-v0"),
    ],
)
def test_mistakes_are_reported_before_anything_is_built(
    flags: list[str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "_measure", lambda *given: pytest.fail("a mistake reached the simulation"))
    monkeypatch.setattr(command, "_share_out", lambda *given: pytest.fail("a mistake reached the simulation"))
    monkeypatch.chdir(tmp_path)
    assert command.main(["--task", "Himloco-G1-Flat-v0", "--device", "cpu", *flags]) != 0
    complaint = capsys.readouterr().err
    assert complaint.startswith("error: ") and complaint.count("\n") == 1, complaint
    assert named in complaint
