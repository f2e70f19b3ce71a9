# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/deploy.py`` and ``scripts/robot_sim.py`` as two programs, over DDS on loopback, by unicast.

Every test has a domain to itself. In lockstep, so that no result depends on how busy the machine is.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from himloco_lab.commands import deploy, robot_sim

pytest.importorskip("cyclonedds")

POLICIES = Path(deploy.__file__).parents[1] / "policies"
STAND_UP = "0 lower; 0.02 press start; 2.2 press A; 2.7 release"


@pytest.fixture
def domain() -> Iterator[int]:
    """A DDS domain below 101 that no other test on this machine has."""
    for number in range(10, 101):
        with (Path(tempfile.gettempdir()) / f"himloco_dds_domain_{number}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield number
            return
    pytest.fail("all domains are taken")


class Pair:
    """A robot and its controller, both started."""

    def __init__(self, repository: Path, folder: Path, domain: int) -> None:
        self._repository, self.folder, self.domain = repository, folder, str(domain)
        self.running: list[subprocess.Popen[str]] = []

    def start(self, script: str, *argv: str, output: str = "log") -> subprocess.Popen[str]:
        with (self.folder / output).open("w") as out:
            command = [sys.executable, str(self._repository / "scripts" / script), "--domain", self.domain, *argv]
            process = subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=subprocess.STDOUT, text=True)
        self.running.append(process)
        return process

    def robot(self, script: str, *argv: str) -> subprocess.Popen[str]:
        return self.start("robot_sim.py", "--script", script, "--json", "robot.json", *argv, output="robot.log")

    def controller(self, *argv: str, policy: str = "g1_sturdy", output: str = "deploy.log") -> subprocess.Popen[str]:
        options = ["--policy", str(POLICIES / policy), "--interface", "lo", "--log", f"{output}.run"]
        return self.start("deploy.py", *options, *argv, output=output)

    def measured(self) -> dict[str, Any]:
        return json.loads((self.folder / "robot.json").read_text())

    def wait_for(self, text: str, output: str = "deploy.log", timeout: float = 120.0) -> None:
        end = time.monotonic() + timeout
        while text not in (self.folder / output).read_text():
            assert time.monotonic() < end, (self.folder / output).read_text()
            time.sleep(0.05)

    def text(self, output: str = "deploy.log") -> str:
        return (self.folder / output).read_text()


@pytest.fixture
def pair(repository: Path, tmp_path: Path, domain: int) -> Iterator[Pair]:
    pair = Pair(repository, tmp_path, domain)
    yield pair
    for process in pair.running:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_a_walk_over_dds(pair: Pair) -> None:
    """Two programs: the robot's own controller is released, it stands up, walks, and is let down at the end."""
    robot = pair.robot(f"{STAND_UP}; 3 stick ly=0.4166667; 4 measure; 9 end", "--lockstep", "--mode_machine", "6")
    controller = pair.controller("--lockstep")
    assert robot.wait(500) == 0, pair.text("robot.log")
    controller.send_signal(signal.SIGTERM)
    assert controller.wait(60) == 0, pair.text()
    found = pair.measured()
    assert found["fell_at"] is None and found["refused"] == {}
    assert found["mean_vx"] == pytest.approx(0.5, abs=0.1)
    assert [posture for _, posture in found["postures"]] == ["none", "zero torque", "driven"]
    told = pair.text()
    assert "released the robot's own controller ai" in told
    phases = ("zero torque", "moving to the default pose", "standing", "policy")
    places = [told.index(f"s  {phase}") for phase in phases]
    assert places == sorted(places)
    # the same again from the log, without a robot
    code = deploy.main(["--policy", str(POLICIES / "g1_sturdy"), "--replay", str(pair.folder / "deploy.log.run")])
    assert code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_damping_when_the_controller_is_ended(pair: Pair, number: signal.Signals) -> None:
    robot = pair.robot(f"{STAND_UP}; 6 end", "--lockstep")
    controller = pair.controller("--lockstep")
    pair.wait_for("standing")
    controller.send_signal(number)
    assert controller.wait(120) == 0, pair.text()
    assert "damping (ended)" in pair.text()
    robot.send_signal(signal.SIGINT)
    assert robot.wait(120) == 0
    found = pair.measured()
    begun, posture = found["postures"][-1]
    assert posture == "damping"
    assert found["duration"] - begun >= 1.9  # sent again and again, for two seconds


