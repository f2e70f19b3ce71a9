# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A tree of rigid bodies joined by revolute joints, and the transforms that it needs.

Poses are 4 x 4 homogeneous matrices, inertias 3 x 3 matrices about a body's center of mass. numpy is all it needs.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .description import Primitive, RobotDescription, is_contactless

Array = np.ndarray


def pose(xyz: tuple[float, ...] | Array = (0.0, 0.0, 0.0), rpy: tuple[float, ...] | Array = (0.0, 0.0, 0.0)) -> Array:
    """Return the pose [4, 4] of a translation [m] and fixed-axis roll, pitch, yaw [rad] (URDF's convention)."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(np.asarray(rpy, float)), np.sin(np.asarray(rpy, float))
    roll = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    pitch = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    yaw = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = yaw @ pitch @ roll
    matrix[:3, 3] = xyz
    return matrix


def inverse(matrix: Array) -> Array:
    """Return the inverse [4, 4] of a rigid transform."""
    result = np.eye(4)
    result[:3, :3] = matrix[:3, :3].T
    result[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return result


def rotation_about(axis: Array, angle: float) -> Array:
    """Return the pose [4, 4] that turns by ``angle`` [rad] about a unit axis (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix = np.eye(4)
    matrix[:3, :3] += np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
    return matrix


@dataclass(frozen=True)
class Inertial:
    """Mass [kg], center of mass [3] [m] and inertia about it [3, 3] [kg m^2], all in one frame."""

    mass: float = 0.0
    com: Array = field(default_factory=lambda: np.zeros(3))
    inertia: Array = field(default_factory=lambda: np.zeros((3, 3)))

    def moved(self, frame: Array) -> Inertial:
        """Express it in a frame in which its own has the pose ``frame`` [4, 4]."""
        rotation = frame[:3, :3]
        return Inertial(self.mass, rotation @ self.com + frame[:3, 3], rotation @ self.inertia @ rotation.T)

    def merged(self, other: Inertial) -> Inertial:
        """Join two inertials of the same frame (parallel axes, Steiner's theorem)."""
        mass = self.mass + other.mass
        if mass == 0.0:
            return self
        com = (self.mass * self.com + other.mass * other.com) / mass
        inertia = np.zeros((3, 3))
        for part in (self, other):
            offset = part.com - com
            inertia += part.inertia + part.mass * (offset @ offset * np.eye(3) - np.outer(offset, offset))
        return Inertial(mass, com, inertia)


@dataclass(frozen=True)
class Visual:
    """A mesh or a primitive for the eye, its pose in the body [4, 4], scale [3] and color (RGB in 0 to 1)."""

    shape: Path | Primitive
    pose: Array
    scale: tuple[float, float, float]
    color: tuple[float, float, float]


@dataclass(frozen=True)
class Frame:
    """A URDF link as a frame of the body it was merged into."""

    body: str
    pose: Array
    """Pose in the body frame [4, 4]."""


@dataclass(frozen=True)
class RevoluteJoint:
    """A revolute joint between two merged bodies."""

    name: str
    parent: str
    child: str
    parent_pose: Array
    """Joint frame in the parent body [4, 4]."""

    child_pose: Array
    """Joint frame in the child body [4, 4]."""

    axis: Array
    """Unit axis in the joint frame [3]."""

    lower: float
    """[rad]"""

    upper: float
    """[rad]"""

    effort: float
    """[N m]"""

    velocity: float
    """[rad/s]"""

    def transform(self, position: float) -> Array:
        """Return the child body's pose in the parent body [4, 4] at a joint position [rad]."""
        return self.parent_pose @ rotation_about(self.axis, position) @ inverse(self.child_pose)


@dataclass(frozen=True)
class Body:
    """A rigid body: one or more URDF links."""

    name: str
    inertial: Inertial
    visuals: tuple[Visual, ...]


@dataclass(frozen=True)
class RigidBodyModel:
    """A tree of rigid bodies joined by revolute joints; parents come before children."""

    root: str
    bodies: Mapping[str, Body]
    joints: Mapping[str, RevoluteJoint]
    frames: Mapping[str, Frame]
    """Every URDF link."""

    @property
    def mass(self) -> float:
        """Total mass [kg]."""
        return sum(body.inertial.mass for body in self.bodies.values())

    def body_poses(self, joint_pos: Mapping[str, float]) -> dict[str, Array]:
        """Return every body's pose [4, 4] in the root body's frame; joints not named stand at 0 rad."""
        poses = {self.root: np.eye(4)}
        for joint in self.joints.values():
            poses[joint.child] = poses[joint.parent] @ joint.transform(joint_pos.get(joint.name, 0.0))
        return poses

    def link_poses(self, joint_pos: Mapping[str, float]) -> dict[str, Array]:
        """Return every URDF link's pose [4, 4] in the root body's frame; joints not named stand at 0 rad."""
        bodies = self.body_poses(joint_pos)
        return {link: bodies[frame.body] @ frame.pose for link, frame in self.frames.items()}


def lowest_point(primitive: Primitive, frame: np.ndarray) -> float:
    """Return the z [m] of a primitive's lowest point, its link having the pose ``frame`` [4, 4].

    The support function of each shape in the direction -z: |R| half for a box, r for a sphere, and so on.
    """
    placed = frame @ pose(primitive.pos, primitive.rpy)
    down = np.abs(placed[2, :3])  # how far each local axis leans on the world's z
    if primitive.kind == "box":
        reach = float(down @ (0.5 * np.array(primitive.size)))
    elif primitive.kind == "sphere":
        reach = primitive.size[0]
    else:
        radius, length = primitive.size
        round_part = radius if primitive.kind == "capsule" else radius * float(np.sqrt(max(0.0, 1.0 - down[2] ** 2)))
        reach = round_part + 0.5 * length * float(down[2])
    return float(placed[2, 3]) - reach


def standing_height(model: RigidBodyModel, description: RobotDescription) -> float:
    """Return the root's height [m] above flat ground when the lowest contact shape just touches it.

    The root is level and every joint at its default position.
    """
    links = model.link_poses({joint: description.default_pos_of(joint) for joint in description.joints})
    if not description.contacts:
        raise ValueError(f"The {description.name} has no contact shapes, so it cannot stand.")
    return -min(lowest_point(contact.primitive, links[contact.link]) for contact in description.contacts)


def contactless_bodies(model: RigidBodyModel, description: RobotDescription) -> list[tuple[str, str]]:
    """Return the pairs of bodies with contact shapes that the description lets pass through each other."""
    touching = dict.fromkeys(model.frames[contact.link].body for contact in description.contacts)
    return [pair for pair in itertools.combinations(touching, 2) if is_contactless(*pair, description)]
