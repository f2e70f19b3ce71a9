# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/robot_sim.py``: a robot in MuJoCo behind the topics of a real one, for ``deploy.py`` and other controllers.

Neither Isaac Lab nor torch is imported, and no policy: it does what commands say.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from himloco_lab.deployment.manifest import ManifestError
from himloco_lab.errors import FAILURE, CliError, Parser, run_command

if TYPE_CHECKING:
    from himloco_lab.deployment.robot.simulated import SimulatedRobot

PATIENCE = 60.0
"""How long a simulation in lockstep waits for an answer [s] before it gives up."""
_REPEAT_TIME = 0.5
"""After which it sends the state again [s]."""
_REMOTE_TICKS = 20
"""Time between two messages of the remote control [ms]."""
_CATCH_UP_TIME = 0.1
"""What a machine that was busy may catch up with [s]; more is lost."""


def main(argv: list[str] | None = None) -> int:
    """Simulate as *argv* says and return the exit code."""
    return run_command(_run, argv)


def _parser() -> Parser:
    parser = Parser(
        description="A robot in MuJoCo behind the DDS topics of a real one. It hangs from a gantry at first."
    )
    parser.add_argument("--robot", choices=("g1", "go2"), default="g1", help="The robot.")
    parser.add_argument("--domain", type=int, default=1, help="DDS domain; 0 is the real robots'.")
    parser.add_argument("--interface", default="lo", help="Network interface; lo, from which nothing gets out.")
    parser.add_argument(
        "--mode_machine", type=int, default=None, help="Kind of G1 to be: 5 has 29 joints, 6 a locked waist."
    )
    parser.add_argument(
        "--motion_service", default="ai", help="Name of the robot's own controller until it is released."
    )
    parser.add_argument("--script", default=None, help="What happens: a file, or '0.5 press start; 3 lower; ...'.")
    parser.add_argument("--duration", type=float, default=math.inf, help="Simulated time [s]; until Ctrl-C.")
    parser.add_argument(
        "--lockstep", action="store_true", help="Wait for the answer to every state: deploy.py's flag, too."
    )
    parser.add_argument("--delay", type=float, default=0.0, help="By how much commands come late [ms].")
    parser.add_argument("--loss", type=float, default=0.0, help="Part of commands and states that is lost, 0 to 1.")
    parser.add_argument("--imu_noise", type=float, default=0.0, help="Of the angular velocity [rad/s].")
    parser.add_argument("--seed", type=int, default=0, help="Seed of loss and noise.")
    parser.add_argument("--viewer", action="store_true", help="Show the robot in the browser.")
    parser.add_argument("--port", type=int, default=8080, help="Port of the viewer.")
    parser.add_argument("--json", type=Path, default=None, help="Write what was measured to this file, too.")
    return parser


def _run(argv: list[str]) -> None:
    args = _parser().parse_args(argv)
    _check(args)
    if "mujoco" not in sys.modules:
        os.environ["MUJOCO_GL"] = "disable"
    try:
        _simulate(args)
    except (ManifestError, FileNotFoundError) as error:
        raise CliError(str(error), FAILURE) from error
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("himloco_"):
            raise
        raise CliError(
            f"{sys.executable} has no package {error.name}: pip install 'himloco_lab[deploy,sim]'", FAILURE
        ) from error


def _check(args: argparse.Namespace) -> None:
    if not 1 <= args.domain <= 100:
        raise CliError(f"--domain {args.domain}: must be 1 to 100; 0 is the real robots', and nothing may imitate one")
    for name, low, high in (("delay", 0.0, 1000.0), ("loss", 0.0, 1.0), ("imu_noise", 0.0, 10.0)):
        value = getattr(args, name)
        if not low <= value <= high:
            raise CliError(f"--{name} {value}: must be {low:g} to {high:g}")
    if not args.duration > 0.0:
        raise CliError(f"--duration {args.duration}: must be more than 0 s")


