# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A policy on a robot in MuJoCo, and how well it did."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from himloco_lab.robots.policy_layout import HEIGHT, VX, VY, YAW_RATE

from .manifest import Manifest
from .mujoco_sim import MujocoRobot, TorqueHook, Wrench
from .observations import ObservationBuilder
from .policy import Policy


class PolicyLoop:
    """Robot, observation and policy, one policy step at a time."""

    def __init__(self, manifest: Manifest, robot: MujocoRobot, policy: Policy) -> None:
        """Begin an episode where the robot stands.

        Args:
            manifest: The policy's manifest.
            robot: The robot.
            policy: What drives it.
        """
        self.robot, self.policy = robot, policy
        self._builder = ObservationBuilder(manifest)
        self.last_action = np.zeros(manifest.output.width)
        """The policy's last raw output, shape ``[A]``."""

    def reset(self) -> None:
        """Stand the robot up and forget the past."""
        self.robot.reset()
        self.policy.reset()
        self._builder.reset()
        self.last_action = np.zeros_like(self.last_action)

    def step(
        self,
        command: np.ndarray,
        upper_body_targets: Mapping[str, float] | None = None,
        *,
        torque_hook: TorqueHook | None = None,
        wrench: Wrench | None = None,
        delay: int = 0,
    ) -> None:
        """Observe, act, and advance one policy step.

        Args:
            command: vx, vy [m/s], yaw rate [rad/s], height [m]; shape ``[4]``.
            upper_body_targets: Targets of joints that the policy does not drive [rad].
            torque_hook: See :meth:`.MujocoRobot.step`.
            wrench: See :meth:`.MujocoRobot.step`.
            delay: See :meth:`.MujocoRobot.step`.
        """
        observation = self._builder.observe(self.robot.state, command, self.last_action)
        self.last_action = self.policy(observation)
        self.robot.step(self.last_action, upper_body_targets, torque_hook=torque_hook, wrench=wrench, delay=delay)


@dataclass(frozen=True)
class Report:
    """How a run went. Means are over all steps, from the first on."""

    duration: float
    """Simulated time [s]."""
    mean_vx: float
    """[m/s], in the base's frame"""
    mean_vy: float
    """[m/s]"""
    mean_wz: float
    """[rad/s]"""
    mean_height: float
    """[m]"""
    error_vel_xy: float
    """Mean of ``|v_xy - command|`` [m/s], as training logs it."""
    error_wz: float
    """Mean of ``|wz - command|`` [rad/s]."""
    error_height: float
    """Mean of ``|height - command|`` [m]."""
    survival_time: float
    """Time until the first fall, the whole duration without one [s]."""
    falls: int
    distance: float
    """Length of the base's path over the ground [m]."""
    energy: float
    """Mechanical work of all joints, braking counted as work [J]."""
    mean_power: float
    """[W]"""
    real_time_factor: float
    """Robot-seconds per second of wall-clock time."""

    def to_dict(self) -> dict[str, Any]:
        """Return the values by name."""
        return dict(vars(self))


def run(
    loop: PolicyLoop,
    command: np.ndarray,
    duration: float,
    on_step: Callable[[MujocoRobot], bool | None] | None = None,
    *,
    delay: int = 0,
) -> Report:
    """Run a policy under one command; a robot that falls stands up again and goes on.

    Args:
        loop: The robot and its policy.
        command: vx, vy [m/s], yaw rate [rad/s], height [m]; shape ``[4]``.
        duration: Time to simulate [s].
        on_step: Called after every policy step; False ends the run.
        delay: Physics steps by which every action comes late.
    """
    robot, dt = loop.robot, loop.robot.manifest.timing.policy_dt
    loop.reset()
    measured: list[tuple[float, ...]] = []
    falls, first_fall, energy, distance = 0, None, 0.0, 0.0
    start = time.perf_counter()
    for step in range(max(1, round(duration / dt))):
        before, work = robot.data.qpos[:2].copy(), robot.energy
        loop.step(command, delay=delay)
        energy += robot.energy - work
        if robot.has_diverged:
            measured.append(measured[-1] if measured else (0.0,) * 4)  # MuJoCo has put the state back, it says nothing
        else:
            distance += float(np.linalg.norm(robot.data.qpos[:2] - before))
            measured.append((*robot.lin_vel[:2], float(robot.data.qvel[5]), robot.base_height))
        goes_on = on_step is None or on_step(robot) is not False
        if robot.has_fallen:
            falls += 1
            first_fall = (step + 1) * dt if first_fall is None else first_fall
            loop.reset()
        if not goes_on:
            break
    seconds = time.perf_counter() - start
    values = np.array(measured)  # [T, 4]
    means = values.mean(axis=0)
    simulated = len(values) * dt
    return Report(
        duration=simulated,
        mean_vx=float(means[VX]),
        mean_vy=float(means[VY]),
        mean_wz=float(means[YAW_RATE]),
        mean_height=float(means[HEIGHT]),
        error_vel_xy=float(np.linalg.norm(values[:, :2] - command[:2], axis=1).mean()),
        error_wz=float(np.abs(values[:, YAW_RATE] - command[YAW_RATE]).mean()),
        error_height=float(np.abs(values[:, HEIGHT] - command[HEIGHT]).mean()),
        survival_time=simulated if first_fall is None else first_fall,
        falls=falls,
        distance=distance,
        energy=energy,
        mean_power=energy / simulated,
        real_time_factor=simulated / max(seconds, 1e-9),
    )