def test_a_second_controller_is_refused(pair: Pair) -> None:
    """It listens before it sends, and the first one does not notice it."""
    pair.robot("0.02 press start", "--lockstep")
    first = pair.controller("--lockstep")
    pair.wait_for("standing")
    second = pair.controller("--lockstep", output="second.log")
    assert second.wait(120) == 1
    assert "another program sends commands on rt/lowcmd" in pair.text("second.log")
    assert first.poll() is None and "damping" not in pair.text()


def test_a_second_sender_lets_the_robot_down(pair: Pair) -> None:
    """Somebody who does not listen, such as the robot's own controller that was not released."""
    from himloco_lab.deployment.robot import dds
    from himloco_lab.deployment.robot.messages import HG_LOW_CMD

    pair.robot("0.02 press start", "--lockstep")
    pair.controller("--lockstep")
    pair.wait_for("standing")
    script = (
        "import time; from himloco_lab.deployment.robot import dds, messages as m;"
        f"p = dds.open_participant({pair.domain}, 'lo'); w = dds.Publisher(p, dds.LOW_CMD, m.HG_LOW_CMD)\n"
        "for _ in range(200): w.send(m.HG_LOW_CMD.zeros()); time.sleep(0.02)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    pair.wait_for("damping (another program sends commands")
    assert (dds.LOW_CMD, HG_LOW_CMD.name) == ("rt/lowcmd", "unitree_hg.msg.dds_.LowCmd_")


def test_a_robot_of_other_joints_is_refused(pair: Pair) -> None:
    robot = pair.robot("0.02 press start", "--lockstep", "--mode_machine", "4")
    controller = pair.controller("--lockstep")
    assert controller.wait(120) == 1
    assert "mode_machine 4 lacks 6 joints" in pair.text()
    robot.send_signal(signal.SIGINT)
    assert robot.wait(60) == 0
    assert pair.measured()["commands"] == 0


def test_real_time_and_a_hung_controller(pair: Pair) -> None:
    """By the clock, on a gantry: commands come at 400 Hz or more; a controller that is stopped sends nothing more."""
    pair.robot("0.02 press start")
    controller = pair.controller("--echo")
    pair.wait_for("standing")
    os.kill(controller.pid, signal.SIGKILL)
    pair.running[0].send_signal(signal.SIGINT)
    assert pair.running[0].wait(60) == 0
    found = pair.measured()
    assert found["postures"][-1][1] == "driven"  # what real motors do then is not known
    assert found["answer_ms_p50"] > 0.0


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "--interface: must be named"),
        (["--interface", "lo", "--domain", "0"], "--domain 0: is the real robots'"),
        (["--interface", "eth0"], "hang the robot, read docs/robot.md, and give --real_robot"),
        (["--interface", "eth0", "--real_robot", "--lockstep"], "are for simulators"),
        (["--interface", "eth0", "--real_robot", "--foreign_simulator"], "are for simulators"),
        (["--interface", "lo", "--domain", "101"], "must be 0 to 100"),
        (["--interface", "lo", "--duration", "0"], "must be more than 0 s"),
        (["--interface", "lo", "--robot", "go2"], "--robot go2 has no joint"),
        (["--replay", "nothing"], "is no log of a run"),
    ],
)
def test_what_deploy_refuses(argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(["--policy", str(POLICIES / "g1_sturdy"), *argv]) != 0
    told = capsys.readouterr().err
    assert complaint in told and told.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--domain", "0"], "nothing may imitate one"),
        (["--loss", "2"], "must be 0 to 1"),
        (["--delay", "-1"], "must be 0 to 1000"),
        (["--script", "1 dance"], "dance is none of"),
        (["--duration", "nan"], "must be more than 0 s"),
    ],
)
def test_what_robot_sim_refuses(argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert robot_sim.main(argv) != 0
    told = capsys.readouterr().err
    assert complaint in told and told.count("\n") == 1


def test_neither_needs_torch_or_isaac_lab(repository: Path) -> None:
    """What runs on the robot imports numpy, YAML, ONNX Runtime and the DDS library."""
    script = (
        "import sys\nfor name in ('torch', 'isaaclab', 'mujoco', 'himloco_rl', 'pinocchio', 'trimesh', 'matplotlib'):"
        " sys.modules[name] = None\n"
        "import himloco_lab.deployment.robot.runner, himloco_lab.deployment.robot.run_log\n"
        "from himloco_lab.commands import deploy; from himloco_lab.deployment.robot.robots import *\n"
        "from himloco_lab.deployment.policy import *; from pathlib import Path; import himloco_lab\n"
        "m, o = find_policy(Path(himloco_lab.__file__).parent / 'policies' / 'g1_sturdy')\n"
        "MotorMap(m, find_robot(m)); OnnxPolicy(m, o); print('fine')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=repository)
    assert done.stdout.strip() == "fine", done.stderr
