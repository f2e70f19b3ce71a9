# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What this project knows about a robot, as plain data.

A :class:`RobotDescription` holds everything that is not in the robot's URDF: which joints move and in which order,
the gains, the default pose, and the few primitives that touch the world. Builders turn it into a simulator's format
(:mod:`~himloco_lab.robots.usd_builder`); nothing here knows a simulator.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import re
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .policy_layout import FrameTerm, PolicyLayout

if TYPE_CHECKING:
    from .rigid_body import RevoluteJoint

Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class UrdfSource:
    """Where a URDF lies: inside an installed distribution, or at a path of its own."""

    path: str
    """Path of the URDF, relative to the distribution's installation folder (absolute without one)."""

    distribution: str | None = None
    """Name of the distribution that ships the file; None for a file on disk."""

    def locate(self) -> Path:
        """Return the URDF's absolute path.

        Raises:
            FileNotFoundError: If the distribution or the file inside it is missing.
        """
        tried = [root / self.path for root in self._roots()]
        for candidate in tried:
            if candidate.is_file():
                return candidate.resolve()
        remedy = f"python -m pip install {self.distribution} brings it" if self.distribution else "check the path"
        raise FileNotFoundError(f"No URDF at '{tried[0] if tried else self.path}'; {remedy}.")

    def _roots(self) -> list[Path]:
        if self.distribution is None:
            return [Path()]
        roots = []
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            roots.append(Path(str(importlib.metadata.distribution(self.distribution).locate_file(""))))
        # a distribution may be vendored without metadata (Isaac Sim's prebundles do that): look beside the others too
        roots += [Path(sysconfig.get_path("purelib")), *(Path(folder) for folder in sys.path if folder)]
        return roots


@dataclass(frozen=True)
class Primitive:
    """A contact shape in the frame of a URDF link."""

    kind: Literal["box", "sphere", "capsule", "cylinder"]
    size: tuple[float, ...]
    """[m] Box: full extents (x, y, z). Sphere: (radius,). Capsule and cylinder: (radius, length) along the local z
    axis; a capsule's length excludes its two caps."""

    pos: Vector3 = (0.0, 0.0, 0.0)
    """Centre in the link frame [m]."""

    rpy: Vector3 = (0.0, 0.0, 0.0)
    """Fixed-axis roll, pitch, yaw in the link frame [rad], as in URDF."""

    def __post_init__(self) -> None:
        expected = {"box": 3, "sphere": 1, "capsule": 2, "cylinder": 2}.get(self.kind)
        if expected is None:
            raise ValueError(f"Unknown primitive '{self.kind}': use box, sphere, capsule or cylinder.")
        if len(self.size) != expected or min(self.size) <= 0.0:
            raise ValueError(f"A {self.kind} needs {expected} positive sizes [m], got {self.size}.")


@dataclass(frozen=True)
class Contact:
    """One contact shape and the URDF link that carries it."""

    link: str
    primitive: Primitive


@dataclass(frozen=True)
class ActuatorSpec:
    """Gains of a group of joints; limits come from the URDF unless given here."""

    joints: tuple[str, ...]
    """Regular expressions, each matched against whole joint names."""

    stiffness: float
    """[N m/rad]"""

    damping: float
    """[N m s/rad]"""

    explicit: bool = False
    """True: a PD law of ours whose torque is clipped; False: the engine's implicit joint drive."""

    armature: float = 0.01
    """Reflected rotor inertia [kg m^2]."""

    effort_limit: float | None = None
    """[N m]; None takes the URDF's."""

    velocity_limit: float | None = None
    """[rad/s]; None takes the URDF's."""

    def covers(self, joint: str) -> bool:
        """Whether this specification is meant for the joint of that name."""
        return any(re.fullmatch(pattern, joint) for pattern in self.joints)


