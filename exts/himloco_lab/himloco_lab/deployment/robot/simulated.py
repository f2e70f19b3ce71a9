# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module tells a type checker nothing about itself)

"""A robot in MuJoCo that speaks Unitree's protocol: motors with their own PD law, an IMU, a remote control, a gantry.

It knows nothing of policies and manifests, as a robot does not; :mod:`himloco_lab.commands.robot_sim` is its network.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import mujoco
import numpy as np

from himloco_lab.deployment.mujoco_sim import FALL_TILT
from himloco_lab.robots.description import RobotDescription
from himloco_lab.robots.g1 import G1_29DOF_DESCRIPTION, G1_DESCRIPTION
from himloco_lab.robots.go2 import GO2_DESCRIPTION
from himloco_lab.robots.mjcf_builder import make_spec
from himloco_lab.robots.rigid_body import standing_height
from himloco_lab.robots.urdf import load_model

from .remote import Remote
from .robots import G1, UnitreeRobot

Array = np.ndarray

PHYSICS_DT = 0.002
"""Physics step [s], and time between two states: 500 Hz as on the robot."""

DEFAULT_MACHINES = {"g1": 5, "go2": 0}
"""``mode_machine`` where none is asked for."""

_LOCKED_WAIST = frozenset(mode for mode, missing in G1.missing_joints.items() if len(missing) == 2)

# The gantry: a rope from above to a point over the robot's base. It pulls and never pushes.
_ROPE_POINT = np.array([0.0, 0.0, 0.5])  # in the base's frame [m]
_ROPE_STIFFNESS, _ROPE_DAMPING = 3000.0, 300.0  # [N/m], [N s/m]
_ANCHOR_HEIGHT = 3.0  # [m]
_LIFT = 0.1
"""How far above its stance the robot hangs at first [m]."""
_SLACK = 0.15
"""By how much the rope is longer than the stance needs when it is let down [m]."""
_LOWERING_SPEED = 0.2  # [m/s]


class SimulatedRobot:
    """A robot that hangs from a gantry until it is let down.

    A command takes effect when it arrives. Motors follow the last one for as long as there is no other: what real ones
    do then is not known.
    """

    def __init__(self, robot: UnitreeRobot, mode_machine: int | None = None, *, visuals: bool = False) -> None:
        """Build the model.

        Args:
            robot: The robot.
            mode_machine: The kind of robot that it states; a locked waist has two joints less.
            visuals: Whether to load the meshes.
        """
        self.robot = robot
        self.mode_machine = DEFAULT_MACHINES[robot.name] if mode_machine is None else mode_machine
        self.description = _description(robot, self.mode_machine)
        self.model: mujoco.MjModel = make_spec(self.description, timestep=PHYSICS_DT, visuals=visuals).compile()
        self.data = mujoco.MjData(self.model)
        joints = self.description.joints
        slots = robot.slots
        self._slots = np.array([slots[name] for name in joints])
        addresses = [self.model.joint(name) for name in joints]
        self._qpos_ids = np.array([joint.qposadr[0] for joint in addresses])
        self._dof_ids = np.array([joint.dofadr[0] for joint in addresses])
        self._motor_ids = np.array([self.model.actuator(name).id for name in joints])
        urdf = load_model(self.description)
        specs = [self.description.actuator_of(name) for name in joints]
        self._effort = np.array(
            [
                urdf.joints[name].effort if spec.effort_limit is None else spec.effort_limit
                for name, spec in zip(joints, specs, strict=True)
            ]
        )
        self.model.dof_armature[self._dof_ids] = [spec.armature for spec in specs]
        self.model.actuator_ctrlrange[self._motor_ids] = np.stack([-self._effort, self._effort], axis=1)
        self._root = self.model.body(1).id
        self._standing = standing_height(urdf, self.description)
        self._feet = [self.model.body(name).id for name in self.description.foot_bodies]
        self.data.qpos[:7] = [0.0, 0.0, self._standing + _LIFT, 1.0, 0.0, 0.0, 0.0]
        self.remote = Remote()
        self.gantry: float | None = _ANCHOR_HEIGHT - (self._standing + _LIFT) - _ROPE_POINT[2]
        """Length of the rope [m]; None without one."""
        self._rope_goal = self.gantry
        self.command = robot.low_cmd.zeros()
        """The last command that was obeyed."""
        self.torque = np.zeros(len(joints))
        """Of the last physics step [N m], in the description's order."""
        self.tick = 0
        """Physics steps so far, in ms."""
        self.refused: collections.Counter[str] = collections.Counter()
        """Commands that were not obeyed, by their reason."""
        self.broken: dict[str, float] = {}
        """Values that the states lie about, by field: ``quaternion``, ``joint_pos``."""
        self._push = np.zeros(3)
        self._push_until = 0
        mujoco.mj_forward(self.model, self.data)

    def obey(self, command: Array) -> bool:
        """Take a command, if a robot would, and return whether it does.

        Args:
            command: A message of ``rt/lowcmd``.
        """
        if not self.robot.low_cmd.is_sound(command):
            self.refused["checksum"] += 1
        elif self.robot.missing_joints and int(command["mode_machine"]) != self.mode_machine:
            self.refused["mode_machine"] += 1
        else:
            self.command = command
            return True
        return False

    def step(self) -> None:
        """Advance one physics step."""
        data = self.data
        motors = self.command["motor_cmd"][self._slots]
        velocity = data.qvel[self._dof_ids]
        torque = (
            motors["tau"]
            + motors["kp"] * (motors["q"] - data.qpos[self._qpos_ids])
            + motors["kd"] * (motors["dq"] - velocity)
        )
        self.torque = np.where(motors["mode"] == 1, np.clip(torque, -self._effort, self._effort), 0.0)
        data.ctrl[self._motor_ids] = self.torque
        data.qfrc_applied[:] = 0.0
        self._pull_rope()
        data.xfrc_applied[self._root, :3] = self._push if self.tick < self._push_until else 0.0
        mujoco.mj_step2(self.model, data)
        mujoco.mj_step1(self.model, data)
        self.tick += round(PHYSICS_DT * 1000)

    def _pull_rope(self) -> None:
        if self.gantry is None or self._rope_goal is None:
            return
        way = self._rope_goal - self.gantry
        self.gantry += float(np.clip(way, -_LOWERING_SPEED * PHYSICS_DT, _LOWERING_SPEED * PHYSICS_DT))
        rotation = self.data.xmat[self._root].reshape(3, 3)
        point = self.data.xpos[self._root] + rotation @ _ROPE_POINT
        rope = np.array([self.data.qpos[0], self.data.qpos[1], _ANCHOR_HEIGHT]) - point  # the gantry rolls along
        length = float(np.linalg.norm(rope))
        stretch = length - self.gantry
        if stretch <= 0.0:
            return
        direction = rope / length
        lever = rotation @ _ROPE_POINT
        speed = self.data.qvel[:3] + np.cross(rotation @ self.data.qvel[3:6], lever)
        pull = max(_ROPE_STIFFNESS * stretch - _ROPE_DAMPING * float(speed @ direction), 0.0)
        force = pull * direction - 100.0 * speed * np.array([1.0, 1.0, 0.0])  # hands that keep it from swinging
        mujoco.mj_applyFT(self.model, self.data, force, np.zeros(3), point, self._root, self.data.qfrc_applied)

    def lower(self) -> None:
        """Let the rope down until the robot stands on its own."""
        self._rope_goal = _ANCHOR_HEIGHT - self._standing - _ROPE_POINT[2] + _SLACK

    def lift(self) -> None:
        """Lift the robot off the ground."""
        height = float(self.data.xpos[self._root, 2])
        self.gantry = max(_ANCHOR_HEIGHT - height - _ROPE_POINT[2], 0.1) if self.gantry is None else self.gantry
        self._rope_goal = _ANCHOR_HEIGHT - (self._standing + _LIFT) - _ROPE_POINT[2]

    def release(self) -> None:
        """Take the rope off."""
        self.gantry = self._rope_goal = None

    def push(self, force: Iterable[float], duration: float) -> None:
        """Push the base.

        Args:
            force: In the world's frame [N], shape ``[3]``.
            duration: For how long [s].
        """
        self._push = np.array([*force], float)
        self._push_until = self.tick + round(duration * 1000)

    def state(self, noise: np.random.Generator | None = None, imu_noise: float = 0.0) -> Array:
        """Return a message of ``rt/lowstate``.

        Args:
            noise: Draws the IMU's noise; none when None.
            imu_noise: Standard deviation of the angular velocity's noise [rad/s]; the orientation's is a tenth of the
                number [rad].
        """
        message = self.robot.low_state.zeros()
        data = self.data
        message["tick"] = self.tick
        if self.robot.missing_joints:
            message["mode_machine"] = self.mode_machine
        else:
            message["head"], message["level_flag"] = (0xFE, 0xEF), 0xFF
        motors = message["motor_state"]
        motors["mode"][self._slots] = 1
        motors["q"][self._slots] = data.qpos[self._qpos_ids]
        motors["dq"][self._slots] = data.qvel[self._dof_ids]
        motors["tau_est"][self._slots] = self.torque
        gyro, quaternion = data.qvel[3:6].copy(), data.qpos[3:7].copy()
        if noise is not None:
            gyro += noise.normal(0.0, imu_noise, 3)
            quaternion[1:] += noise.normal(0.0, 0.05 * imu_noise, 3)
            quaternion /= np.linalg.norm(quaternion)
        imu = message["imu_state"]
        imu["quaternion"], imu["gyroscope"] = quaternion, gyro
        rotation = data.xmat[self._root].reshape(3, 3)
        imu["accelerometer"] = rotation.T @ (data.qacc[:3] - self.model.opt.gravity)
        imu["rpy"] = _roll_pitch_yaw(rotation)
        if "quaternion" in self.broken:
            imu["quaternion"] = self.broken["quaternion"]
        if "joint_pos" in self.broken:
            motors["q"][self._slots[0]] = self.broken["joint_pos"]
        message["wireless_remote"] = np.frombuffer(self.remote.to_bytes(), np.uint8)
        message["crc"] = self.robot.low_state.crc(message)
        return message

    @property
    def motion(self) -> Array:
        """Velocity of the base's center of mass in its own frame [m/s] and yaw rate [rad/s], shape ``[3]``."""
        rotation = self.data.xmat[self._root].reshape(3, 3)
        velocity = rotation.T @ self.data.qvel[:3] + np.cross(self.data.qvel[3:6], self.model.body_ipos[self._root])
        return np.array([velocity[0], velocity[1], self.data.qvel[5]])

    @property
    def tilt(self) -> float:
        """Angle between the base's z axis and the vertical [rad]."""
        return float(np.arccos(np.clip(self.data.xmat[self._root].reshape(3, 3)[2, 2], -1.0, 1.0)))

    @property
    def height(self) -> float:
        """Height of the base above the lower foot's frame [m]."""
        return float(self.data.xpos[self._root, 2] - self.data.xpos[self._feet, 2].min())

    @property
    def posture(self) -> str:
        """What the last command does to the motors: ``none``, ``zero torque``, ``damping`` or ``driven``."""
        motors = self.command["motor_cmd"][self._slots]
        if not motors["mode"].any():
            return "none"
        if motors["kp"].any():
            return "driven"
        return "damping" if motors["kd"].all() else "zero torque"


