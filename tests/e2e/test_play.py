# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/play.py`` from end to end: in the terminal, and in a real browser."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import chromium
import numpy as np
import pytest

PLAY = "scripts/play.py"


def play(repository: Path, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / PLAY), "--task", "Himloco-G1-Flat-v0", "--device", "cpu", *flags]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400, check=False)


def coming_along(repository: Path, name: str = "g1_stand") -> str:
    """The file of a policy that comes along."""
    return str(repository / "exts/himloco_lab/himloco_lab/policies" / name / "policy.onnx")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_policy_file_plays_and_says_how_it_went(repository: Path, tmp_path: Path) -> None:
    flags = ["--policy", coming_along(repository), "--num_envs", "3", "--max_steps", "60"]
    flags += ["--command", "0", "0", "0", "0.74"]
    done = play(repository, tmp_path, *flags, "--real-time")
    assert done.returncode == 0, done.stderr
    speed = re.search(
        r"60 steps of 3 robot\(s\), ([\d.]+) x real time \(([\d.]+) without waiting\), 0 falls", done.stdout
    )
    assert speed, done.stdout
    assert float(speed[1]) <= min(1.02, float(speed[2]))  # it waits for the clock, and does not count that as work


def test_a_policy_of_another_layout_is_refused(
    repository: Path, tmp_path: Path, make_onnx: Callable[..., Path]
) -> None:
    done = play(
        repository, tmp_path, "--policy", str(make_onnx(tmp_path / "other.onnx", inputs=47)), "--max_steps", "2"
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and "47]" in lines[0] and "policy 456" in lines[0], done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--policy", "nowhere.onnx"], "nowhere.onnx"),
        (["--checkpoint", "latest"], "no run of Himloco-G1-Flat-v0"),
        (["--policy", "zero", "--checkpoint", "latest"], "not allowed with"),
        (["--policy", "zero", "--port", "0"], "--port 0"),
        (["--policy", "zero", "--viz", "viser", "--port", "TAKEN"], "cannot listen"),
    ],
)
def test_mistakes_are_told_before_anything_is_built(
    flags: list[str], named: str, repository: Path, tmp_path: Path
) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        taken = str(server.getsockname()[1])
        done = play(repository, tmp_path, *[taken if flag == "TAKEN" else flag for flag in flags])
    assert done.returncode != 0
    assert named in done.stderr and done.stderr.count("error:") == 1 and "Traceback" not in done.stderr, done.stderr


@contextlib.contextmanager
def playing(
    repository: Path, folder: Path, port: int, policy: str = "g1_stand", task: str = "Himloco-G1-Flat-v0"
) -> Iterator[Path]:
    """Play a policy that comes along in the browser viewer while the block runs; yields what it prints."""
    flags = ["--task", task, "--device", "cpu", "--viz", "viser", "--port", str(port)]
    command = [sys.executable, str(repository / PLAY), "--policy", coming_along(repository, policy), *flags]
    with (folder / "play.txt").open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            # as from a terminal: a background process of a shell may be set to ignore the signal
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        try:
            yield folder / "play.txt"
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, (folder / "play.txt").read_text()
        finally:
            process.kill()


def readings(page: chromium.Page) -> dict[str, tuple[float, float]]:
    """The table on the page: axis -> command, measured."""
    rows = re.findall(r"^(\w+) \[\S+\]\t(-?[\d.]+)\t(-?[\d.]+)$", page.text(), flags=re.MULTILINE)
    return {axis: (float(command), float(measured)) for axis, command, measured in rows}


def commanded(page: chromium.Page, axis: str) -> float:
    """What the table says is commanded."""
    return readings(page)[axis][0]


@pytest.mark.skipif(chromium.EXECUTABLE is None, reason="no Chromium here: apt-get install chromium brings one")
def test_a_robot_in_the_browser_follows_a_slider(repository: Path, tmp_path: Path) -> None:
    port = free_port()
    with playing(repository, tmp_path, port, "g1_sturdy") as printed:
        until_listening(port, printed)
        with chromium.browse(f"http://127.0.0.1:{port}", tmp_path / "profile") as page:
            assert page.wait_for(lambda: readings(page).get("Height")), page.text()
            # the robot is in the middle of the picture, darker than the ground and the sky around it
            assert page.wait_for(lambda: darkness(page) > 0.02, 120.0)
            assert commanded(page, "Forward") == 0.0

            page.evaluate("document.querySelectorAll('[role=slider]')[3].focus()")
            page.press("Home", 36)
            assert page.wait_for(lambda: commanded(page, "Height") == 0.24), page.text()
            # it stands at 0.74 m and squats to half a metre
            assert page.wait_for(lambda: readings(page)["Height"][1] < 0.6, 180.0), page.text()

            click(page, "Push")
            moved = page.wait_for(lambda: max(abs(readings(page)[axis][1]) for axis in ("Forward", "Sideways")) > 0.2)
            assert moved, page.text()
            assert page.wait_for(lambda: darkness(page) > 0.02), "the camera has lost the robot"


@pytest.mark.skipif(chromium.EXECUTABLE is None, reason="no Chromium here: apt-get install chromium brings one")
@pytest.mark.parametrize("robot", ["Go2", "Go1", "A1", "Aliengo"])
def test_a_quadruped_in_the_browser_walks_as_fast_as_its_slider_says(
    robot: str, repository: Path, tmp_path: Path
) -> None:
    port = free_port()
    with playing(repository, tmp_path, port, f"{robot.lower()}_walk", f"Himloco-{robot}-Flat-v0") as printed:
        until_listening(port, printed)
        with chromium.browse(f"http://127.0.0.1:{port}", tmp_path / "profile") as page:
            assert page.wait_for(lambda: readings(page).get("Forward")), page.text()
            assert page.wait_for(lambda: darkness(page) > 0.02, 120.0)
            # an episode begins with up to 0.5 m/s in any direction, which the robot has to lose first
            assert page.wait_for(lambda: abs(readings(page)["Forward"][1]) < 0.2, 120.0), page.text()

            page.evaluate("document.querySelectorAll('[role=slider]')[0].focus()")
            page.press("End", 35)
            assert page.wait_for(lambda: commanded(page, "Forward") == 1.0), page.text()
            assert page.wait_for(lambda: readings(page)["Forward"][1] > 0.6, 180.0), page.text()


def until_listening(port: int, printed: Path) -> None:
    """Wait for the viewer's server, which is there for this machine only."""
    until = time.monotonic() + 240.0
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            break
        time.sleep(0.5)
    else:
        raise TimeoutError(printed.read_text())
    with open("/proc/net/tcp") as table:
        listening = [row.split()[1] for row in table if f":{port:04X} " in row and row.split()[3] == "0A"]
    assert listening == [f"0100007F:{port:04X}"]


def darkness(page: chromium.Page) -> float:
    """Share of the picture's middle that is darker than ground and sky ever are."""
    picture = page.picture()
    height, width, _ = picture.shape
    middle = picture[height // 5 : -height // 5, width // 3 : 2 * width // 3].mean(axis=-1)
    return float(np.mean(middle < 190.0))


def click(page: chromium.Page, label: str) -> None:
    page.evaluate(f"Array.from(document.querySelectorAll('button')).find(b => b.innerText == '{label}').click()")
