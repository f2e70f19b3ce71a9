# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/deploy.py``: an exported policy on a robot, or on something that speaks its protocol.

Neither Isaac Lab nor torch is imported. What it needs is in the extra ``himloco_lab[deploy]``.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import signal
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from himloco_lab.deployment.manifest import Manifest, ManifestError
from himloco_lab.deployment.policy import OnnxPolicy, find_policy
from himloco_lab.errors import FAILURE, CliError, Parser, run_command
from himloco_lab.robots.policy_layout import HEIGHT, VX, VY, YAW_RATE

if TYPE_CHECKING:
    from himloco_lab.deployment.robot.controller import Controller, Step
    from himloco_lab.deployment.robot.remote import Operator, Remote
    from himloco_lab.deployment.robot.robots import MotorMap

KEY_HELP = "s: start; g: policy; space: emergency stop; arrows: walk; z x: turn; u j: higher, lower; l: stand still"
_VELOCITY_STEP = 0.1
"""What a key press adds to a velocity [m/s, rad/s]."""


def main(argv: list[str] | None = None) -> int:
    """Run the policy as *argv* says and return the exit code."""
    return run_command(_run, argv)


def _parser() -> Parser:
    parser = Parser(description="Run an exported policy on a Unitree robot, over the protocol of its motors.")
    parser.add_argument("--policy", required=True, type=Path, help="policy.onnx, or the folder with it.")
    parser.add_argument(
        "--interface", default=None, help="Network interface that leads to the robot; lo for a simulated one."
    )
    parser.add_argument("--robot", choices=("g1", "go2"), default=None, help="The robot; the policy's own.")
    parser.add_argument("--domain", type=int, default=None, help="DDS domain; 1 on lo, else 0, the real robots'.")
    parser.add_argument(
        "--real_robot", action="store_true", help="This is a real robot, it hangs, and docs/robot.md was read."
    )
    parser.add_argument(
        "--lockstep", action="store_true", help="Keep the time of a simulator that waits: robot_sim.py."
    )
    parser.add_argument("--echo", action="store_true", help="Let robot_sim.py measure how fast states are answered.")
    parser.add_argument(
        "--foreign_simulator", action="store_true", help="Take states without checksum, tick and mode_machine."
    )
    parser.add_argument("--no_motion_switcher", action="store_true", help="The robot's own controller is off already.")
    parser.add_argument("--duration", type=float, default=math.inf, help="End after this time [s]; at Ctrl-C.")
    parser.add_argument("--log", type=Path, default=None, help="File of the run; logs/robot/<time>.run when omitted.")
    parser.add_argument("--replay", type=Path, default=None, help="Compare a log with the policy instead of running.")
    parser.add_argument("--plot", type=Path, default=None, help="With --replay: draw the log, such as run.png.")
    return parser


def _run(argv: list[str]) -> None:
    args = _parser().parse_args(argv)
    try:
        manifest, onnx = find_policy(args.policy)
        policy = OnnxPolicy(manifest, onnx)
        if args.replay is not None:
            return _replay(args, manifest, policy)
        _check(args)
        _deploy(args, manifest, policy)
    except (ManifestError, FileNotFoundError) as error:
        raise CliError(str(error), FAILURE) from error
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("himloco_"):
            raise
        raise CliError(
            f"{sys.executable} has no package {error.name}: pip install 'himloco_lab[deploy]'", FAILURE
        ) from error


def _check(args: argparse.Namespace) -> None:
    if args.interface is None:
        raise CliError("--interface: must be named, it is never chosen by itself; ip -br link shows what there is")
    is_loopback = args.interface == "lo"
    args.domain = (1 if is_loopback else 0) if args.domain is None else args.domain
    if not 0 <= args.domain <= 100:
        raise CliError(f"--domain {args.domain}: must be 0 to 100; from 101 on, its ports may be anybody's")
    if args.domain == 0 and is_loopback:
        raise CliError("--domain 0: is the real robots'; with --interface lo, give the simulated robot's, such as 1")
    if args.domain == 0 and not args.real_robot:
        raise CliError(
            f"--interface {args.interface}, domain 0: is where real robots are; hang the robot, read docs/robot.md, and"
            " give --real_robot"
        )
    if args.domain == 0 and (args.foreign_simulator or args.lockstep or args.echo):
        raise CliError("--foreign_simulator, --lockstep, --echo: are for simulators, and domain 0 is the real robots'")
    if not args.duration > 0.0:
        raise CliError(f"--duration {args.duration}: must be more than 0 s")


