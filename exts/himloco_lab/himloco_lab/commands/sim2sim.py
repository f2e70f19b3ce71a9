# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module has no types)

"""``scripts/sim2sim.py``: an exported policy in MuJoCo, another engine than the one it was trained in.

Neither Isaac Lab nor torch is imported. MuJoCo is imported late, because it reads ``MUJOCO_GL`` when it is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from himloco_lab.deployment.manifest import START_NOISE, Manifest, ManifestError
from himloco_lab.deployment.policy import OnnxPolicy, Policy, RandomPolicy, ZeroPolicy, find_policy, untrained_manifest
from himloco_lab.deployment.terrain import KINDS, LEVELS, make_ground
from himloco_lab.deployment.video import Film, VideoError, check_encoder, choose_backend
from himloco_lab.errors import FAILURE, CliError, Parser, run_command
from himloco_lab.robots import DEFAULT_ROBOT
from himloco_lab.robots.description import find_description
from himloco_lab.robots.height_field import HeightField
from himloco_lab.robots.policy_layout import HEIGHT

if TYPE_CHECKING:
    from himloco_lab.deployment.mujoco_sim import MujocoRobot, Report

DEFAULT_LEVEL = 2
"""Level of uneven ground when none is asked for: 3 cm bumps, 0.1 m/m slopes, 9.5 cm steps."""

_LONGEST = 3600.0  # [s]


def main(argv: list[str] | None = None) -> int:
    """Run the policy as *argv* says and return the exit code."""
    return run_command(_run, argv)


def _parser() -> Parser:
    parser = Parser(description="Run an exported policy in MuJoCo and say how well it follows a command.")
    parser.add_argument("--policy", required=True, help="policy.onnx, the folder with it, 'zero' or 'random'.")
    parser.add_argument("--robot", default=None, help="Robot description as package.module:NAME; the policy's own.")
    parser.add_argument("--vx", type=float, default=0.0, help="Forward velocity [m/s].")
    parser.add_argument("--vy", type=float, default=0.0, help="Velocity to the left [m/s].")
    parser.add_argument("--wz", type=float, default=0.0, help="Yaw rate [rad/s].")
    parser.add_argument("--height", type=float, default=None, help="Base height [m]; that of standing when omitted.")
    parser.add_argument("--duration", type=float, default=20.0, help="Simulated time [s].")
    parser.add_argument(
        "--terrain", choices=KINDS, default="flat", help="The ground; rough means slopes with bumps on them."
    )
    parser.add_argument(
        "--level", type=int, default=None, help=f"Difficulty of the ground, as the training's rows; {DEFAULT_LEVEL}."
    )
    parser.add_argument("--delay", type=int, default=0, help="Physics steps by which every action comes late.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the ground, the start and random actions.")
    parser.add_argument("--viewer", action="store_true", help="Show MuJoCo's viewer, in real time.")
    parser.add_argument("--video", type=Path, default=None, help="Write a film: out.mp4 or out.gif.")
    parser.add_argument("--json", type=Path, default=None, help="Write the results to this file, too.")
    return parser


def _run(argv: list[str]) -> None:
    args = _parser().parse_args(argv)
    _check(args)
    if args.viewer:
        import glfw

        glfw.ERROR_REPORTING = False  # without a display GLFW only warns, and the viewer's thread never comes up
        if not glfw.init():
            raise CliError(
                "--viewer: there is no display to open a window on; use --video out.mp4, or log in to one", FAILURE
            )
    try:
        if args.video is not None:
            check_encoder(args.video)
            os.environ["MUJOCO_GL"] = choose_backend()
        elif "mujoco" not in sys.modules:
            os.environ["MUJOCO_GL"] = "disable"  # nothing is drawn, so a broken backend need not matter
        _simulate(args)
    except VideoError as error:
        raise CliError(f"--video {args.video}: {error}", FAILURE) from error
    except (ManifestError, FileNotFoundError) as error:
        raise CliError(str(error), FAILURE) from error
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("himloco_"):
            raise
        raise CliError(f"{sys.executable} has no package {error.name}: run ./himloco.sh -p {sys.argv[0]}") from error


def _check(args: argparse.Namespace) -> None:
    for name in ("vx", "vy", "wz", "height", "duration"):
        value = getattr(args, name)
        if value is not None and not math.isfinite(value):
            raise CliError(f"--{name} {value}: must be a finite number")
    if not 0.0 < args.duration <= _LONGEST:
        raise CliError(f"--duration {args.duration}: must be more than 0 and at most {_LONGEST:.0f} s")
    if not 0 <= args.seed < 2**32:
        raise CliError(f"--seed {args.seed}: must be at least 0 and at most {2**32 - 1}")
    if args.level is not None and not 0 <= args.level < LEVELS:
        raise CliError(f"--level {args.level}: must be at least 0 and at most {LEVELS - 1}")
    if args.level is not None and args.terrain == "flat":
        raise CliError(f"--level {args.level}: flat ground has no levels; choose --terrain {', '.join(KINDS[1:])}")
    if args.delay < 0:
        raise CliError(f"--delay {args.delay}: must be at least 0 physics steps")
    if args.json is not None and (args.json.is_dir() or not args.json.parent.is_dir()):
        raise CliError(f"--json {args.json}: must name a file in a folder that exists", FAILURE)


def _simulate(args: argparse.Namespace) -> None:
    from himloco_lab.deployment.mujoco_sim import MujocoRobot, PolicyLoop, run

    manifest, policy = _load(args)
    if args.height is None:
        args.height = manifest.command.standing[HEIGHT]
    command = np.array([args.vx, args.vy, args.wz, args.height])
    _check_delay(args.delay, manifest)
    _warn_beyond_training(command, manifest)
    ground = _ground(args)
    reference = args.robot or manifest.robot
    try:
        description = find_description(reference)
    except (ValueError, TypeError) as error:
        raise CliError(f"--robot {reference}: {error}") from error
    visuals = args.viewer or args.video is not None
    robot = MujocoRobot(manifest, description, ground, args.seed, visuals=visuals, reset_noise=START_NOISE)
    with contextlib.ExitStack() as cleanup:
        watchers = list(_watchers(args, robot, cleanup))

        def on_step(stepped: MujocoRobot) -> bool:
            answers = [watcher(stepped) for watcher in watchers]  # ask every one before any may end it
            return False not in answers

        report = run(PolicyLoop(manifest, robot, policy), command, args.duration, on_step, delay=args.delay)
    _print_report(args, command, report)


def _load(args: argparse.Namespace) -> tuple[Manifest, Policy]:
    if args.policy in ("zero", "random"):
        manifest = untrained_manifest(args.robot or DEFAULT_ROBOT)
        return manifest, ZeroPolicy(manifest) if args.policy == "zero" else RandomPolicy(manifest, args.seed)
    manifest, onnx = find_policy(Path(args.policy))
    return manifest, OnnxPolicy(manifest, onnx)


def _ground(args: argparse.Namespace) -> HeightField | None:
    if args.terrain == "flat":
        return None
    args.level = DEFAULT_LEVEL if args.level is None else args.level
    way = math.hypot(args.vx, args.vy) * args.duration
    ground = make_ground(args.terrain, args.level, args.seed, reach=5.0 + 1.5 * way)
    if ground is not None and way > min(ground.half_extent):
        end = f"{min(ground.half_extent):g} m from the start"
        print(f"[WARNING] the ground ends {end}: a robot that gets there falls off", file=sys.stderr)
    return ground


def _check_delay(delay: int, manifest: Manifest) -> None:
    fewest, most = manifest.action.delay_steps
    if delay > manifest.timing.decimation:
        raise CliError(f"--delay {delay}: must be at most {manifest.timing.decimation} physics steps, one policy step")
    if not fewest <= delay <= most:
        trained = f"{fewest} to {most} physics steps" if most else "its manifest tells of no delay"
        print(f"[WARNING] --delay {delay} is beyond what was trained: {trained}", file=sys.stderr)


def _warn_beyond_training(command: np.ndarray, manifest: Manifest) -> None:
    for flag, value, (low, high) in zip(("vx", "vy", "wz", "height"), command, manifest.command.ranges, strict=True):
        if not low <= value <= high:
            print(f"[WARNING] --{flag} {value:g} is beyond what was trained: {low:g} to {high:g}", file=sys.stderr)


def _watchers(
    args: argparse.Namespace, robot: MujocoRobot, cleanup: contextlib.ExitStack
) -> list[Callable[[MujocoRobot], bool | None]]:
    """Open what looks at the robot after every policy step; False from one of them ends the run."""
    watchers: list[Callable[[MujocoRobot], bool | None]] = []
    if args.video is not None:
        film = Film(robot.model, args.video, robot.manifest.timing.policy_dt)
        cleanup.callback(film.close)
        watchers.append(lambda stepped: film.add(stepped.data) if film.is_due() else None)
    if args.viewer:
        import mujoco.viewer

        window = cleanup.enter_context(mujoco.viewer.launch_passive(robot.model, robot.data))
        watchers.append(_real_time(window, robot.manifest.timing.policy_dt))
    return watchers


def _real_time(window: Any, dt: float) -> Callable[[MujocoRobot], bool]:
    """Return a watcher that shows every step when its time has come, until the window is closed."""
    due = time.perf_counter()

    def show(robot: MujocoRobot) -> bool:
        nonlocal due
        window.sync()
        due = max(due + dt, time.perf_counter() - 10 * dt)  # a slow machine must not race to catch up
        time.sleep(max(0.0, due - time.perf_counter()))
        return window.is_running()

    return show


def _print_report(args: argparse.Namespace, command: np.ndarray, report: Report) -> None:
    vx, vy, wz, height = command
    velocity = f"{report.mean_vx:.3f}, {report.mean_vy:.3f} m/s"
    rows = [
        ("velocity x, y", velocity, f"{vx:.3f}, {vy:.3f}", report.error_vel_xy),
        ("yaw rate", f"{report.mean_wz:.3f} rad/s", f"{wz:.3f}", report.error_wz),
        ("height", f"{report.mean_height:.3f} m", f"{height:.3f}", report.error_height),
    ]
    ground = args.terrain if args.terrain == "flat" else f"{args.terrain}, level {args.level},"
    print(f"{args.policy} on {ground} ground for {report.duration:.2f} s, seed {args.seed}, delay {args.delay}")
    print(f"{'':15}{'mean':24}{'command':18}mean error")
    for name, mean, wanted, error in rows:
        print(f"{name:15}{mean:24}{wanted:18}{error:.3f}")
    print(f"{'survival time':15}{report.survival_time:.2f} s")
    print(f"{'falls':15}{report.falls}")
    print(f"{'distance':15}{report.distance:.2f} m")
    print(f"{'energy':15}{report.energy:.0f} J ({report.mean_power:.0f} W)")
    print(f"{'speed':15}{report.real_time_factor:.1f} x real time")
    if args.json is not None:
        asked = {name: getattr(args, name) for name in ("policy", "terrain", "level", "delay", "seed")}
        results = {**asked, "command": command.tolist(), **vars(report)}
        try:
            args.json.write_text(json.dumps(results, indent=2) + "\n")
        except OSError as error:
            raise CliError(f"--json {args.json}: {error.strerror}; name another file", FAILURE) from error
