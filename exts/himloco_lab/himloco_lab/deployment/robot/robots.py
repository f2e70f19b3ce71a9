# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Which of a robot's motors moves which joint: everything goes by the joints' names, never by a range of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from himloco_lab.deployment.manifest import Hardware, HeldJoint, Manifest, ManifestError
from himloco_lab.deployment.observations import RobotState
from himloco_lab.robots.description import find_description

from . import messages
from .messages import Struct

Array = np.ndarray

_SIDES = ("left", "right")
_G1_LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
_G1_ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
_G1_WAIST = ("waist_yaw_joint", "waist_roll_joint", "waist_pitch_joint")
_LOCKED_WAIST = frozenset(_G1_WAIST[1:])
_NO_HANDS = _LOCKED_WAIST | {f"{side}_wrist_{axis}_joint" for side in _SIDES for axis in ("pitch", "yaw")}


@dataclass(frozen=True)
class UnitreeRobot:
    """A robot as its messages show it."""

    name: str
    bus: str
    """``unitree_hg`` or ``unitree_go``: whose messages it speaks."""

    low_cmd: Struct
    low_state: Struct

    motors: tuple[str, ...]
    """Joint of every motor slot; a message has more slots than that."""

    imu: str
    """Link in which the IMU of ``rt/lowstate`` sits, its axes those of the link."""

    damping: float
    """Damping of all motors while the robot is let down [N m s/rad]."""

    missing_joints: Mapping[int, frozenset[str]]
    """For every ``mode_machine`` that it may state, the joints that a robot of that kind lacks or has locked; empty
    where its messages state none."""

    @property
    def slots(self) -> dict[str, int]:
        """Motor slot of every joint."""
        return {joint: slot for slot, joint in enumerate(self.motors)}


G1 = UnitreeRobot(
    name="g1",
    bus="unitree_hg",
    low_cmd=messages.HG_LOW_CMD,
    low_state=messages.HG_LOW_STATE,
    motors=(
        *(f"{side}_{joint}_joint" for side in _SIDES for joint in _G1_LEG),
        *_G1_WAIST,
        *(f"{side}_{joint}_joint" for side in _SIDES for joint in _G1_ARM),
    ),
    imu="pelvis",
    damping=8.0,  # unitree_rl_gym, deploy/deploy_real/common/command_helper.py
    # unitree_rl_lab issues 6 and 114; 9, a robot of two arms, is left out
    missing_joints={
        **dict.fromkeys((1, 4), _NO_HANDS),
        **{mode: frozenset[str]() for mode in (2, 5, 15)},
        **dict.fromkeys((3, 6, 16), _LOCKED_WAIST),
    },
)

GO2 = UnitreeRobot(
    name="go2",
    bus="unitree_go",
    low_cmd=messages.GO_LOW_CMD,
    low_state=messages.GO_LOW_STATE,
    motors=tuple(f"{leg}_{joint}_joint" for leg in ("FR", "FL", "RR", "RL") for joint in ("hip", "thigh", "calf")),
    imu="base",
    damping=3.0,  # unitree_rl_lab, deploy/robots/go2/config/config.yaml
    missing_joints={},
)

ROBOTS = {robot.name: robot for robot in (G1, GO2)}

_WAIST_EFFORT = 35.0
"""Of waist roll and pitch [N m], as the URDF of the G1's revision 1.0 has it."""

_STOP_POSITION, _STOP_VELOCITY = 2.146e9, 16000.0
"""What a motor that shall not be driven is sent on unitree_go (unitree_sdk2, example/go2/go2_low_level.cpp)."""


def find_robot(manifest: Manifest, name: str | None = None) -> UnitreeRobot:
    """Return the robot that a policy is for.

    Args:
        manifest: The policy's manifest.
        name: ``g1`` or ``go2``; by the policy's joints when None.

    Raises:
        ManifestError: If there is none with all its joints, or the one that is named lacks some.
    """
    if name is not None:
        missing = sorted(set(manifest.joint_names) - set(ROBOTS[name].motors))
        if missing:
            raise ManifestError(f"--robot {name} has no joint {', '.join(missing[:3])}: name the policy's robot")
        return ROBOTS[name]
    wanted = manifest.hardware.bus if manifest.hardware is not None else None
    for robot in ROBOTS.values():
        if set(manifest.joint_names) <= set(robot.motors) and (wanted == robot.bus or _is_named(manifest.robot, robot)):
            return robot
    raise ManifestError(f"{manifest.robot} speaks no protocol that is known here: there is {', '.join(ROBOTS)}")


