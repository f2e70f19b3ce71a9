# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""URDF in, a tree of rigid bodies out: fixed and locked joints are merged away exactly."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .description import Primitive, RobotDescription
from .rigid_body import Body, Frame, Inertial, RevoluteJoint, RigidBodyModel, Visual, inverse, pose, rotation_about

Array = np.ndarray

DEFAULT_COLOR = (0.5, 0.5, 0.5)


def load_model(description: RobotDescription) -> RigidBodyModel:
    """Read a description's URDF and merge everything that the description does not actuate."""
    urdf = description.urdf.locate()
    robot = ElementTree.fromstring(urdf.read_bytes())
    model = _Merger(robot, urdf, description).run()
    missing = [joint for joint in description.joints if joint not in model.joints]
    if missing:
        raise ValueError(f"{urdf.name} has no movable joint {missing[0]!r}, which the {description.name} actuates.")
    extra = [joint for joint in model.joints if joint not in description.joints]
    if extra:
        raise ValueError(f"The {description.name} neither actuates nor locks joint {extra[0]!r} of {urdf.name}.")
    return model


def _numbers(text: str | None, default: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(float(value) for value in text.split()) if text else default


def _origin(element: ElementTree.Element | None) -> Array:
    origin = element.find("origin") if element is not None else None
    if origin is None:
        return np.eye(4)
    zero = (0.0, 0.0, 0.0)
    return pose(_numbers(origin.get("xyz"), zero), _numbers(origin.get("rpy"), zero))


def _inertial(link: ElementTree.Element) -> Inertial:
    element = link.find("inertial")
    if element is None:
        return Inertial()
    mass, inertia = element.find("mass"), element.find("inertia")
    if mass is None or inertia is None:
        raise ValueError(f"Link '{link.get('name')}' has an <inertial> without <mass> or <inertia>.")
    xx, xy, xz, yy, yz, zz = (float(inertia.get(key, 0.0)) for key in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz"))
    matrix = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return Inertial(float(mass.get("value", 0.0)), np.zeros(3), matrix).moved(_origin(element))


def _primitive(shape: ElementTree.Element) -> Primitive | None:
    """Return a URDF geometry as a primitive; None if it is a mesh."""
    if shape.tag == "box":
        return Primitive("box", _numbers(shape.get("size"), ()))
    if shape.tag == "sphere":
        return Primitive("sphere", _numbers(shape.get("radius"), ()))
    if shape.tag == "cylinder":
        return Primitive("cylinder", (*_numbers(shape.get("radius"), ()), *_numbers(shape.get("length"), ())))
    return None


def resolve_mesh(filename: str, urdf: Path) -> Path:
    """Return the file behind a URDF mesh name (``package://NAME/...``, ``file://...`` or a path beside the URDF)."""
    if filename.startswith("package://"):
        package, _, rest = filename.removeprefix("package://").partition("/")
        roots = [parent for parent in urdf.parents if parent.name == package]
        return (roots[0] if roots else urdf.parent / package) / rest
    return urdf.parent / filename.removeprefix("file://")


class _Merger:
    """Walks a URDF from its root and gathers links into bodies."""

    def __init__(self, robot: ElementTree.Element, urdf: Path, description: RobotDescription) -> None:
        self.urdf, self.description = urdf, description
        self.links = {str(link.get("name")): link for link in robot.findall("link")}
        self.outgoing: dict[str, list[ElementTree.Element]] = {name: [] for name in self.links}
        self.colors = {str(m.get("name")): self._rgb(m, {}) for m in robot.findall("material")}
        children = set()
        for joint in robot.findall("joint"):
            self.outgoing[self._end(joint, "parent")].append(joint)
            children.add(self._end(joint, "child"))
        roots = [name for name in self.links if name not in children]
        if len(roots) != 1:
            raise ValueError(f"{urdf} must have one root link, found {roots}.")
        self.base = roots[0]
        self.bodies: dict[str, Body] = {}
        self.joints: dict[str, RevoluteJoint] = {}
        self.frames: dict[str, Frame] = {}

    def run(self) -> RigidBodyModel:
        """Merge the whole tree."""
        root, pending = self._gather(self.base)
        while pending:
            joint, parent_pose, parent = pending.pop(0)
            child_link = self._end(joint, "child")
            child, more = self._gather(child_link)
            self._add_joint(joint, parent, child, parent_pose, self.frames[child_link].pose)
            # depth first keeps a limb's joints together, which is the order people expect to read
            pending = more + pending
        return RigidBodyModel(root, self.bodies, self.joints, self.frames)

    def _gather(self, first: str) -> tuple[str, list[tuple[ElementTree.Element, Array, str]]]:
        """Merge the links that hang rigidly on ``first``; return the body's name and the joints that leave it."""
        poses, leaving = self._rigid_group(first)
        name = self.description.representatives.get(first, first)
        if name not in poses:
            raise ValueError(f"Link '{name}' cannot represent the body of '{first}': it consists of {list(poses)}.")
        to_body = inverse(poses[name])
        inertial, visuals = Inertial(), []
        for link, link_pose in poses.items():
            frame = to_body @ link_pose
            self.frames[link] = Frame(name, frame)
            inertial = inertial.merged(_inertial(self.links[link]).moved(frame))
            visuals += self._visuals(self.links[link], frame)
        if inertial.mass <= 0.0:
            raise ValueError(f"Body '{name}' of {self.urdf.name} has no mass: lock its joint or give it an inertial.")
        self.bodies[name] = Body(name, inertial, tuple(visuals))
        return name, [(joint, self.frames[link].pose @ _origin(joint), name) for link, joint in leaving]

    def _rigid_group(self, first: str) -> tuple[dict[str, Array], list[tuple[str, ElementTree.Element]]]:
        poses, leaving, stack = {first: np.eye(4)}, [], [first]
        while stack:
            link = stack.pop(0)
            for joint in self.outgoing[link]:
                held = self._held_transform(joint)
                if held is None:
                    leaving.append((link, joint))
                else:
                    child = self._end(joint, "child")
                    poses[child] = poses[link] @ _origin(joint) @ held
                    stack.append(child)
        return poses, leaving

    def _held_transform(self, joint: ElementTree.Element) -> Array | None:
        """Return the transform [4, 4] across a fixed or locked joint, None for one that moves."""
        kind, name = joint.get("type"), str(joint.get("name"))
        if kind == "fixed":
            return np.eye(4)
        if kind not in ("revolute", "continuous"):
            raise ValueError(f"Joint '{name}' is '{kind}': only fixed, revolute and continuous joints are supported.")
        if name in self.description.locked_joints:
            return rotation_about(self._axis(joint), self.description.locked_joints[name])
        return None

    def _add_joint(self, joint: ElementTree.Element, parent: str, child: str, parent_pose: Array, at: Array) -> None:
        name, limit = str(joint.get("name")), joint.find("limit")
        if limit is None:
            raise ValueError(f"Joint '{name}' of {self.urdf.name} has no <limit>: effort and velocity are needed.")
        lower, upper, effort, velocity = (float(limit.get(k, 0.0)) for k in ("lower", "upper", "effort", "velocity"))
        if joint.get("type") == "continuous":
            lower, upper = -np.inf, np.inf
        axis = self._axis(joint)
        self.joints[name] = RevoluteJoint(name, parent, child, parent_pose, at, axis, lower, upper, effort, velocity)

    def _visuals(self, link: ElementTree.Element, frame: Array) -> list[Visual]:
        found = []
        for visual in link.findall("visual"):
            (shape,) = visual.iterfind("geometry/*")
            scale = _numbers(shape.get("scale"), (1.0, 1.0, 1.0))
            source = _primitive(shape) or resolve_mesh(shape.get("filename", ""), self.urdf)
            color = self._rgb(visual.find("material"), self.colors)
            found.append(Visual(source, frame @ _origin(visual), (scale[0], scale[1], scale[2]), color))
        return found

    @staticmethod
    def _rgb(material: ElementTree.Element | None, named: Mapping[str, tuple]) -> tuple[float, float, float]:
        if material is None:
            return DEFAULT_COLOR
        color = material.find("color")
        if color is None:
            return named.get(str(material.get("name")), DEFAULT_COLOR)
        rgba = _numbers(color.get("rgba"), (*DEFAULT_COLOR, 1.0))
        return rgba[0], rgba[1], rgba[2]

    @staticmethod
    def _axis(joint: ElementTree.Element) -> Array:
        axis = joint.find("axis")
        vector = np.array(_numbers(axis.get("xyz") if axis is not None else None, (1.0, 0.0, 0.0)))
        return vector / np.linalg.norm(vector)

    def _end(self, joint: ElementTree.Element, side: str) -> str:
        element = joint.find(side)
        name = str(element.get("link")) if element is not None else ""
        if name not in self.links:
            raise ValueError(f"Joint '{joint.get('name')}' of {self.urdf.name} names '{name}' as {side}: no such link.")
        return name
