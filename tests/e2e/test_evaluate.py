# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/evaluate.py`` from end to end, in PhysX."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STAND = "g1_stand/policy.onnx"
SMALL = ("--num_commands", "3", "--robots", "2", "--duration", "3", "--seed", "7")


def evaluate(repository: Path, *flags: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    script = str(repository / "scripts/evaluate.py")
    command = [sys.executable, script, "--task", "Himloco-G1-Flat-v0", "--device", "cpu", *flags]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=500, check=False)


@pytest.fixture(scope="module")
def stand(repository: Path) -> str:
    return str(repository / "exts/himloco_lab/himloco_lab/policies" / STAND)


@pytest.fixture(scope="module")
def folder(repository: Path, stand: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the results of ``--policy zero <stand>`` lie."""
    place = tmp_path_factory.mktemp("evaluation")
    done = evaluate(repository, *SMALL, "--policy", "zero", stand, "--output_dir", str(place / "out"), cwd=place)
    assert done.returncode == 0, done.stderr
    return place / "out"


def results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "tracking.json").read_text())


def test_one_policy_falls_and_the_other_stands(folder: Path) -> None:
    found = results(folder)
    assert set(found) == {"zero", STAND}
    assert all(row["falls"] == row["robots"] == 2 for row in found["zero"]["rows"])
    standing = found[STAND]["rows"][0]
    assert [standing[axis] for axis in ("vx", "vy", "yaw_rate", "height")] == pytest.approx([0.0, 0.0, 0.0, 0.74])
    assert standing["falls"] == 0
    assert standing["error_vx"] < 0.1 and standing["error_height"] < 0.05
    assert 1.0 < standing["power"] < 300.0
    assert found["zero"]["rows"][0]["error_vx"] is None  # nobody lived to show it


def test_the_reports_show_both(folder: Path) -> None:
    text, page = (folder / "tracking.md").read_text(), (folder / "tracking.html").read_text()
    for name in ("zero", STAND):
        assert f"| {name} |" in text and f"<td>{name}</td>" in page
    assert page.count("data:image/png;base64,") == 4
    assert "://" not in page  # nothing is fetched; base64 has no colon


def test_the_same_seed_gives_the_same_numbers_whoever_went_before(
    repository: Path, stand: str, folder: Path, tmp_path: Path
) -> None:
    done = evaluate(repository, *SMALL, "--policy", stand, "random", "--output_dir", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert results(tmp_path / "out")[STAND] == results(folder)[STAND]


def test_what_is_measured_is_not_measured_again(repository: Path, stand: str, folder: Path, tmp_path: Path) -> None:
    before = results(folder)
    done = evaluate(repository, *SMALL, "--policy", "zero", stand, "--output_dir", str(folder), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("measured before") == 2
    assert results(folder) == before


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--policy", "nowhere.pt"], "nowhere.pt"),
        (["--policy", "zero", "zero"], "two policies are called zero"),
        (["--policy", "zero", "--num_commands", "5000"], "--num_commands 5000"),
        (["--policy", "zero", "--duration", "1"], "--duration 1"),
        ([], "no run of Himloco-G1-Flat-v0"),
    ],
)
def test_mistakes_are_told_before_anything_is_built(
    flags: list[str], named: str, repository: Path, tmp_path: Path
) -> None:
    done = evaluate(repository, *flags, cwd=tmp_path)
    assert done.returncode != 0
    assert named in done.stderr and done.stderr.count("error:") == 1 and "Traceback" not in done.stderr, done.stderr