def _is_named(description: str, robot: UnitreeRobot) -> bool:
    """Whether a description is of that robot: others share the Go2's joint names, but not its protocol."""
    return robot.name in description.lower().replace("_", ".").replace(":", ".").split(".")


def describe_hardware(description: str) -> Hardware | None:
    """Return what a robot needs to run the policies of its description.

    Args:
        description: ``"package.module:NAME"``.

    Returns:
        None where its protocol is not known here, or its joints are not that robot's.
    """
    joints = find_description(description).joints
    for robot in ROBOTS.values():
        if _is_named(description, robot) and set(joints) <= set(robot.motors):
            try:
                return default_hardware(robot, joints, description)
            except ManifestError:
                return None
    return None


def default_hardware(robot: UnitreeRobot, joints: tuple[str, ...], description: str) -> Hardware:
    """Return what a robot needs to run a policy, derived from its description.

    Args:
        robot: The robot.
        joints: The policy's joints; those of the robot that are not among them are held.
        description: The robot's description as ``"package.module:NAME"``.

    Raises:
        ManifestError: If a joint that the policy does not know has no pose to be held at.
    """
    told = find_description(description)
    held = []
    for joint in robot.motors:
        if joint in joints:
            continue
        if joint not in told.locked_joints:
            raise ManifestError(f"{joint} of the {robot.name} is neither moved nor held: export a policy that knows it")
        spec = told.actuator_of(joint)
        held.append(HeldJoint(joint, told.locked_joints[joint], spec.stiffness, spec.damping, _WAIST_EFFORT))
    modes = tuple(
        mode
        for mode, missing in robot.missing_joints.items()
        if not missing & set(joints)  # what the robot lacks, the policy must not know
    )
    slots = robot.slots
    return Hardware(
        bus=robot.bus,
        slots={joint: slots[joint] for joint in (*joints, *(one.name for one in held))},
        imu=robot.imu,
        machine_modes=modes,
        held=tuple(held),
    )


def hardware_of(manifest: Manifest, robot: UnitreeRobot) -> Hardware:
    """Return what the manifest says about the robot, or what follows from the robot's description where it does not.

    Raises:
        ManifestError: If it contradicts the robot.
    """
    hardware = manifest.hardware or default_hardware(robot, manifest.joint_names, manifest.robot)
    if (hardware.bus, hardware.imu) != (robot.bus, robot.imu):
        raise ManifestError(
            f"hardware: {hardware.bus} with the IMU in {hardware.imu} is not the {robot.name}: {robot.bus} with"
            f" {robot.imu}: export the policy again"
        )
    wrong = sorted(joint for joint, slot in hardware.slots.items() if robot.slots.get(joint) != slot)
    if wrong:
        raise ManifestError(f"hardware.slots: {wrong[0]} has motor {robot.slots.get(wrong[0])} on the {robot.name}")
    return hardware


@dataclass(frozen=True)
class Reading:
    """What one state message says, joints in the order of a :class:`MotorMap`."""

    tick: int
    """The robot's clock [ms]."""
    mode_machine: int
    joint_pos: Array
    """[rad], shape ``[M]``."""
    joint_vel: Array
    """[rad/s], shape ``[M]``."""
    quaternion: Array
    """Orientation of the IMU, w first, shape ``[4]``."""
    base_ang_vel: Array
    """Angular velocity in the IMU's own frame [rad/s], shape ``[3]``."""
    remote: bytes
    """What the remote control sends, 40 bytes."""

    @property
    def projected_gravity(self) -> Array:
        """Unit vector of gravity in the IMU's frame, shape ``[3]``."""
        w, x, y, z = self.quaternion / np.linalg.norm(self.quaternion)
        return np.array([2.0 * (w * y - x * z), -2.0 * (y * z + w * x), 2.0 * (x * x + y * y) - 1.0])

    @property
    def tilt(self) -> float:
        """Angle between the IMU's z axis and the vertical [rad]."""
        return float(np.arccos(np.clip(-self.projected_gravity[2], -1.0, 1.0)))

    @property
    def is_finite(self) -> bool:
        """Whether all numbers are finite and the quaternion is one."""
        values = (self.joint_pos, self.joint_vel, self.quaternion, self.base_ang_vel)
        return all(bool(np.isfinite(value).all()) for value in values) and self._has_unit_quaternion

    @property
    def _has_unit_quaternion(self) -> bool:
        return abs(float(np.linalg.norm(self.quaternion)) - 1.0) < 0.1