def _simulate(args: argparse.Namespace) -> None:
    from himloco_lab.deployment.robot import dds
    from himloco_lab.deployment.robot.robots import ROBOTS
    from himloco_lab.deployment.robot.simulated import Faults, ScriptError, SimulatedRobot, read_script, simulate

    script = args.script or ""
    if script and Path(script).is_file():
        script = Path(script).read_text(encoding="utf-8")
    try:
        events = read_script(script)
        robot = SimulatedRobot(ROBOTS[args.robot], args.mode_machine, visuals=args.viewer)
        network = _Network(args, robot)
        record = simulate(
            robot,
            network.wait_for_answer if args.lockstep else network.exchange,
            events=events,
            faults=Faults(args.delay * 1e-3, args.loss, args.seed),
            imu_noise=args.imu_noise,
            duration=args.duration,
            on_step=_viewer(args, robot) if args.viewer else None,
        )
    except ScriptError as error:
        raise CliError(f"--script: {error}") from error
    except dds.LinkError as error:
        raise CliError(str(error), FAILURE) from error
    record.answers = network.answers
    report = record.report(robot)
    for name, value in report.items():
        print(f"{name:15}{value:.3f}" if isinstance(value, float) else f"{name:15}{value}")
    if args.json is not None:
        try:
            args.json.write_text(json.dumps(report, indent=2) + "\n")
        except OSError as error:
            raise CliError(f"--json {args.json}: {error.strerror}; name another file", FAILURE) from error


class _Network:
    """The robot's side of the network."""

    def __init__(self, args: argparse.Namespace, robot: SimulatedRobot) -> None:
        from himloco_lab.deployment.robot import dds
        from himloco_lab.deployment.robot.messages import WIRELESS_CONTROLLER

        participant = dds.open_participant(args.domain, args.interface)
        self._robot = robot
        self._service = dds.MotionService(participant, args.motion_service)
        self._states = dds.Publisher(participant, dds.LOW_STATE, robot.robot.low_state)
        self._remote = dds.Publisher(participant, dds.REMOTE, WIRELESS_CONTROLLER)
        self._commands = dds.Subscriber(participant, dds.LOW_CMD, robot.robot.low_cmd)
        self._due = time.monotonic()
        self._sent_at: dict[int, float] = {}
        self.answers: list[float] = []
        """Times from a state to the command that answers it [s]."""
        print(f"[INFO] {robot.description.name} in domain {args.domain} on {args.interface}", flush=True)

    def exchange(self, state: np.ndarray | None) -> np.ndarray | None:
        """Send a state, return the newest command, and wait until the next step is due."""
        from himloco_lab.deployment.robot.simulated import PHYSICS_DT

        if state is not None:
            self._send(state)
            self._sent_at[int(state["tick"])] = time.monotonic()
        self._service.serve()
        self._due = max(self._due + PHYSICS_DT, time.monotonic() - _CATCH_UP_TIME)
        time.sleep(max(0.0, self._due - time.monotonic()))
        command = self._commands.take()
        if command is not None and self._echo(command) in self._sent_at:
            self.answers.append(time.monotonic() - self._sent_at.pop(self._echo(command)))
        return None if self._service.active else command

    def wait_for_answer(self, state: np.ndarray | None) -> np.ndarray | None:
        """Send a state until a command answers it.

        Raises:
            LinkError: If nobody does.
        """
        from himloco_lab.deployment.robot.dds import LinkError

        if state is None:
            return None
        begun, sent = time.monotonic(), -math.inf
        while time.monotonic() - begun < PATIENCE:
            if time.monotonic() - sent > _REPEAT_TIME:
                self._send(state)
                sent = time.monotonic()
            command = self._commands.wait(0.05)
            self._service.serve()
            if command is not None and self._echo(command) == int(state["tick"]):
                return command
        raise LinkError(f"nobody answers in lockstep for {PATIENCE:g} s: start deploy.py --lockstep")

    def _send(self, state: np.ndarray) -> None:
        from himloco_lab.deployment.robot.messages import WIRELESS_CONTROLLER

        self._states.send(state)
        if int(state["tick"]) % _REMOTE_TICKS == 0:
            message = WIRELESS_CONTROLLER.zeros()
            for name in ("lx", "ly", "rx", "ry", "keys"):
                message[name] = getattr(self._robot.remote, name)
            self._remote.send(message)

    def _echo(self, command: np.ndarray) -> int:
        """The tick that a command says it answers; 0 where it says none."""
        return int(command["reserve"] if self._robot.robot.bus == "unitree_go" else command["reserve"][0])


def _viewer(args: argparse.Namespace, robot: SimulatedRobot) -> Callable[[], None]:
    from himloco_lab.deployment.robot.viewer import Viewer

    viewer = Viewer(robot, args.port)
    print(f"[INFO] http://127.0.0.1:{args.port}", flush=True)
    return viewer.show
