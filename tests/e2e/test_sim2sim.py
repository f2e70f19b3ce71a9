# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/sim2sim.py`` from the command line to its JSON, and what bad input gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from himloco_lab.commands import sim2sim
from himloco_lab.deployment.policy import untrained_manifest
from himloco_lab.deployment.video import VideoError, check_encoder, choose_backend

CONTENT = untrained_manifest("himloco_lab.robots.g1:G1_DESCRIPTION").to_dict()


@pytest.fixture(autouse=True)
def way_of_drawing() -> Iterator[None]:
    """What a command chooses in this process must not reach the next test: one that draws would be skipped."""
    before = os.environ.get("MUJOCO_GL")
    yield
    os.environ.pop("MUJOCO_GL", None)
    if before is not None:
        os.environ["MUJOCO_GL"] = before


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run the command, which must complain in one line; return its exit code and the complaint."""
    monkeypatch.setattr(sys, "argv", ["sim2sim.py"])

    def run(*argv: str | Path) -> tuple[int, str]:
        code = sim2sim.main([str(part) for part in argv])
        complaint = capsys.readouterr().err
        assert complaint.startswith("error: "), complaint
        assert complaint.count("\n") == 1, complaint
        return code, complaint

    return run


def test_the_policy_that_comes_along_stands(repository: Path, tmp_path: Path) -> None:
    """Trained in PhysX on a laptop's CPU, it keeps the G1 upright in MuJoCo; zero actions fall within 1.1 s."""
    kept = repository / "exts" / "himloco_lab" / "himloco_lab" / "policies" / "g1_stand"
    falls = {}
    for name in (str(kept), "zero"):
        command = [sys.executable, str(repository / "scripts/sim2sim.py"), "--policy", name, "--duration", "5"]
        done = subprocess.run(
            [*command, "--json", "out.json"], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found = json.loads((tmp_path / "out.json").read_text())
        falls[name] = found["falls"]
        if name == str(kept):
            assert found["survival_time"] == pytest.approx(5.0)
            assert found["error_height"] < 0.05 and found["error_vel_xy"] < 0.05
    assert falls[str(kept)] == 0 and falls["zero"] >= 3


@pytest.mark.parametrize(
    ("name", "speed", "most"),
    [
        *[(f"{robot}_walk", 0.5, 0.15) for robot in ("go2", "go1", "a1", "aliengo")],
        ("g1_sturdy", 0.5, 0.15),
        ("g1_walk", 0.5, 0.25),
        ("g1_rough", 0.5, 0.35),  # slow on level ground
    ],
)
def test_what_comes_along_walks(repository: Path, tmp_path: Path, name: str, speed: float, most: float) -> None:
    """Half a metre a second for ten seconds in MuJoCo, which it has never seen, without a fall."""
    kept = repository / "exts" / "himloco_lab" / "himloco_lab" / "policies" / name
    out = tmp_path / "out.json"
    assert sim2sim.main(["--policy", str(kept), "--vx", str(speed), "--duration", "10", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert (found["falls"], found["survival_time"]) == (0, pytest.approx(10.0))
    assert found["error_vel_xy"] < most


def test_a_policy_for_two_seconds(repository: Path, tmp_path: Path, make_onnx: Callable[..., Path]) -> None:
    """In a process of its own, without a display: the table, the JSON, and the same again with the same seed."""
    make_onnx(tmp_path / "policy.onnx", metadata=CONTENT)
    results = []
    for name in ("first.json", "second.json"):
        options = ["--duration", "2", "--vx", "0.3", "--terrain", "rough", "--seed", "5", "--json", name]
        done = subprocess.run(
            [sys.executable, str(repository / "scripts/sim2sim.py"), "--policy", "policy.onnx", *options],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if key not in ("DISPLAY", "MUJOCO_GL")},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "survival time" in done.stdout
        results.append(json.loads((tmp_path / name).read_text()))
    first, second = results
    assert first["command"] == pytest.approx([0.3, 0.0, 0.0, 0.74])
    assert first["duration"] == pytest.approx(2.0)
    assert 0.0 < first["survival_time"] <= 2.0
    assert first["falls"] >= (first["survival_time"] < 2.0)
    assert first["energy"] > 0.0
    for result in results:
        result.pop("real_time_factor")
    assert first == second


def test_a_folder_and_a_warning(tmp_path: Path, make_onnx: Callable[..., Path], capsys) -> None:
    make_onnx(tmp_path / "policy.onnx")
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(CONTENT))
    assert sim2sim.main(["--policy", str(tmp_path), "--duration", "0.1", "--vx", "3"]) == 0
    out, err = capsys.readouterr()
    assert "--vx 3 is beyond what was trained: -0.8 to 1.2" in err
    assert "0.10 s" in out


def test_uneven_ground_and_a_delay(tmp_path: Path, make_onnx: Callable[..., Path], capsys) -> None:
    content = {**CONTENT, "action": {**CONTENT["action"], "delay_steps": [0, 1]}}
    make_onnx(tmp_path / "policy.onnx", metadata=content)
    out = tmp_path / "out.json"
    common = ["--policy", str(tmp_path), "--duration", "0.1", "--json", str(out)]
    found = []
    for terrain, level, delay in (("slope", 9, 1), ("stairs", 3, 2), ("rough", None, 0)):
        options = [] if level is None else ["--level", str(level)]
        assert sim2sim.main([*common, "--terrain", terrain, *options, "--delay", str(delay)]) == 0
        found.append(json.loads(out.read_text()))
        assert f"on {terrain}, level {2 if level is None else level}, ground" in capsys.readouterr().out
    assert [(one["terrain"], one["level"], one["delay"]) for one in found] == [
        ("slope", 9, 1),
        ("stairs", 3, 2),
        ("rough", 2, 0),
    ]
    assert len({one["energy"] for one in found}) == 3


def test_warnings_of_what_was_not_trained_and_of_the_grounds_end(
    tmp_path: Path, make_onnx: Callable[..., Path], capsys
) -> None:
    content = {**CONTENT, "action": {**CONTENT["action"], "delay_steps": [1, 2]}}
    make_onnx(tmp_path / "policy.onnx", metadata=content)
    for policy, delay, warning in (
        (str(tmp_path), 4, "--delay 4 is beyond what was trained: 1 to 2 physics steps"),
        (str(tmp_path), 0, "--delay 0 is beyond what was trained: 1 to 2 physics steps"),
        (str(tmp_path), 2, None),
        ("zero", 1, "--delay 1 is beyond what was trained: its manifest tells of no delay"),
    ):
        assert sim2sim.main(["--policy", policy, "--duration", "0.02", "--delay", str(delay)]) == 0
        printed = capsys.readouterr().err
        assert "WARNING" not in printed if warning is None else warning in printed
    # 1 m/s for a minute; a robot that is not there ends it before it begins
    walk = ["--terrain", "stairs", "--vx", "1", "--duration", "60", "--robot", "no.module:X"]
    assert sim2sim.main(["--policy", str(tmp_path), *walk]) == 2
    printed = capsys.readouterr().err
    assert "the ground ends 25 m from the start" in printed and "no.module:X" in printed


@pytest.mark.parametrize(
    ("argv", "code", "named"),
    [
        ([], 2, ["--policy"]),
        (["--policy", "zero", "--speed", "1"], 2, ["--speed", "--help"]),
        (["--policy", "zero", "--vx", "nan"], 2, ["--vx nan", "finite"]),
        (["--policy", "zero", "--vx", "fast"], 2, ["--vx", "'fast'"]),
        (["--policy", "zero", "--duration", "0"], 2, ["--duration 0", "3600"]),
        (["--policy", "zero", "--seed", "-1"], 2, ["--seed -1"]),
        (["--policy", "zero", "--terrain", "moon"], 2, ["moon", "stairs"]),
        (["--policy", "zero", "--terrain", "slope", "--level", "10"], 2, ["--level 10", "at most 9"]),
        (["--policy", "zero", "--terrain", "slope", "--level", "-1"], 2, ["--level -1", "at least 0"]),
        (["--policy", "zero", "--terrain", "slope", "--level", "high"], 2, ["--level", "'high'"]),
        (["--policy", "zero", "--level", "3"], 2, ["--level 3", "slope, rough, stairs"]),
        (["--policy", "zero", "--delay", "-1"], 2, ["--delay -1", "at least 0"]),
        (["--policy", "zero", "--delay", "5"], 2, ["--delay 5", "at most 4"]),
        (["--policy", "zero", "--delay", "0.5"], 2, ["--delay", "'0.5'"]),
        (["--policy", "zero", "--robot", "no.module:X"], 1, ["no.module:X", "package.module:NAME"]),
        (["--policy", "zero", "--json", "no/where.json"], 1, ["--json no/where.json", "folder"]),
        (["--policy", "nowhere.onnx"], 1, ["nowhere.onnx", "policy.onnx or its folder"]),
        (["--policy", "zero", "--video", "film.avi"], 1, ["film.avi", ".mp4 or .gif"]),
        (["--policy", "zero", "--video", "no/film.gif"], 1, ["no folder"]),
    ],
)
def test_wrong_words(refused: Callable[..., tuple[int, str]], argv: list[str], code: int, named: list[str]) -> None:
    found, complaint = refused(*argv)
    assert found == code
    for part in named:
        assert part in complaint


def test_wrong_files(refused: Callable[..., tuple[int, str]], tmp_path: Path, make_onnx: Callable[..., Path]) -> None:
    def check(*named: str) -> None:
        code, complaint = refused("--policy", tmp_path, "--duration", "0.1")
        assert code == 1
        for part in named:
            assert part in complaint

    check("policy.onnx", "export")
    onnx = make_onnx(tmp_path / "policy.onnx")
    check("has no manifest")
    make_onnx(onnx, inputs=450, metadata=CONTENT)
    check("[1, 450]", "[1, 456]", "6 frames x", "joint_pos 27")
    make_onnx(onnx, metadata={**CONTENT, "spawn_height": "high"})
    check("spawn_height", "'high'")
    make_onnx(onnx, metadata={**CONTENT, "robot": "himloco_lab.robots.g1:G1_29DOF_DESCRIPTION"})
    check("waist_pitch_joint", "--robot")
    onnx.write_bytes(b"not a network")
    check("not an ONNX model")


def test_no_display(refused: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    import glfw

    monkeypatch.setattr(glfw, "init", lambda: False)
    code, complaint = refused("--policy", "zero", "--viewer")
    assert code == 1
    assert "--viewer" in complaint
    assert "display" in complaint


def test_no_gl(refused: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MUJOCO_GL", "paper")
    code, complaint = refused("--policy", "zero", "--video", tmp_path / "film.gif")
    assert code == 1
    assert "MUJOCO_GL=paper" in complaint
    assert "libegl1" in complaint


def test_no_encoder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(VideoError, match=r"imageio-ffmpeg.*film\.gif"):
        check_encoder(tmp_path / "film.mp4")
    check_encoder(tmp_path / "film.gif")


@pytest.mark.slow
def test_a_film(repository: Path, tmp_path: Path, make_onnx: Callable[..., Path]) -> None:
    """Where a GL backend draws, the film has a frame for every other policy step, and they differ."""
    try:
        choose_backend()
    except VideoError as error:
        pytest.skip(str(error))
    script = str(repository / "scripts/sim2sim.py")
    done = subprocess.run(
        [sys.executable, script, "--policy", "zero", "--duration", "0.4", "--video", "film.gif"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    import imageio.v3 as imageio

    frames = imageio.imread(tmp_path / "film.gif", index=None)
    assert len(frames) == 10
    assert frames.std() > 10.0
    assert (frames[0] != frames[-1]).any()
