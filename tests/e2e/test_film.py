# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/play.py --video`` without a display and without Isaac Sim."""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from himloco_lab.commands import play
from himloco_lab.deployment.video import BACKENDS, VideoError, choose_backend, mp4_problem

FLAT = ["--task", "Himloco-G1-Flat-v0", "--device", "cpu", "--policy", "zero", "--video"]


@pytest.fixture(scope="module")
def backend() -> str:
    """How this machine draws; without it there is nothing to test."""
    if problem := mp4_problem():
        pytest.skip(problem)
    try:
        return choose_backend(BACKENDS)
    except VideoError as error:
        pytest.skip(str(error))


def no_display(**more: str) -> dict[str, str]:
    """The environment of a machine without a display, on which nobody has chosen how to draw."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL")
    kept = {key: value for key, value in os.environ.items() if key not in hidden}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), **more}


def decode(path: Path) -> tuple[np.ndarray, float]:
    """Return a film's pictures, shape [T, H, W, 3], and its pictures per second."""
    with imageio.get_reader(path) as opened:
        reader: Any = opened
        return np.stack(list(reader.iter_data())), float(reader.get_meta_data()["fps"])


def test_a_film_of_a_fall(backend: str, tmp_path: Path) -> None:
    """What PhysX computes is what is drawn, in real time, with the numbers above it."""
    probe = str(Path(__file__).with_name("film_probe.py"))
    command = ["--command", "0.5", "0", "0", "0.74", "--video_length", "30"]
    done = subprocess.run(
        [sys.executable, probe, str(tmp_path / "poses.npz"), *FLAT, *command],
        cwd=tmp_path,
        env=no_display(),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    path = tmp_path / "logs/rsl_rl/play/Himloco-G1-Flat-v0/videos/play/clip_0000.mp4"
    assert f"{path} holds 15 pictures" in done.stdout, done.stdout

    pictures, rate = decode(path)
    assert pictures.shape == (15, 480, 640, 3)
    assert len(pictures) / rate == pytest.approx(30 * 0.02)
    assert pictures[:, 100:].std() > 10.0
    for before, now in itertools.pairwise(pictures):
        assert (np.abs(now.astype(int) - before)[100:] > 20).any()  # the robot moves
    band = pictures[:, :76].max(axis=-1)
    assert (band > 200).sum(axis=(1, 2)).min() > 500  # white words
    assert np.median(band) < 100  # on a dark ground
    changed = np.abs(band[-1].astype(int) - band[0]) > 80
    assert changed[48:].sum() > 50 and changed[28:48].sum() == 0  # what is measured changes, the command does not

    saved = np.load(tmp_path / "poses.npz")
    without_robot = saved["empty"]  # as MuJoCo drew it, not as the film holds it
    robot = (np.abs(pictures.astype(int) - without_robot).max(axis=-1) > 40)[:, 100:]
    assert (robot.mean(axis=(1, 2)) > 0.02).all() and (robot.mean(axis=(1, 2)) < 0.3).all()
    assert robot[..., 160:480].sum() > 0.95 * robot.sum()  # in the middle

    engine, drawn = saved["engine"], saved["drawn"]
    assert engine.shape == (15, 28, 7)  # 27 joints
    np.testing.assert_allclose(drawn[..., :3], engine[..., :3], atol=2e-4)
    expected = Rotation.from_quat(engine[..., 3:].reshape(-1, 4))  # scipy, too, puts the scalar last
    found = Rotation.from_quat(drawn[..., [4, 5, 6, 3]].reshape(-1, 4))
    assert (expected.inv() * found).magnitude().max() < 1e-3
    tilt = Rotation.from_quat(engine[:, 0, 3:]).apply([0.0, 0.0, 1.0])[:, 2]
    assert tilt[-1] < 0.999  # it does fall: an upright robot's quaternion says little about the order


FILM = """
import contextlib, sys
from pathlib import Path
import mujoco
from himloco_lab.deployment.video import Film
model = mujoco.MjModel.from_xml_string(
    "<mujoco><visual><global offwidth='640' offheight='480'/></visual><worldbody><light pos='0 0 4'/>"
    "<geom type='plane' size='5 5 1'/><body pos='0 0 1'><freejoint/><geom size='.3'/></body></worldbody></mujoco>"
)
data = mujoco.MjData(model)
film = Film(model, Path(sys.argv[1]), 0.02)
with contextlib.suppress(KeyboardInterrupt):
    while True:
        mujoco.mj_step(model, data)
        film.add(data)
        print("drawn", flush=True)
print("closed", film.close(), flush=True)
"""


def test_ctrl_c_leaves_a_film_that_plays(backend: str, tmp_path: Path) -> None:
    """As a terminal does it: the signal reaches the encoder's process, too."""
    path = tmp_path / "film.mp4"
    process = subprocess.Popen(
        [sys.executable, "-c", FILM, str(path)],
        env=no_display(MUJOCO_GL=backend),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # as from a terminal: a background process of a shell may be set to ignore the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    try:
        for _ in range(5):
            assert process.stdout.readline() == "drawn\n"
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        printed = process.communicate(timeout=60)[0].split()
        assert process.returncode == 0
    finally:
        process.kill()
    assert printed[-2] == "closed"
    assert len(decode(path)[0]) >= 5


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("in the way", ["videos", "Not a directory"]),
        ("no encoder", ["imageio-ffmpeg"]),
        ("no backend", ["MUJOCO_GL=paper", "libegl1"]),
    ],
)
def test_what_cannot_be_filmed_is_reported_before_anything_is_built(
    what: str, named: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["play.py"])
    monkeypatch.setattr(play, "check_launch", lambda *_: pytest.fail("bad input came near the simulation"))
    monkeypatch.setenv("MUJOCO_GL", "paper")
    if what == "no encoder":
        for package in ("imageio_ffmpeg", "av"):
            monkeypatch.setitem(sys.modules, package, None)  # cannot be found
    else:
        monkeypatch.setattr(play, "mp4_problem", lambda: None)
    if what == "in the way":
        folder = tmp_path / "logs/rsl_rl/play/Himloco-G1-Flat-v0"
        folder.mkdir(parents=True)
        (folder / "videos").write_text("not a folder")
    assert play.main(FLAT) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith("error: --video: ") and complaint.count("\n") == 1, complaint
    for part in named:
        assert part in complaint


