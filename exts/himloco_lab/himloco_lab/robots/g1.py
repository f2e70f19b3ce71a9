# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Unitree G1, with 27 joints as HOMIE uses it, or all 29.

Joint order, gains and default pose are those of HOMIE (RSS 2025); the geometry is measured on the URDF's meshes. The
descriptions load without Isaac Lab; ``G1_CFG`` and ``G1_29DOF_CFG`` are made when they are first asked for.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from .description import ActuatorSpec, Contact, Primitive, RobotDescription, UrdfSource
from .policy_layout import PolicyLayout

if TYPE_CHECKING:
    from isaaclab.assets import ArticulationCfg

    G1_CFG: ArticulationCfg
    """27 joints: waist roll and pitch are locked at 0."""

    G1_29DOF_CFG: ArticulationCfg
    """All 29 joints; waist roll and pitch are held at 0 by their drives unless commanded."""

SIDES = ("left", "right")
LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")

G1_LEG_JOINTS = tuple(f"{side}_{joint}_joint" for side in SIDES for joint in LEG)
"""The 12 joints that the policy moves."""

G1_UPPER_JOINTS = ("waist_yaw_joint", *(f"{side}_{joint}_joint" for side in SIDES for joint in ARM))
"""The 15 joints that follow targets of their own."""

G1_JOINTS = (*G1_LEG_JOINTS, *G1_UPPER_JOINTS)
"""The 27 joints in the order of HOMIE's observations."""

G1_29DOF_JOINTS = (*G1_LEG_JOINTS, "waist_yaw_joint", "waist_roll_joint", "waist_pitch_joint", *G1_UPPER_JOINTS[1:])
"""All 29 joints in Unitree's order."""

G1_FOOT_BODIES = ("left_ankle_roll_link", "right_ankle_roll_link")

G1_FOOT_POINTS = ((0.12, 0.0, -0.04), (0.0, 0.0, -0.04), (-0.06, 0.0, -0.04))
"""Front, mid and hind point under a foot in its body's frame [m] (HOMIE's extra foot frames)."""

# Gains: HOMIE's training values. Efforts and velocities come from the URDF: the ankles' 35 N m and 30 rad/s are those
# of this hardware revision (rev 1.0), HOMIE's 50 N m and 37 rad/s belong to its own older model file.
#
# HOMIE drives the upper body by the engine's own position drives. Here it is an explicit PD law as the legs are: on a
# CPU, telling PhysX the drives' targets costs more than all else that is written to it, and its step is slower with
# drives than without ("tools/benchmark.py writes" compares).
_ACTUATORS = {
    "hip": ActuatorSpec((r".*_hip_.*",), stiffness=100.0, damping=2.0, explicit=True),
    "knee": ActuatorSpec((r".*_knee_joint",), stiffness=150.0, damping=4.0, explicit=True),
    "ankle": ActuatorSpec((r".*_ankle_.*",), stiffness=40.0, damping=2.0, explicit=True),
    # roll and pitch are locked in HOMIE; as joints they get the yaw's gains, which hold the trunk at 0
    "waist": ActuatorSpec((r"waist_.*",), stiffness=300.0, damping=5.0, explicit=True),
    "shoulder": ActuatorSpec((r".*_shoulder_.*",), stiffness=200.0, damping=4.0, explicit=True),
    "elbow": ActuatorSpec((r".*_elbow_joint",), stiffness=100.0, damping=1.0, explicit=True),
    "wrist": ActuatorSpec((r".*_wrist_.*",), stiffness=20.0, damping=0.5, explicit=True),
}

_DEFAULT_POSE = {
    f"{side}_{joint}_joint": angle
    for side in SIDES
    for joint, angle in (("hip_pitch", -0.1), ("knee", 0.3), ("ankle_pitch", -0.2))
}

# Mesh bounds of the foot in its body's frame: x -0.066 to 0.142, y +-0.038, lowest z -0.0354 [m].
_SOLE_BOTTOM = -0.0354
_SOLE_RADIUS = 0.01


def _sole(link: str) -> tuple[Contact, ...]:
    """Two capsules along the foot's edges.

    They touch a plane at x -0.056 and 0.132, y +-0.028: within 1 cm of the four points the URDF itself uses, and
    unlike points they also catch the edge of a step that runs between heel and toe.
    """
    length = (0.142 + 0.066) - 2 * _SOLE_RADIUS
    height = _SOLE_BOTTOM + _SOLE_RADIUS
    along_x = (0.0, math.pi / 2, 0.0)
    return tuple(
        Contact(link, Primitive("capsule", (_SOLE_RADIUS, length), (0.038, y, height), along_x))
        for y in (-0.028, 0.028)
    )


