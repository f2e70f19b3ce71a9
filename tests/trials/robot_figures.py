# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a policy's step and a command cost one core [ms], without a network: ``python tests/trials/robot_figures.py``.

CPU time of this thread. ``deploy.py --echo`` and ``robot_sim.py`` print how fast
states are answered over DDS.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

import himloco_lab
from himloco_lab.deployment.policy import OnnxPolicy, find_policy
from himloco_lab.deployment.robot.controller import Controller
from himloco_lab.deployment.robot.robots import MotorMap, find_robot
from himloco_lab.deployment.robot.runner import Lockstep
from himloco_lab.deployment.robot.simulated import SimulatedRobot, read_script, simulate

STATES = 3000
"""States to answer, 500 a second."""


def main() -> int:
    """Measure, and return the exit code."""
    manifest, onnx = find_policy(Path(himloco_lab.__file__).parent / "policies" / "g1_sturdy")
    controller = Controller(manifest, OnnxPolicy(manifest, onnx), MotorMap(manifest, find_robot(manifest)))
    lockstep = Lockstep(controller, manifest.timing.policy_dt)
    robot = SimulatedRobot(controller.motors.robot)
    kind, costs = robot.robot.low_state, {"with a step of the policy": [], "without": []}

    def exchange(state: np.ndarray | None) -> np.ndarray | None:
        assert state is not None
        stream, steps = kind.to_stream(state), len(lockstep.timing.steps)
        begun = time.thread_time()
        message = kind.from_stream(stream)
        answer = lockstep.answer(message) if kind.is_sound(message) else None
        if answer is not None:
            controller.motors.robot.low_cmd.to_stream(answer)
        spent = time.thread_time() - begun
        costs["with a step of the policy" if len(lockstep.timing.steps) > steps else "without"].append(spent)
        return answer

    simulate(robot, exchange, events=read_script("0.02 press start; 2.2 press A"), duration=STATES * 0.002)
    for name, values in costs.items():
        p50, p99 = np.percentile(values[len(values) // 2 :], (50, 99)) * 1e3
        print(f"a state answered {name}: {p50:.3f} ms, 99th percentile {p99:.3f} ms")
    state, spent = robot.state(), []
    for index in range(1000):  # the same once more, without a simulator that empties the caches in between
        state["tick"] = robot.tick + 20 * (1 + index)
        message, begun = kind.from_stream(kind.to_stream(state)), time.thread_time()
        lockstep.answer(message)
        spent.append(time.thread_time() - begun)
    print(f"observation, ONNX and command alone, over and over: {np.median(spent) * 1e3:.3f} ms; {controller.phase}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