@pytest.mark.parametrize(
    ("viewers", "kit", "films"),
    [
        (None, False, True),
        ([], False, True),
        (["viser"], False, True),
        (["newton_gl"], False, False),
        (None, True, False),
    ],
)
def test_isaac_labs_recorder_keeps_what_it_can_do(
    viewers: list[str] | None, kit: bool, films: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play.KitLauncher, "is_available", lambda: kit)
    cfg = argparse.Namespace(video_recorders=[])
    assert play.needs_mujoco_film(cfg, argparse.Namespace(video=True, visualizer=viewers)) is films
    assert not play.needs_mujoco_film(cfg, argparse.Namespace(video=False, visualizer=viewers))
    cfg.video_recorders.append("a camera in the scene")
    assert not play.needs_mujoco_film(cfg, argparse.Namespace(video=True, visualizer=viewers))


def test_names_and_length_are_isaac_labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "mp4_problem", lambda: None)
    monkeypatch.setattr(play, "choose_backend", lambda: "egl")
    monkeypatch.setenv("MUJOCO_GL", "osmesa")  # put back afterwards
    folder = tmp_path / "videos/play"
    folder.mkdir(parents=True)
    for name in ("clip_0007.mp4", "clip_0009.gif", "clip_model_500_0020.mp4", "clip_x.mp4"):
        (folder / name).touch()

    def plan(checkpoint: str | None, length: int | None) -> tuple[str, int]:
        args = argparse.Namespace(video=True, video_length=length, video_interval=None, visualizer=None)
        path, steps = play.plan_film(args, tmp_path, tmp_path / checkpoint if checkpoint else None)
        assert not args.video and path.parent == folder
        return path.name, steps

    assert plan(None, 30) == ("clip_0008.mp4", 30)
    assert plan("model_500.pt", None) == ("clip_model_500_0021.mp4", 200)
    assert plan("model_20.pt", 7) == ("clip_model_20_0000.mp4", 7)
    assert os.environ["MUJOCO_GL"] == "egl"