@dataclass(frozen=True)
class RobotDescription:
    """A legged robot: its URDF, and all that the URDF does not say."""

    name: str
    urdf: UrdfSource
    joints: tuple[str, ...]
    """Actuated joints in the policy's order."""

    actuators: Mapping[str, ActuatorSpec]
    """Group name to gains; every actuated joint belongs to exactly one group."""

    contacts: tuple[Contact, ...]
    foot_bodies: tuple[str, ...]
    locked_joints: Mapping[str, float] = field(default_factory=dict)
    """Joints that are held at a position [rad] and merged away like fixed ones."""

    representatives: Mapping[str, str] = field(default_factory=dict)
    """For a body merged from several links: first link (the one its joint moves) to the link that gives the body its
    name and frame. Bodies not named here take the first link."""

    default_joint_pos: Mapping[str, float] = field(default_factory=dict)
    """[rad]; joints not named stand at 0."""

    driven_joints: tuple[str, ...] = ()
    """Joints that a policy moves, in the order of its actions; all of them when empty. Others follow commands."""

    trunk_bodies: tuple[str, ...] = ()
    """Bodies, beside the root, that touch the ground in a fall only."""

    foot_height: float = 0.0
    """What the height of the base above the lower foot body's origin lacks of the height that is commanded [m]."""

    policy_layout: PolicyLayout = field(default_factory=PolicyLayout)
    """What its policies see and do where nothing else is said."""

    contactless_pairs: tuple[tuple[str, str], ...] = ()
    """Pairs of regular expressions of body names whose shapes ignore each other."""

    self_collisions: bool = True
    body_damping: tuple[float, float] = (0.01, 0.01)
    """Linear [1/s] and angular [1/s] damping of every body."""

    solver_iterations: tuple[int, int] = (4, 0)
    """PhysX position and velocity iterations."""

    spawn_clearance: float = 0.005
    """Height of the lowest sole above the ground at spawn [m]: a drop, not a penetration."""

    def actuator_of(self, joint: str) -> ActuatorSpec:
        """Return the one actuator specification of a joint."""
        found = [group for group, spec in self.actuators.items() if spec.covers(joint)]
        if len(found) != 1:
            raise ValueError(f"Joint '{joint}' of {self.name} must be in one actuator group, found {found}.")
        return self.actuators[found[0]]

    @property
    def action_joints(self) -> tuple[str, ...]:
        """The joints that a policy moves, in the order of its actions."""
        return self.driven_joints or self.joints

    @property
    def frame(self) -> tuple[FrameTerm, ...]:
        """The terms of one frame of its policies' observations, in order."""
        return self.policy_layout.frame(self.joints, len(self.action_joints))

    def default_pos_of(self, joint: str) -> float:
        """Return the default position of a joint [rad]."""
        return self.default_joint_pos.get(joint, 0.0)

    def effort_limit_of(self, joint: RevoluteJoint) -> float:
        """Return what the motor of a joint can give [N m]: its actuator's limit, or else the URDF's."""
        limit = self.actuator_of(joint.name).effort_limit
        return joint.effort if limit is None else limit

    def velocity_limit_of(self, joint: RevoluteJoint) -> float:
        """Return how fast a joint can turn [rad/s]: its actuator's limit, or else the URDF's."""
        limit = self.actuator_of(joint.name).velocity_limit
        return joint.velocity if limit is None else limit


def is_contactless(first: str, second: str, description: RobotDescription) -> bool:
    """Whether the description lets these two bodies pass through each other."""
    return any(
        re.fullmatch(a, one) and re.fullmatch(b, other)
        for a, b in description.contactless_pairs
        for one, other in ((first, second), (second, first))
    )


_OLD_MODULE = re.compile(r"himloco_lab\.(?:assets|robots)\.(\w+?)(?:\.\w+_description)?")
"""A robot's module under the names that it had when the policies of before 0.2 were exported, which name it."""


def find_description(reference: str) -> RobotDescription:
    """Return the description that ``"package.module:NAME"`` refers to.

    Raises:
        ValueError: If there is no such module or name.
        TypeError: If what has that name is no description.
    """
    module, _, name = str(reference).partition(":")
    if old := _OLD_MODULE.fullmatch(module):
        module = f"himloco_lab.robots.{old[1]}"
    try:
        description = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"No robot description at '{reference}': give 'package.module:NAME' ({error}).") from error
    if not isinstance(description, RobotDescription):
        raise TypeError(f"'{reference}' is a {type(description).__name__}, not a RobotDescription.")
    return description