def _description(robot: UnitreeRobot, mode_machine: int) -> RobotDescription:
    if robot.name == "go2":
        return GO2_DESCRIPTION
    return G1_DESCRIPTION if mode_machine in _LOCKED_WAIST else G1_29DOF_DESCRIPTION


def _roll_pitch_yaw(rotation: Array) -> tuple[float, float, float]:
    pitch = math.asin(max(-1.0, min(1.0, -rotation[2, 0])))
    return math.atan2(rotation[2, 1], rotation[2, 2]), pitch, math.atan2(rotation[1, 0], rotation[0, 0])


@dataclasses.dataclass
class Faults:
    """What the network does to commands and states on their way."""

    delay: float = 0.0
    """By how much commands come late [s]."""
    loss: float = 0.0
    """Part of the commands, and of the states, that never arrive."""
    seed: int = 0
    silent_until: int = -1
    """Tick before which nothing passes [ms]."""

    def __post_init__(self) -> None:
        """Begin with nothing on the way."""
        self._generator = np.random.default_rng(self.seed)
        self._late: collections.deque[tuple[int, Array]] = collections.deque()

    def passes(self, tick: int) -> bool:
        """Whether a message of that moment arrives at all."""
        return tick >= self.silent_until and (self.loss == 0.0 or float(self._generator.random()) >= self.loss)

    def put(self, command: Array, tick: int) -> None:
        """Send a command on its way."""
        self._late.append((tick + round(self.delay * 1000), command))

    def due(self, tick: int) -> Iterable[Array]:
        """Return the commands that arrive now."""
        while self._late and self._late[0][0] <= tick:
            yield self._late.popleft()[1]


