# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module tells a type checker nothing about itself)

"""Robots in MuJoCo, one after the other, for the suites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import mujoco
import numpy as np

from himloco_lab.deployment.manifest import Manifest, Timing
from himloco_lab.deployment.mujoco_sim import MujocoRobot, PolicyLoop, Wrench
from himloco_lab.deployment.policy import Policy
from himloco_lab.robots.description import RobotDescription
from himloco_lab.robots.urdf import load_model

from .arena import START_NOISE, Array, Push, State

_UNKNOWN = (np.nan,) * 3  # nothing here tells a policy's estimate


def with_physics_dt(manifest: Manifest, physics_dt: float | None) -> Manifest:
    """Return the manifest with another physics step, at the same rate of the policy.

    Raises:
        ValueError: If the policy's step is no multiple of it.
    """
    if physics_dt is None:
        return manifest
    decimation = round(manifest.timing.policy_dt / physics_dt)
    if abs(decimation * physics_dt - manifest.timing.policy_dt) > 1e-9:
        raise ValueError(
            f"a policy step of {manifest.timing.policy_dt} s is no multiple of a physics step of {physics_dt} s"
        )
    return replace(manifest, timing=Timing(physics_dt, decimation, manifest.timing.policy_dt))


class MujocoArena:
    """An :class:`.arena.Arena` in MuJoCo. The robots share a model; each has a state of its own."""

    def __init__(
        self,
        manifest: Manifest,
        description: RobotDescription,
        make_policy: Callable[[int], Policy],
        robots: Sequence[int],
    ) -> None:
        """Build the model once.

        Args:
            manifest: The policy's manifest.
            description: The robot that it names.
            make_policy: Number of a robot -> what drives it.
            robots: Numbers of the robots: they decide the noise, so that it does not matter who else is here.
        """
        first = MujocoRobot(manifest, description, reset_noise=START_NOISE)
        self._numbers = list(robots)
        others = [first.another() for _ in self._numbers[1:]]
        self._loops = [
            PolicyLoop(manifest, robot, make_policy(number))
            for robot, number in zip([first, *others], self._numbers, strict=True)
        ]
        self.num_robots, self.dt = len(self._loops), manifest.timing.policy_dt
        model = load_model(description)
        self.mass = model.mass
        self.links = (model.root, *(joint.child for joint in model.joints.values()))
        led = [joint for joint in manifest.joints if joint.driven_by == "command"]
        self.arms = tuple(joint.name for joint in led)
        self.arm_default = np.array([joint.default_pos for joint in led])
        self.arm_limits = np.array([(joint.lower, joint.upper) for joint in led]).reshape(-1, 2)
        self._feet = [first.model.body(name).id for name in description.foot_bodies]
        self._foot_names = description.foot_bodies
        self._last: dict[str, Array] = {}

    def reset(self, seed: int) -> None:
        """Stand all robots up."""
        for loop, number in zip(self._loops, self._numbers, strict=True):
            loop.robot.seed([seed, number])
            loop.reset()
        self._starts = [loop.robot.data.qpos.copy() for loop in self._loops]
        self._fallen = np.zeros(self.num_robots, dtype=bool)
        states = [self._state(loop, 0.0, fallen=False) for loop in self._loops]
        self._last = {name: np.stack([one[name] for one in states]) for name in states[0]}

    def step(self, command: Array, arms: Array | None = None, push: Push | None = None) -> State:
        """Let the policy act once; who has fallen lies where it fell."""
        for index, loop in enumerate(self._loops):
            if self._fallen[index]:
                continue
            targets = None if arms is None else dict(zip(self.arms, map(float, arms[index]), strict=True))
            wrench = None
            if push is not None:
                x, y, z = map(float, push.force[index])
                wrench = Wrench(self.links[int(push.links[index])], (x, y, z))
            before = loop.robot.energy
            loop.step(command[index], targets, wrench=wrench)
            self._fallen[index] = loop.robot.has_fallen
            state = self._state(loop, (loop.robot.energy - before) / self.dt, bool(self._fallen[index]))
            for name, value in state.items():
                self._last[name][index] = value
        return State(**{name: values.copy() for name, values in self._last.items()})

    def hold(self) -> None:
        """Put all robots back into the pose that they started in."""
        for loop, start in zip(self._loops, self._starts, strict=True):
            data = loop.robot.data
            data.qpos[:] = start
            data.qvel[:] = 0.0
            data.xfrc_applied[:] = 0.0
            mujoco.mj_forward(loop.robot.model, data)
        self._fallen[:] = False

    def _state(self, loop: PolicyLoop, power: float, fallen: bool) -> dict[str, Any]:
        """Return what :class:`State` tells of one robot, without the axis of robots."""
        robot = loop.robot
        data = robot.data
        w, x, y, z = data.qpos[3:7]
        yaw = np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
        touching = robot.ground_contacts()
        speeds = [_horizontal_speed(robot, body) for body in self._feet]
        return {
            "velocity": [*robot.lin_vel[:2], data.qvel[5]],
            "height": robot.base_height,
            "pose": [data.qpos[0], data.qpos[1], yaw],  # robots start at the origin and look along x
            "fallen": fallen,
            "power": power,
            "joint_vel": robot.joint_vel,
            "contacts": [name in touching for name in self._foot_names],
            "foot_speed": speeds,
            "actions": loop.last_action,
            "estimate": _UNKNOWN,
        }


def _horizontal_speed(robot: MujocoRobot, body: int) -> float:
    """Speed over the ground of a body's origin [m/s]."""
    velocity = np.zeros(6)
    mujoco.mj_objectVelocity(robot.model, robot.data, mujoco.mjtObj.mjOBJ_XBODY, body, velocity, 0)
    return float(np.hypot(velocity[3], velocity[4]))
