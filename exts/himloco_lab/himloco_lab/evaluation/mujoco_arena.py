# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module has no types)

"""Robots in MuJoCo for the suites: one after the other in a process, and some in each of many processes."""

from __future__ import annotations

import functools
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from himloco_lab.deployment.manifest import START_NOISE, Manifest, ManifestError, NoManifestError, Tensor, Timing
from himloco_lab.deployment.mujoco_sim import MujocoRobot, PolicyLoop, Wrench
from himloco_lab.deployment.policy import (
    OnnxPolicy,
    Policy,
    RandomPolicy,
    ZeroPolicy,
    find_policy,
    open_session,
    untrained_manifest,
)
from himloco_lab.robots.description import RobotDescription, find_description
from himloco_lab.robots.policy_layout import HEIGHT, VELOCITY
from himloco_lab.robots.urdf import load_model

from .arena import Array, Push, State, decimation_of
from .suites import Job, load, run_job, save
from .tracking import join

SLICE = 8
"""Robots that a process takes at a time."""


def with_physics_dt(manifest: Manifest, physics_dt: float | None) -> Manifest:
    """Return the manifest with another physics step, at the same rate of the policy; a ValueError if that cannot be."""
    if physics_dt is None:
        return manifest
    policy_dt = manifest.timing.policy_dt
    return replace(manifest, timing=Timing(physics_dt, decimation_of(policy_dt, physics_dt), policy_dt))


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
            manifest: The policy's.
            description: The robot that it names.
            make_policy: Number of a robot -> what drives it.
            robots: Their numbers decide the noise, so that it does not matter who else is here.
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
        commanded = [joint for joint in manifest.joints if joint.driven_by == "command"]
        self.arms = tuple(joint.name for joint in commanded)
        self.arm_default = np.array([joint.default_pos for joint in commanded])
        self.arm_limits = np.array([(joint.lower, joint.upper) for joint in commanded]).reshape(-1, 2)
        self._feet = {name: first.model.body(name).id for name in description.foot_bodies}

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
        """Return what a :class:`.State` holds of one robot, without the axis of robots."""
        robot = loop.robot
        data, motion = robot.data, robot.motion
        w, x, y, z = data.qpos[3:7]
        yaw = np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
        touching = robot.ground_contacts()
        foot_vel = np.zeros((len(self._feet), 6))
        for velocity, body in zip(foot_vel, self._feet.values(), strict=True):
            mujoco.mj_objectVelocity(robot.model, data, mujoco.mjtObj.mjOBJ_XBODY, body, velocity, 0)
        return {
            "velocity": motion[VELOCITY],
            "height": motion[HEIGHT],
            "pose": [data.qpos[0], data.qpos[1], yaw],  # robots start at the origin and look along x
            "fallen": fallen,
            "power": power,
            "joint_vel": robot.joint_vel,
            "contacts": [name in touching for name in self._feet],
            "foot_speed": np.hypot(foot_vel[:, 3], foot_vel[:, 4]),
            "actions": loop.last_action,
            "estimate": (np.nan,) * 3,  # an exported policy keeps it to itself
        }


@dataclass(frozen=True)
class MujocoPolicy:
    """A policy for MuJoCo, as it travels to another process."""

    manifest: Manifest
    path: Path | None
    """An ONNX or TorchScript file; None for a built-in policy."""
    built_in: str = ""
    """``zero`` or ``random``."""

    def make_policy(self, seed: int, robot: int) -> Policy:
        """Open it for one robot."""
        if self.path is None:
            if self.built_in == "zero":
                return ZeroPolicy(self.manifest)
            return RandomPolicy(self.manifest, int(np.random.default_rng([seed, robot]).integers(2**31)))
        if self.path.suffix == ".onnx":
            return OnnxPolicy(self.manifest, self.path)
        return _torchscript_policy(self.manifest, self.path)