@dataclasses.dataclass(frozen=True)
class Event:
    """One line of a script: when, what, and with which words."""

    tick: int
    verb: str
    words: tuple[str, ...]


VERBS = {
    "press": "buttons, held for 0.1 s: start, A, select, L2 B",
    "stick": "ly=0.5 and others, from -1 to 1: the remote control's sticks from now on",
    "lower": "let the rope down",
    "lift": "lift the robot off the ground",
    "release": "take the rope off",
    "push": "X Y [N] for 0.1 s, or for a third number of seconds",
    "silence": "SECONDS in which nothing passes",
    "break": "quaternion=nan or joint_pos=nan: states that lie",
    "machine": "NUMBER: another mode_machine",
    "measure": "forget what was measured",
    "end": "end the simulation",
}
"""Verbs of a script and what follows them."""

_PRESS_TIME = 100  # [ms]
_SAMPLE_TICKS = 20  # [ms]


class ScriptError(ValueError):
    """A script that cannot be followed: names the line."""


def read_script(text: str) -> list[Event]:
    """Return a script's events by their time.

    Args:
        text: Lines, or parts between semicolons, of a time [s], a verb of :data:`VERBS`, and what it wants.

    Raises:
        ScriptError: If a line is not one.
    """
    events = []
    for line in text.replace(";", "\n").splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            tick, verb = round(float(words[0]) * 1000), words[1]
        except (ValueError, IndexError, OverflowError):
            raise ScriptError(f"{line.strip()!r}: must be a time [s] and one of {', '.join(VERBS)}") from None
        if verb not in VERBS:
            raise ScriptError(f"{line.strip()!r}: {verb} is none of {', '.join(VERBS)}")
        events.append(Event(tick, verb, tuple(words[2:])))
        if verb == "press":
            events.append(Event(tick + _PRESS_TIME, "let go", tuple(words[2:])))
    return sorted(events, key=lambda event: event.tick)