def _leg(side: str) -> tuple[Contact, ...]:
    thigh = Primitive("capsule", (0.045, 0.12), (-0.035, 0.0, -0.12), (0.0, 0.3, 0.0))
    shin = Primitive("capsule", (0.035, 0.2), (0.01, 0.0, -0.14))
    return (
        Contact(f"{side}_hip_yaw_link", thigh),
        Contact(f"{side}_knee_link", shin),
        *_sole(f"{side}_ankle_roll_link"),
    )


def _arm(side: str) -> tuple[Contact, ...]:
    sign = 1.0 if side == "left" else -1.0
    along_x = (0.0, math.pi / 2, 0.0)
    forearm = Primitive("capsule", (0.03, 0.09), (0.035, 0.002 * sign, -0.005), along_x)
    hand = Primitive("box", (0.12, 0.05, 0.07), (0.066, -0.01 * sign, 0.01))
    return Contact(f"{side}_elbow_link", forearm), Contact(f"{side}_rubber_hand", hand)


_TRUNK = (
    Contact("pelvis", Primitive("box", (0.11, 0.13, 0.12), (0.0, 0.0, -0.085))),
    Contact("torso_link", Primitive("box", (0.14, 0.2, 0.29), (0.008, 0.0, 0.15))),
    Contact("head_link", Primitive("sphere", (0.08,), (0.004, 0.0, 0.43))),
)

HOMIE_LAYOUT = PolicyLayout(
    velocity_scale=(2.0, 2.0, 0.5),
    ang_vel_scale=0.5,
    sees_height=True,
    lin_vel_x=(-0.8, 1.2),
    lin_vel_y=(-0.5, 0.5),
    ang_vel_z=(-0.8, 0.8),
    height=(0.24, 0.74),
)
"""Observations, actions and commands of HOMIE (HomieRL, legged_gym/envs/g1/g1_config.py)."""

_ARM_BODIES = r"(left|right)_(shoulder|elbow|wrist).*"
_LEFT_LEG, _RIGHT_LEG = (rf"{side}_(hip|knee|ankle).*" for side in SIDES)

G1_DESCRIPTION = RobotDescription(
    name="g1_27dof",
    urdf=UrdfSource(
        "cmeel.prefix/share/example-robot-data/robots/g1_description/urdf/g1_29dof_rev_1_0.urdf", "example-robot-data"
    ),
    joints=G1_JOINTS,
    locked_joints={"waist_roll_joint": 0.0, "waist_pitch_joint": 0.0},
    representatives={"waist_yaw_link": "torso_link"},
    actuators=_ACTUATORS,
    default_joint_pos=_DEFAULT_POSE,
    contacts=(*_TRUNK, *(contact for side in SIDES for contact in (*_leg(side), *_arm(side)))),
    foot_bodies=G1_FOOT_BODIES,
    driven_joints=G1_LEG_JOINTS,
    trunk_bodies=("torso_link",),
    foot_height=0.02,  # HOMIE's: it compares the height above the ankles, less 2 cm than the command
    policy_layout=HOMIE_LAYOUT,
    # Arm targets are sampled without looking where the body is, so an arm that could touch its own trunk would end
    # episodes that the policy has no part in. Legs of one side cannot reach each other; left and right can, and do.
    contactless_pairs=(
        (_ARM_BODIES, ".*"),
        (_LEFT_LEG, _LEFT_LEG),
        (_RIGHT_LEG, _RIGHT_LEG),
        (r"pelvis|.*_hip_.*", r"pelvis|torso_link|.*_hip_.*"),
    ),
)
"""27 joints, waist roll and pitch locked: HOMIE's body."""

G1_29DOF_DESCRIPTION = dataclasses.replace(
    G1_DESCRIPTION, name="g1_29dof", joints=G1_29DOF_JOINTS, locked_joints={}, representatives={}
)
"""All 29 joints."""


def __getattr__(name: str) -> ArticulationCfg:
    """Make an articulation configuration on first access (PEP 562)."""
    described = {"G1_CFG": "G1_DESCRIPTION", "G1_29DOF_CFG": "G1_29DOF_DESCRIPTION"}
    if name not in described:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from .articulation import make_articulation_cfg

    globals()[name] = make_articulation_cfg(f"{__name__}:{described[name]}")
    return globals()[name]