def _torchscript_policy(manifest: Manifest, path: Path) -> Policy:
    """Open a TorchScript file, on one thread."""
    import torch
    from tensordict import TensorDict

    from himloco_lab.playing.policies import PolicyError, TaskLayout, open_policy

    torch.set_num_threads(1)
    try:
        policy = open_policy(str(path), TaskLayout(("obs",), (manifest.input.width,), manifest.output.width))
    except PolicyError as error:
        raise ManifestError(str(error)) from None

    def act(observation: np.ndarray) -> np.ndarray:
        batch = torch.as_tensor(observation, dtype=torch.float)
        return policy(TensorDict({"obs": batch}, batch_size=1)).double().numpy()[0]

    return act


def find_mujoco_policy(name: str, path: Path | None, robot: str, newest_first: bool = False) -> MujocoPolicy:
    """Find the manifest of a policy; for one that has none, the layout of its robot.

    Args:
        name: ``zero`` or ``random``, if there is no file.
        path: An ONNX or TorchScript file.
        robot: The task's robot, as ``"module:NAME"``.
        newest_first: Whether the file's policy was trained with the newest frame first, whatever its manifest says.

    Raises:
        ManifestError: If it has a manifest that is not sound, or does not fit the robot's layout without one.
    """
    if path is None:
        return MujocoPolicy(untrained_manifest(robot), None, name)
    beside = path.with_suffix(".onnx")
    try:
        manifest, _ = find_policy(beside if path.suffix != ".onnx" and beside.is_file() else path)
    except ManifestError as error:
        if path.suffix == ".onnx" and not isinstance(error, NoManifestError):
            raise
        manifest = untrained_manifest(robot)
        if path.suffix == ".onnx":
            session = open_session(path)
            taken, given = session.get_inputs()[0].name, session.get_outputs()[0].name
            manifest = replace(
                manifest, input=Tensor(taken, manifest.input.width), output=Tensor(given, manifest.output.width)
            )
    if newest_first:
        manifest = replace(manifest, observation=replace(manifest.observation, history_order="newest-first"))
    found = MujocoPolicy(manifest, path)
    found.make_policy(0, 0)  # says what does not fit
    return found


def measure(policy: MujocoPolicy, job: Job, kept: Path, on_robots: Callable[[int], None]) -> Any:
    """Do a job with all cores. What is done when it is interrupted is not done again.

    Recordings of robots that are done are *kept* in a folder whose name stands for policy and job, until all are done;
    *on_robots* is called with their number whenever there are some.
    """
    slices = [range(first, min(first + SLICE, job.num_robots)) for first in range(0, job.num_robots, SLICE)]
    kept.mkdir(parents=True, exist_ok=True)
    left = [chosen for chosen in slices if not (kept / f"{chosen.start}.npz").is_file()]
    on_robots(job.num_robots - sum(map(len, left)))
    if left:
        os.environ.setdefault("MUJOCO_GL", "disable")  # nothing is drawn, so a broken backend need not matter
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # new processes inherit it: Ctrl-C is for this one
        try:
            pool = multiprocessing.get_context("spawn").Pool(min(len(os.sched_getaffinity(0)), len(left)))
        finally:
            signal.signal(signal.SIGINT, handler)
        with pool:
            for chosen in pool.imap_unordered(functools.partial(_measure_slice, policy, job, kept), left):
                on_robots(len(chosen))
    recordings = [load(kept / f"{chosen.start}.npz") for chosen in slices]
    shutil.rmtree(kept)
    return join(recordings)


def _measure_slice(policy: MujocoPolicy, job: Job, kept: Path, robots: range) -> range:
    """Measure some robots of a job, in a process of their own, and keep the recording; return the robots."""
    manifest = with_physics_dt(policy.manifest, job.physics_dt)
    shared = policy.make_policy(job.seed, 0)
    is_random = policy.built_in == "random"

    def policy_of(robot: int) -> Policy:
        return policy.make_policy(job.seed, robot) if is_random else shared

    arena = MujocoArena(manifest, find_description(manifest.robot), policy_of, robots)
    save(run_job(arena, job, robots), kept / f"{robots.start}.npz")
    return robots