def perform(event: Event, robot: SimulatedRobot, faults: Faults) -> None:
    """Do what an event says; ``measure`` and ``end`` are for whoever measures.

    Raises:
        ScriptError: If what follows the verb is not what it wants.
    """
    words = event.words
    try:
        if event.verb in ("press", "let go"):
            held = robot.remote.buttons | {*words} if event.verb == "press" else robot.remote.buttons - {*words}
            robot.remote = dataclasses.replace(robot.remote, buttons=held)
            robot.remote.to_bytes()
        elif event.verb == "stick":
            values = {name: float(value) for name, _, value in (word.partition("=") for word in words)}
            robot.remote = dataclasses.replace(robot.remote, **values)  # type: ignore[arg-type]
        elif event.verb in ("lower", "lift", "release"):
            getattr(robot, event.verb)()
        elif event.verb == "push":
            numbers = [float(word) for word in words]
            robot.push((numbers[0], numbers[1], 0.0), numbers[2] if len(numbers) > 2 else 0.1)
        elif event.verb == "silence":
            faults.silent_until = robot.tick + round(float(words[0]) * 1000)
        elif event.verb == "break":
            robot.broken = {name: float(value) for name, _, value in (word.partition("=") for word in words)}
        elif event.verb == "machine":
            robot.mode_machine = int(words[0])
    except (ValueError, IndexError, TypeError) as error:
        raise ScriptError(f"{event.verb} {' '.join(words)}: wants {VERBS.get(event.verb, 'buttons')}") from error


