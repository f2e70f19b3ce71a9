# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module has no types)

"""A robot in MuJoCo that takes what a policy gives and measures what a policy needs, and the loop of the two."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from himloco_lab.robots.description import RobotDescription
from himloco_lab.robots.height_field import HeightField
from himloco_lab.robots.mjcf_builder import GROUND, make_spec
from himloco_lab.robots.policy_layout import FALL_TILT, HEIGHT, YAW_RATE

from .manifest import VELOCITY_XY, Manifest, ManifestError
from .observations import ObservationBuilder, RobotState
from .policy import Policy

Array = np.ndarray

_BLOWN_UP = [int(getattr(mujoco.mjtWarning, f"mjWARN_BADQ{what}")) for what in ("POS", "VEL", "ACC")]


@dataclass(frozen=True)
class Wrench:
    """A force [N] and a torque [N m] on a body at its center of mass, in the world frame; shape ``[3]`` each."""

    body: str
    force: tuple[float, float, float] = (0.0, 0.0, 0.0)
    torque: tuple[float, float, float] = (0.0, 0.0, 0.0)


TorqueHook = Callable[[float, Array], Array]
"""Takes the time [s] and the PD law's torques [N m], shape ``[J]``, returns those to apply, before the effort limits.
It is called in every physics step."""


class MujocoRobot:
    """A robot on the ground, stepped at the policy's rate.

    Joints are in the manifest's order everywhere. The PD law is the training's: its torque is computed anew in every
    physics step and clipped to the effort limits.
    """

    def __init__(
        self,
        manifest: Manifest,
        description: RobotDescription,
        terrain: HeightField | None = None,
        seed: int = 0,
        *,
        visuals: bool = False,
        reset_noise: float = 0.0,
    ) -> None:
        """Build the model and put the robot on its feet.

        Args:
            manifest: Joints, gains, rates and the meaning of an action.
            description: The robot that the manifest names.
            terrain: The ground; level at z = 0 when None.
            seed: Seed of the resets' noise.
            visuals: Whether to load the meshes, which takes seconds.
            reset_noise: Half-width of the uniform noise on joint positions at a reset [rad].

        Raises:
            ManifestError: If the manifest's joints are not the description's.
        """
        if set(manifest.joint_names) != set(description.joints):
            odd = ", ".join(sorted(set(manifest.joint_names) ^ set(description.joints)))
            raise ManifestError(f"the manifest and the robot {description.name} disagree about {odd}: give its --robot")
        self.manifest = manifest
        self.model: mujoco.MjModel = make_spec(
            description, timestep=manifest.timing.physics_dt, terrain=terrain, visuals=visuals
        ).compile()
        self.data = mujoco.MjData(self.model)
        self._generator = np.random.default_rng(seed)
        self._reset_noise = reset_noise
        joints = [self.model.joint(name) for name in manifest.joint_names]
        self._qpos_ids = np.array([joint.qposadr[0] for joint in joints])
        self._dof_ids = np.array([joint.dofadr[0] for joint in joints])
        self._motor_ids = np.array([self.model.actuator(name).id for name in manifest.joint_names])
        self._default_pos, self._stiffness, self._damping, self.effort_limit = np.array(
            [(joint.default_pos, joint.stiffness, joint.damping, joint.effort_limit) for joint in manifest.joints]
        ).T
        self.model.dof_armature[self._dof_ids] = [joint.armature for joint in manifest.joints]
        self.model.actuator_ctrlrange[self._motor_ids] = np.stack([-self.effort_limit, self.effort_limit], axis=1)
        names = manifest.joint_names
        self._action_ids = np.array([names.index(name) for name in manifest.action.joints])
        self._action_scale, self._action_offset = np.asarray(manifest.action.scale), np.asarray(manifest.action.offset)
        self._commanded = {
            name: place for place, name in enumerate(names) if place not in set(self._action_ids.tolist())
        }
        self._root = self.model.body(1).id
        self._feet = [self.model.body(name).id for name in description.foot_bodies]
        self._foot_height = description.foot_height
        self._trunk = {self._root, *(self.model.body(name).id for name in description.trunk_bodies)}
        self._ground = self.model.geom(GROUND).id
        self._body_of_geom: list[int] = self.model.geom_bodyid.tolist()
        self._terrain = terrain
        scan = manifest.observation.scan
        self._scan_points = None if scan is None else np.array(scan.points)  # [P, 2]
        self.energy = 0.0
        """Mechanical work of the joints since the reset, braking counted as work [J]."""
        self.torque = np.zeros(len(joints))
        """Torques of the last physics step [N m], shape ``[J]``."""
        self.reset()

    def another(self) -> MujocoRobot:
        """Return a robot of the same model with a state of its own; its noise is the same until it is seeded."""
        robot = copy.copy(self)
        robot.data = mujoco.MjData(self.model)
        robot._generator = copy.deepcopy(self._generator)
        robot.reset()
        return robot

    def seed(self, seed: int | Sequence[int]) -> None:
        """Begin the resets' noise anew."""
        self._generator = np.random.default_rng(seed)

    def reset(self) -> None:
        """Stand the robot up in its default pose at the origin, at rest, at the manifest's spawn height."""
        mujoco.mj_resetData(self.model, self.data)
        noise = self._generator.uniform(-1.0, 1.0, len(self._qpos_ids)) * self._reset_noise
        self.data.qpos[:7] = [0.0, 0.0, self.manifest.spawn_height, 1.0, 0.0, 0.0, 0.0]
        low, high = self.model.jnt_range[self.model.dof_jntid[self._dof_ids]].T
        self.data.qpos[self._qpos_ids] = np.clip(self._default_pos + noise, low, high)
        self.energy = 0.0
        self.torque = np.zeros(len(self._qpos_ids))
        self._last_targets = self.targets(np.zeros(len(self._action_ids)))
        mujoco.mj_forward(self.model, self.data)

    def step(
        self,
        action: Array,
        upper_body_targets: Mapping[str, float] | None = None,
        *,
        torque_hook: TorqueHook | None = None,
        wrench: Wrench | None = None,
        delay: int = 0,
    ) -> None:
        """Advance one policy step.

        Args:
            action: The policy's raw output, shape ``[A]``.
            upper_body_targets: Targets of joints that the policy does not drive [rad]; others hold their default.
            torque_hook: Changes the torques before the effort limits clip them.
            wrench: Acts on a body throughout the step.
            delay: Physics steps for which the policy's joints keep the targets of the step before, as in training.

        Raises:
            ValueError: If the delay is negative or longer than the step.
        """
        if not 0 <= delay <= self.manifest.timing.decimation:
            raise ValueError(f"A delay of {delay} must be 0 to {self.manifest.timing.decimation} physics steps.")
        targets = self.targets(action, upper_body_targets)
        late = targets.copy()
        late[self._action_ids] = self._last_targets[self._action_ids]
        self._last_targets = targets
        self.data.xfrc_applied[:] = 0.0
        if wrench is not None:
            self.data.xfrc_applied[self.model.body(wrench.body).id] = [*wrench.force, *wrench.torque]
        due = [late if substep < delay else targets for substep in range(self.manifest.timing.decimation)]
        self._step_physics(due, torque_hook)

    def _step_physics(self, due: Sequence[Array], torque_hook: TorqueHook | None) -> None:
        """Advance one physics step for each of the targets [rad], shape ``[J]``.

        Most of a policy step's Python runs here, ten times at 2 ms: what can wait until all are done does.
        """
        model, data, lowest = self.model, self.data, -self.effort_limit
        qpos, qvel, ctrl = data.qpos, data.qvel, data.ctrl  # views of MuJoCo's own memory
        torques, velocities = np.empty((2, len(due), len(lowest)))
        for substep, target in enumerate(due):
            velocity = qvel[self._dof_ids]
            torque = self._stiffness * (target - qpos[self._qpos_ids]) - self._damping * velocity
            if torque_hook is not None:
                torque = torque_hook(float(data.time), torque)
            torque = np.minimum(np.maximum(torque, lowest), self.effort_limit)  # np.clip, without its overhead
            ctrl[self._motor_ids] = torques[substep] = torque
            velocities[substep] = velocity
            # forces and integration, then poses and contacts: what is read afterwards belongs to the new positions
            mujoco.mj_step2(model, data)
            mujoco.mj_step1(model, data)
        self.torque = torques[-1]
        for power in np.abs(torques * velocities).sum(axis=1).tolist():
            self.energy += power * self.manifest.timing.physics_dt

    def targets(self, action: Array, upper_body_targets: Mapping[str, float] | None = None) -> Array:
        """Return all joints' position targets [rad], shape ``[J]``, for a raw action, shape ``[A]``."""
        clip = self.manifest.action.clip
        limited = action if clip is None else np.minimum(np.maximum(action, -clip), clip)
        targets = self._default_pos.copy()
        targets[self._action_ids] = self._action_offset + self._action_scale * limited
        for name, target in (upper_body_targets or {}).items():
            if name not in self._commanded:
                raise ValueError(f"Joint '{name}' is not one that the policy leaves to others.")
            targets[self._commanded[name]] = target
        return targets

    @property
    def state(self) -> RobotState:
        """What the robot's sensors measure, without noise, and what the ground is like if the policy sees it."""
        return RobotState(
            base_ang_vel=self.data.qvel[3:6].copy(),  # MuJoCo states a free joint's rotation in its own frame
            projected_gravity=-self._rotation[2],
            joint_pos=self.data.qpos[self._qpos_ids],
            joint_vel=self.joint_vel,
            height_scan=None if self._scan_points is None else self._height_above(self._scan_points),
        )

    @property
    def joint_vel(self) -> Array:
        """Velocities of all actuated joints [rad/s], shape ``[J]``."""
        return self.data.qvel[self._dof_ids]

    def _height_above(self, points: Array) -> Array:
        """Return the height of the base above the ground at points that turn with its heading [m], shape ``[P]``.

        Args:
            points: Ahead of the base and to its left [m], shape ``[P, 2]``.
        """
        position = self.data.xpos[self._root]
        if self._terrain is None:
            return np.full(len(points), position[2])
        heading = np.arctan2(self._rotation[1, 0], self._rotation[0, 0])
        cos, sin = np.cos(heading), np.sin(heading)
        turned = points @ np.array([[cos, sin], [-sin, cos]])  # rows times the transposed rotation
        return position[2] - self._terrain.height_at(position[:2] + turned)

    @property
    def _rotation(self) -> Array:
        """Rotation from the base's frame to the world's, shape ``[3, 3]``."""
        return self.data.xmat[self._root].reshape(3, 3)

    @property
    def motion(self) -> Array:
        """What a command asks for, as measured: vx, vy [m/s], yaw rate [rad/s], base height [m]; shape ``[4]``."""
        return np.array([*self.lin_vel[:2], self.data.qvel[5], self.base_height])

    @property
    def lin_vel(self) -> Array:
        """Velocity of the base's center of mass in the base's frame [m/s], shape ``[3]``, as Isaac Lab has it."""
        return self._rotation.T @ self.data.qvel[:3] + _cross(self.data.qvel[3:6], self.model.body_ipos[self._root])

    @property
    def base_height(self) -> float:
        """Height of the base above the lower foot, plus the description's ``foot_height`` [m]: what is commanded."""
        return float(self.data.xpos[self._root, 2] - self.data.xpos[self._feet, 2].min()) + self._foot_height

    @property
    def tilt(self) -> float:
        """Angle between the base's z axis and the vertical [rad]."""
        return float(np.arccos(min(max(self._rotation[2, 2], -1.0), 1.0)))

    def ground_contacts(self) -> set[str]:
        """Return the names of the bodies that touch the ground."""
        return {self.model.body(body).name for body in self._grounded()}

    def _grounded(self) -> set[int]:
        pairs = self.data.contact.geom.tolist()  # a dozen: plain Python is faster than arrays
        return {self._body_of_geom[geom] for pair in pairs if self._ground in pair for geom in pair} - {0}

    @property
    def has_diverged(self) -> bool:
        """Whether the physics blew up since the reset."""
        counts = self.data.warning.number.tolist()
        return any(counts[kind] > 0 for kind in _BLOWN_UP)

    @property
    def has_fallen(self) -> bool:
        """Whether the robot leans beyond :data:`FALL_TILT`, its trunk is on the ground, or the physics blew up."""
        return self.tilt > FALL_TILT or not self._trunk.isdisjoint(self._grounded()) or self.has_diverged


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
        self._builder.reset()
        self.last_action = np.zeros_like(self.last_action)

    def step(
        self,
        command: Array,
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


def run(
    loop: PolicyLoop,
    command: Array,
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
    measured: list[Array] = []
    falls, first_fall, energy, distance = 0, None, 0.0, 0.0
    start = time.perf_counter()
    for step in range(max(1, round(duration / dt))):
        before, work = robot.data.qpos[:2].copy(), robot.energy
        loop.step(command, delay=delay)
        energy += robot.energy - work
        if robot.has_diverged:
            measured.append(measured[-1] if measured else np.zeros(4))  # MuJoCo has put the state back, it says nothing
        else:
            distance += float(np.linalg.norm(robot.data.qpos[:2] - before))
            measured.append(robot.motion)
        is_ended = on_step is not None and on_step(robot) is False
        if robot.has_fallen:
            falls += 1
            first_fall = (step + 1) * dt if first_fall is None else first_fall
            loop.reset()
        if is_ended:
            break
    seconds = time.perf_counter() - start
    values = np.array(measured)  # [T, 4]
    off = values - command
    vx, vy, yaw_rate, height = map(float, values.mean(axis=0))
    simulated = len(values) * dt
    return Report(
        duration=simulated,
        mean_vx=vx,
        mean_vy=vy,
        mean_wz=yaw_rate,
        mean_height=height,
        error_vel_xy=float(np.linalg.norm(off[:, VELOCITY_XY], axis=1).mean()),
        error_wz=float(np.abs(off[:, YAW_RATE]).mean()),
        error_height=float(np.abs(off[:, HEIGHT]).mean()),
        survival_time=simulated if first_fall is None else first_fall,
        falls=falls,
        distance=distance,
        energy=energy,
        mean_power=energy / simulated,
        real_time_factor=simulated / max(seconds, 1e-9),
    )


def _cross(first: Array, second: Array) -> Array:
    """Return the cross product of two vectors, shape ``[3]``: np.cross takes twenty times as long for so little."""
    (a, b, c), (x, y, z) = first.tolist(), second.tolist()
    return np.array([b * z - c * y, c * x - a * z, a * y - b * x])
