# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A simulated robot and a controller with nothing but the bytes of their messages between them, in one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import himloco_lab
from himloco_lab.deployment.manifest import Manifest
from himloco_lab.deployment.policy import OnnxPolicy, Policy, find_policy
from himloco_lab.deployment.robot.controller import Controller, Step
from himloco_lab.deployment.robot.robots import MotorMap, find_robot
from himloco_lab.deployment.robot.runner import Lockstep
from himloco_lab.deployment.robot.simulated import Faults, Record, SimulatedRobot, read_script, simulate

POLICIES = Path(himloco_lab.__file__).parent / "policies"

STAND_UP = "0 lower; 0.02 press start; 2.2 press A; 2.7 release"
WALK = f"{STAND_UP}; 3 stick ly=0.4166667; 3 measure"
"""0.5 of the policy's 1.2 m/s."""


class World:
    """The two, and how their run went."""

    def __init__(self, name: str = "g1_sturdy", mode_machine: int | None = None, policy: Policy | None = None) -> None:
        self.manifest, onnx = find_policy(POLICIES / name)
        self.motors = MotorMap(self.manifest, find_robot(self.manifest))
        self.steps: list[Step] = []
        self.controller = Controller(self.manifest, policy or OnnxPolicy(self.manifest, onnx), self.motors)
        self.lockstep = Lockstep(self.controller, self.manifest.timing.policy_dt, self.steps.append)
        self.robot = SimulatedRobot(self.motors.robot, mode_machine)
        self.record = Record()
        self.on_state: Callable[[np.ndarray], np.ndarray] = lambda state: state
        self.on_command: Callable[[np.ndarray], np.ndarray] = lambda command: command

    def exchange(self, state: np.ndarray | None) -> np.ndarray | None:
        """Carry a state over and its answer back, as bytes."""
        if state is None:
            return None
        states, commands = self.motors.robot.low_state, self.motors.robot.low_cmd
        seen = states.from_stream(states.to_stream(self.on_state(state)))
        if not states.is_sound(seen):
            return None
        command = self.lockstep.answer(seen)
        if command is None:
            return None
        return self.on_command(commands.from_stream(commands.to_stream(command)))

    def run(self, script: str, end: float, faults: Faults | None = None, imu_noise: float = 0.0) -> dict[str, Any]:
        """Follow a script until *end* [s] and return what was measured."""
        self.record = simulate(
            self.robot, self.exchange, events=read_script(script), faults=faults, imu_noise=imu_noise, duration=end
        )
        return self.record.report(self.robot)

    def became(self, posture: str) -> float:
        """When the robot's motors began to do that, the last time [s]."""
        return next(time for time, now in reversed(self.record.postures) if now == posture)


def sim2sim_speed(manifest: Manifest, name: str, command: Sequence[float], duration: float) -> float:
    """Mean forward velocity of the same policy in MuJoCo without a network [m/s]."""
    from himloco_lab.deployment.mujoco_sim import MujocoRobot, PolicyLoop, run
    from himloco_lab.robots.description import find_description

    robot = MujocoRobot(manifest, find_description(manifest.robot))
    policy = OnnxPolicy(manifest, find_policy(POLICIES / name)[1])
    return run(PolicyLoop(manifest, robot, policy), np.array(command), duration).mean_vx