@dataclasses.dataclass
class Record:
    """What a robot did, its motion sampled at the rate of a policy."""

    motions: list[Array] = dataclasses.field(default_factory=list)
    """Velocity [m/s] and yaw rate [rad/s] since the last ``measure``, shape ``[3]`` each."""
    fell_at: float | None = None
    """When it first leaned as one that has fallen [s]."""
    postures: list[tuple[float, str]] = dataclasses.field(default_factory=list)
    """When commands began to do something else to the motors [s], and what."""
    answers: list[float] = dataclasses.field(default_factory=list)
    """Times from a state to the command that answers it, as far as commands tell [s]."""
    commands: int = 0
    heard_at: int | None = None
    """Tick of the first command [ms]: a script's time begins there."""

    def sample(self, robot: SimulatedRobot) -> None:
        """Look at the robot after a physics step."""
        if robot.tick % _SAMPLE_TICKS == 0:
            self.motions.append(robot.motion)
        if self.fell_at is None and robot.tilt > FALL_TILT:
            self.fell_at = robot.tick * 1e-3
        if not self.postures or self.postures[-1][1] != robot.posture:
            self.postures.append((robot.tick * 1e-3, robot.posture))

    def report(self, robot: SimulatedRobot) -> dict[str, Any]:
        """Return everything by name."""
        motions = np.array(self.motions or [np.zeros(3)])
        found: dict[str, Any] = {
            "duration": robot.tick * 1e-3,
            "measured": len(self.motions) * _SAMPLE_TICKS * 1e-3,
            **dict(zip(("mean_vx", "mean_vy", "mean_wz"), motions.mean(axis=0).tolist(), strict=True)),
            "fell_at": self.fell_at,
            "tilt": robot.tilt,
            "height": robot.height,
            "commands": self.commands,
            "refused": dict(robot.refused),
            "postures": self.postures,
        }
        if self.answers:
            p50, p99 = np.percentile(self.answers, (50, 99)) * 1e3
            found |= {"answer_ms_p50": float(p50), "answer_ms_p99": float(p99)}
        return found


Exchange = Callable[[Array | None], Array | None]
"""Takes the robot's new state, None where it gets lost, and returns the newest command, None where none came."""


def simulate(
    robot: SimulatedRobot,
    exchange: Exchange,
    *,
    events: Sequence[Event] = (),
    faults: Faults | None = None,
    imu_noise: float = 0.0,
    duration: float = math.inf,
    on_step: Callable[[], None] | None = None,
) -> Record:
    """Run a robot until its script or its time ends, or Ctrl-C.

    Args:
        robot: The robot.
        exchange: What is at the other end of the network.
        events: Its script, whose time begins with the first command.
        faults: What the network does.
        imu_noise: See :meth:`SimulatedRobot.state`.
        duration: Simulated time [s].
        on_step: Called after every physics step.

    Raises:
        ScriptError: If an event cannot be followed.
    """
    faults, waiting, record = faults or Faults(), collections.deque(events), Record()
    noise = np.random.default_rng(faults.seed) if imu_noise > 0.0 else None
    with contextlib.suppress(KeyboardInterrupt):
        while robot.tick * 1e-3 < duration:
            while waiting and record.heard_at is not None and waiting[0].tick <= robot.tick - record.heard_at:
                event = waiting.popleft()
                if event.verb == "end":
                    return record
                if event.verb == "measure":
                    record.motions.clear()
                perform(event, robot, faults)
            robot.step()
            record.sample(robot)
            if on_step is not None:
                on_step()
            command = exchange(robot.state(noise, imu_noise) if faults.passes(robot.tick) else None)
            if command is not None:
                record.commands += 1
                record.heard_at = robot.tick if record.heard_at is None else record.heard_at
                if faults.passes(robot.tick):
                    faults.put(command, robot.tick)
            for arrived in faults.due(robot.tick):
                robot.obey(arrived)
    return record