@dataclass(frozen=True)
class Targets:
    """What the motors are asked for, in the order of a :class:`MotorMap`; shape ``[M]`` each."""

    joint_pos: Array
    """[rad]"""
    stiffness: Array
    """[N m/rad]"""
    damping: Array
    """[N m s/rad]"""


class MotorMap:
    """The way between joints and motor slots.

    The order is the policy's joints first, as in its manifest, and then those that are held.
    """

    def __init__(self, manifest: Manifest, robot: UnitreeRobot, *, trusting: bool = False) -> None:
        """Look the joints up.

        Args:
            manifest: The policy's manifest.
            robot: The robot that runs it.
            trusting: Whether to take any ``mode_machine``, for simulators that state none.

        Raises:
            ManifestError: If the manifest is not for that robot.
        """
        self.robot, self.hardware, self._trusting = robot, hardware_of(manifest, robot), trusting
        self.count = len(manifest.joints)
        """Joints that the policy knows."""
        held = self.hardware.held
        self.joints = (*manifest.joint_names, *(joint.name for joint in held))
        self._slots = np.array([self.hardware.slots[name] for name in self.joints])
        self.default_pos, self.stiffness, self.damping, self.effort_limit = np.array(
            [
                *((j.default_pos, j.stiffness, j.damping, j.effort_limit) for j in manifest.joints),
                *((j.position, j.stiffness, j.damping, j.effort_limit) for j in held),
            ]
        ).T

    def read(self, message: Array) -> Reading:
        """Return what a state message says."""
        motors, imu = message["motor_state"][self._slots], message["imu_state"]
        return Reading(
            tick=int(message["tick"]),
            mode_machine=int(message["mode_machine"]) if self.robot.missing_joints else 0,
            joint_pos=motors["q"].astype(float),
            joint_vel=motors["dq"].astype(float),
            quaternion=imu["quaternion"].astype(float),
            base_ang_vel=imu["gyroscope"].astype(float),
            remote=message["wireless_remote"].tobytes(),
        )

    def state(self, reading: Reading) -> RobotState:
        """Return what the policy sees of a reading."""
        return RobotState(
            base_ang_vel=reading.base_ang_vel,
            projected_gravity=reading.projected_gravity,
            joint_pos=reading.joint_pos[: self.count],
            joint_vel=reading.joint_vel[: self.count],
        )

    def write(self, targets: Targets, mode_machine: int, echo: int = 0) -> Array:
        """Return a command message with its checksum.

        Args:
            targets: What the motors are asked for.
            mode_machine: The robot's own value: with another one it does not move.
            echo: The tick that is answered, for a simulator that waits for it; 0 on a robot.
        """
        message = self.robot.low_cmd.zeros()
        motors = message["motor_cmd"]
        if self.robot.bus == "unitree_go":
            message["head"], message["level_flag"] = (0xFE, 0xEF), 0xFF
            motors["mode"], motors["q"], motors["dq"] = 1, _STOP_POSITION, _STOP_VELOCITY
            message["reserve"] = echo
        else:
            message["mode_machine"] = mode_machine
            message["reserve"][0] = echo
        motors["mode"][self._slots] = 1
        motors["q"][self._slots] = targets.joint_pos
        motors["dq"][self._slots] = 0.0
        motors["kp"][self._slots] = targets.stiffness
        motors["kd"][self._slots] = targets.damping
        message["crc"] = self.robot.low_cmd.crc(message)
        return message

    def check_machine(self, mode_machine: int) -> str | None:
        """Return why a robot of that kind must not be driven, or None."""
        if self._trusting or not self.robot.missing_joints or mode_machine in self.hardware.machine_modes:
            return None
        missing = self.robot.missing_joints.get(mode_machine)
        known = "is not known" if missing is None else f"lacks {len(missing)} joints"
        return (
            f"mode_machine {mode_machine} {known}, and the policy needs one of"
            f" {', '.join(map(str, self.hardware.machine_modes))}: use a policy of this robot's joints"
        )

    def limit(self, targets: Targets, joint_pos: Array) -> Targets:
        """Return the targets, so near that no stiffness asks for more than its motor's effort limit.

        Args:
            targets: What is asked for.
            joint_pos: Where the joints are [rad], shape ``[M]``.
        """
        reach = self.effort_limit / np.maximum(targets.stiffness, 1e-6)
        near = np.minimum(np.maximum(targets.joint_pos, joint_pos - reach), joint_pos + reach)
        return Targets(near, targets.stiffness, targets.damping)
