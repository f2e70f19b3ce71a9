# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A family of robots: four legs of hip, thigh and calf with a round foot, named as Unitree names them.

What such robots share is stated here once; a member gives its URDF, its sizes and what it does another way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .description import ActuatorSpec, Contact, Primitive, RobotDescription, UrdfSource, Vector3
from .policy_layout import PolicyLayout

LEGS = ("FL", "FR", "RL", "RR")
"""Front and rear, left and right."""

QUADRUPED_JOINTS = tuple(f"{leg}_{joint}_joint" for leg in LEGS for joint in ("hip", "thigh", "calf"))
"""The 12 joints in the order of HIMLoco's observations and actions."""

QUADRUPED_FEET = tuple(f"{leg}_foot" for leg in LEGS)
"""The bodies below the knees. They carry the feet's names and frames: a foot is fixed to its calf."""


@dataclass(frozen=True)
class LegSizes:
    """Lengths of a leg [m]; the contact shapes follow from them."""

    thigh: float
    """From the thigh joint to the knee."""

    calf: float
    """From the knee to the center of the foot."""

    foot_radius: float
    hip_offset: float
    """From the hip joint's frame sideways to the thigh joint."""

    hip_radius: float = 0.046
    """Of the motors around the thigh joint."""


def quadruped_description(
    name: str,
    urdf: UrdfSource,
    sizes: LegSizes,
    trunk_size: Vector3,
    *,
    trunk: str = "trunk",
    root_link: str = "base",
    stiffness: float = 40.0,
    damping: float = 1.0,
    hip: float = 0.1,
    front_thigh: float = 0.8,
    rear_thigh: float = 1.0,
    calf: float = -1.5,
    policy_layout: PolicyLayout | None = None,
    **changes: Any,
) -> RobotDescription:
    """Return the description of a member of the family; gains and pose are those of HIMLoco unless given.

    ``trunk_size`` [m] are the full extents of the box that stands for the trunk, ``trunk`` is the link that carries its
    mass, whose name and frame the root body takes, and ``root_link`` the URDF's first link. ``stiffness`` [N m/rad] and
    ``damping`` [N m s/rad] are those of all joints; ``hip`` (to the outside), ``front_thigh``, ``rear_thigh`` and
    ``calf`` are default positions [rad]; ``changes`` are other fields of the description.
    """
    pose: dict[str, float] = {}
    for leg in LEGS:
        pose[f"{leg}_hip_joint"] = hip if leg.endswith("L") else -hip
        pose[f"{leg}_thigh_joint"] = front_thigh if leg.startswith("F") else rear_thigh
        pose[f"{leg}_calf_joint"] = calf
    return RobotDescription(
        name=name,
        urdf=urdf,
        joints=QUADRUPED_JOINTS,
        actuators={"legs": ActuatorSpec((".*",), stiffness=stiffness, damping=damping, explicit=True)},
        default_joint_pos=pose,
        representatives={root_link: trunk, **{f"{leg}_calf": f"{leg}_foot" for leg in LEGS}},
        contacts=(
            Contact(trunk, Primitive("box", trunk_size)),
            *(contact for leg in LEGS for contact in _leg(leg, sizes)),
        ),
        foot_bodies=QUADRUPED_FEET,
        foot_height=sizes.foot_radius,
        # Only calves and feet can meet another leg; what is around the hips overlaps as built.
        contactless_pairs=(
            (rf"{trunk}|.*_(hip|thigh)", rf"{trunk}|.*_(hip|thigh)"),
            *((f"{leg}_.*", f"{leg}_.*") for leg in LEGS),
        ),
        policy_layout=policy_layout or PolicyLayout(),
        **changes,
    )


def _leg(leg: str, sizes: LegSizes) -> tuple[Contact, ...]:
    """Return the shapes of a leg: the motors around its thigh joint, thigh, calf, and foot."""
    side = 1.0 if leg.endswith("L") else -1.0
    thin = 0.75 * sizes.foot_radius  # the calf stays out of the ground where the foot touches it
    return (
        Contact(f"{leg}_hip", Primitive("sphere", (sizes.hip_radius,), (0.0, side * sizes.hip_offset, 0.0))),
        Contact(f"{leg}_thigh", _rod(0.02, sizes.thigh)),
        Contact(f"{leg}_calf", _rod(thin, sizes.calf)),
        Contact(f"{leg}_foot", Primitive("sphere", (sizes.foot_radius,))),
    )


def _rod(radius: float, length: float) -> Primitive:
    """Return a capsule from a link's origin down to the end of its *length* [m], caps included."""
    return Primitive("capsule", (radius, length - 2.0 * radius), (0.0, 0.0, -0.5 * length))