def _replay(args: argparse.Namespace, manifest: Manifest, policy: OnnxPolicy) -> None:
    from himloco_lab.deployment.robot.run_log import LogError, load_log, plot, replay

    try:
        about, records = load_log(args.replay)
    except LogError as error:
        raise CliError(f"--replay {error}", FAILURE) from error
    if about["joints"][: len(manifest.joints)] != list(manifest.joint_names):
        raise CliError(f"--replay {args.replay}: is a run of another policy, {about.get('policy')}", FAILURE)
    largest = replay(manifest, policy, records)
    print(f"{len(records)} steps, {about.get('policy')}; the actions differ by {largest:.1e} at most")
    if args.plot is not None:
        plot(about, records, args.plot)


class _Keyboard:
    """What keys ask for, added to what the sticks ask for."""

    def __init__(self, manifest: Manifest) -> None:
        self._ranges = manifest.command.ranges
        self._wanted = np.zeros(3)

    def press(self, key: str, controller: Controller) -> None:
        """Do what *key* stands for."""
        moves = {"\x1b[A": (VX, 1), "\x1b[B": (VX, -1), "\x1b[D": (VY, 1), "\x1b[C": (VY, -1)}
        moves |= {"z": (YAW_RATE, 1), "x": (YAW_RATE, -1)}
        if key == " ":
            controller.let_down("emergency stop on the keyboard")
        elif key in ("s", "g"):
            controller.press("start" if key == "s" else "A")
        elif key in moves:
            part, direction = moves[key]
            low, high = self._ranges[part]
            self._wanted[part] = np.clip(self._wanted[part] + direction * _VELOCITY_STEP, low, high)
        elif key in ("u", "j"):
            controller.operator.change_height(0.02 if key == "u" else -0.02)
        elif key == "l":
            self._wanted[:] = 0.0

    def command(self, operator: Operator, remote: Remote) -> np.ndarray:
        """Return vx, vy, yaw rate and height of both."""
        command = operator.command(remote)
        low, high = np.array(self._ranges[:HEIGHT]).T
        command[:HEIGHT] = np.clip(command[:HEIGHT] + self._wanted, low, high)
        return command


def _deploy(args: argparse.Namespace, manifest: Manifest, policy: OnnxPolicy) -> None:
    from himloco_lab.deployment.robot import runner
    from himloco_lab.deployment.robot.controller import Controller
    from himloco_lab.deployment.robot.dds import LinkError
    from himloco_lab.deployment.robot.robots import MotorMap, find_robot

    robot = find_robot(manifest, args.robot)
    motors = MotorMap(manifest, robot, trusting=args.foreign_simulator)
    keyboard = _Keyboard(manifest)
    controller = Controller(manifest, policy, motors, keyboard.command)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        link = runner.Link(robot, args.domain, args.interface, trusting=args.foreign_simulator)
        released = link.prepare(
            controller, timeout=30.0, release=not (args.no_motion_switcher or args.foreign_simulator)
        )
    except LinkError as error:
        raise CliError(str(error), FAILURE) from error
    if released:
        print(f"[INFO] released the robot's own controller {', '.join(released)}")
    print(f"[INFO] {robot.name} in {link.where}; {KEY_HELP}; remote: start, A, select", flush=True)
    with _steps(args, manifest, motors, controller, keyboard, stop) as on_step:
        policy_dt = manifest.timing.policy_dt
        if args.lockstep:
            timing = runner.run_in_lockstep(controller, link, policy_dt, stop, on_step)
        else:
            timing = runner.run_in_real_time(controller, link, policy_dt, stop, on_step, echo=args.echo)
    for name, value in timing.report().items():
        print(f"{name:15}{value:g}")
    if controller.fault not in ("", "ended"):
        raise CliError(f"the robot was let down: {controller.fault}", FAILURE)


@contextlib.contextmanager
def _steps(
    args: argparse.Namespace,
    manifest: Manifest,
    motors: MotorMap,
    controller: Controller,
    keyboard: _Keyboard,
    stop: threading.Event,
):
    """Open the log and the keyboard; yields what is to be told every step."""
    from himloco_lab.deployment.robot.run_log import RunLog
    from himloco_lab.playing.steering import terminal_keys

    path = args.log or Path("logs/robot") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}.run"
    about = {"policy": str(args.policy), "robot": motors.robot.name, "domain": args.domain, "begun": time.time()}
    try:
        log = RunLog(path, motors.joints, manifest.output.width, about)
    except OSError as error:
        raise CliError(f"--log {path}: {error.strerror}; name another file", FAILURE) from error
    print(f"[INFO] log: {path}", flush=True)
    shown = ""
    begun: float | None = None
    with contextlib.closing(log), terminal_keys() as read_keys:

        def on_step(step: Step) -> None:
            nonlocal shown, begun
            begun = step.time if begun is None else begun
            log.add(step)
            for key in [] if read_keys is None else read_keys():
                keyboard.press(key, controller)
            now = f"{step.phase}{f' ({controller.fault})' if controller.fault else ''}"
            if now != shown:
                shown = now
                print(f"[INFO] {step.time - begun:7.2f} s  {now}", flush=True)
            if step.time - begun >= args.duration:
                stop.set()

        yield on_step
