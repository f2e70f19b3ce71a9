# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false
# (the compiled modules used here, OpenUSD's, tell a type checker little about themselves)

"""A rigid-body model in, a flat USD out.

Layout, as Isaac Lab's sensors and body patterns expect it (no rigid body lies under another)::

    /Robot                       Xform, default prim
    /Robot/<body>                Xform: RigidBodyAPI, MassAPI (ArticulationRootAPI on the root body)
    /Robot/<body>/visuals/*      meshes for the eye
    /Robot/<body>/collisions/*   primitives for contact, hidden from renderers by their purpose
    /Robot/<body>/frames/<link>  Xform of every URDF link that was merged into the body (sensor mounts, for example)
    /Robot/joints/<joint>        PhysicsRevoluteJoint with limits, effort, armature

The file uses only schemas that plain OpenUSD knows plus PhysX attributes by name, so that Kit, ovphysx and Newton all
read it. ``pxr`` is imported inside the functions: configuration modules may import this one without a USD runtime.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .description import Contact, Primitive, RobotDescription, is_contactless
from .meshes import merge_visuals
from .rigid_body import Body, RevoluteJoint, RigidBodyModel, pose

if TYPE_CHECKING:
    from pxr import Usd

BUILDER_VERSION = "2"
"""Part of the cache key: raise it whenever the authored file changes for the same inputs."""

ROBOT_PATH = "/Robot"


def write_usd(model: RigidBodyModel, description: RobotDescription, path: Path) -> None:
    """Author the robot as a binary USD file at ``path``."""
    from pxr import Usd, UsdGeom, UsdPhysics

    # authored in memory and exported: a layer that was created on disk stays registered under that path
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdPhysics.SetStageKilogramsPerUnit(stage, 1.0)
    stage.SetDefaultPrim(stage.DefinePrim(ROBOT_PATH, "Xform"))
    # In the default pose, like the joint states below: PhysX warms up with what it finds here, in a step of 1 ns, and
    # feet that reach into the ground (legs straight at 0 rad) leave that step at full speed.
    placed = model.body_poses({joint: description.default_pos_of(joint) for joint in description.joints})
    for body in model.bodies.values():
        _author_body(stage, body, placed[body.name], model, description)
    _author_root(stage, model, description)
    UsdGeom.Scope.Define(stage, f"{ROBOT_PATH}/joints")
    for joint in model.joints.values():
        _author_joint(stage, joint, description)
    _filter_pairs(stage, model, description)
    if not stage.GetRootLayer().Export(str(path)):
        raise OSError(f"OpenUSD could not write {path}: check that the folder is writable and not full.")


def body_path(body: str) -> str:
    """Return the prim path of a body in the authored file."""
    return f"{ROBOT_PATH}/{body}"


def _author_body(
    stage: Usd.Stage, body: Body, placed: np.ndarray, model: RigidBodyModel, description: RobotDescription
) -> None:
    from pxr import Gf, UsdGeom, UsdPhysics

    prim = UsdGeom.Xform.Define(stage, body_path(body.name)).GetPrim()
    _place(prim, placed)
    UsdPhysics.RigidBodyAPI.Apply(prim)
    _apply(prim, "PhysxRigidBodyAPI")
    linear, angular = description.body_damping
    _set_float(prim, "physxRigidBody:linearDamping", linear)
    _set_float(prim, "physxRigidBody:angularDamping", angular)
    mass = UsdPhysics.MassAPI.Apply(prim)
    moments, axes = principal_axes(body.inertial.inertia)
    mass.CreateMassAttr(body.inertial.mass)
    mass.CreateCenterOfMassAttr(Gf.Vec3f(*body.inertial.com.tolist()))
    mass.CreateDiagonalInertiaAttr(Gf.Vec3f(*moments.tolist()))
    mass.CreatePrincipalAxesAttr(_quaternion(axes))
    _author_visuals(stage, body)
    for link, frame in model.frames.items():
        if frame.body == body.name and link != body.name:
            _place(UsdGeom.Xform.Define(stage, f"{body_path(body.name)}/frames/{link}").GetPrim(), frame.pose)
    contacts = [contact for contact in description.contacts if model.frames[contact.link].body == body.name]
    for index, contact in enumerate(contacts):
        _author_contact(stage, f"{body_path(body.name)}/collisions", index, contact, model)


def _author_visuals(stage: Usd.Stage, body: Body) -> None:
    from pxr import Gf, UsdGeom, Vt

    for index, mesh in enumerate(merge_visuals(body.visuals)):
        prim = UsdGeom.Mesh.Define(stage, f"{body_path(body.name)}/visuals/mesh_{index}")
        prim.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(mesh.vertices.astype(np.float32)))
        prim.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.faces.astype(np.int32).reshape(-1)))
        prim.CreateFaceVertexCountsAttr(Vt.IntArray(len(mesh.faces), 3))
        prim.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
        lower, upper = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
        prim.CreateExtentAttr([Gf.Vec3f(*lower.tolist()), Gf.Vec3f(*upper.tolist())])
        prim.CreateDisplayColorAttr([Gf.Vec3f(*mesh.color)])


def _author_contact(stage: Usd.Stage, scope: str, index: int, contact: Contact, model: RigidBodyModel) -> None:
    from pxr import UsdGeom, UsdPhysics

    shape = _define_shape(stage, f"{scope}/{contact.link}_{index}", contact.primitive)
    frame = model.frames[contact.link].pose @ pose(contact.primitive.pos, contact.primitive.rpy)
    # a unit cube carries its size as a scale, the one form that every importer reads as a box
    _place(shape.GetPrim(), frame, contact.primitive.size if contact.primitive.kind == "box" else None)
    shape.CreatePurposeAttr(UsdGeom.Tokens.guide)
    UsdPhysics.CollisionAPI.Apply(shape.GetPrim())


def _define_shape(stage: Usd.Stage, path: str, primitive: Primitive) -> Any:
    from pxr import Gf, UsdGeom

    if primitive.kind == "box":
        cube = UsdGeom.Cube.Define(stage, path)
        cube.CreateSizeAttr(1.0)
        cube.CreateExtentAttr([Gf.Vec3f(-0.5), Gf.Vec3f(0.5)])
        return cube
    radius = primitive.size[0]
    if primitive.kind == "sphere":
        sphere = UsdGeom.Sphere.Define(stage, path)
        sphere.CreateRadiusAttr(radius)
        sphere.CreateExtentAttr([Gf.Vec3f(-radius), Gf.Vec3f(radius)])
        return sphere
    length = primitive.size[1]
    kind = UsdGeom.Capsule if primitive.kind == "capsule" else UsdGeom.Cylinder
    shape = kind.Define(stage, path)
    shape.CreateAxisAttr(UsdGeom.Tokens.z)
    shape.CreateRadiusAttr(radius)
    shape.CreateHeightAttr(length)
    half = 0.5 * length + (radius if primitive.kind == "capsule" else 0.0)
    shape.CreateExtentAttr([Gf.Vec3f(-radius, -radius, -half), Gf.Vec3f(radius, radius, half)])
    return shape


def _author_root(stage: Usd.Stage, model: RigidBodyModel, description: RobotDescription) -> None:
    from pxr import Sdf, UsdPhysics

    prim = stage.GetPrimAtPath(body_path(model.root))
    UsdPhysics.ArticulationRootAPI.Apply(prim)
    _apply(prim, "PhysxArticulationAPI")
    _apply(prim, "NewtonArticulationRootAPI")
    for name in ("physxArticulation:enabledSelfCollisions", "newton:selfCollisionEnabled"):
        prim.CreateAttribute(name, Sdf.ValueTypeNames.Bool).Set(description.self_collisions)
    for name, count in zip(("Position", "Velocity"), description.solver_iterations, strict=True):
        attribute = f"physxArticulation:solver{name}IterationCount"
        prim.CreateAttribute(attribute, Sdf.ValueTypeNames.Int).Set(count)


def _author_joint(stage: Usd.Stage, joint: RevoluteJoint, description: RobotDescription) -> None:
    from pxr import UsdPhysics

    spec = description.actuator_of(joint.name)
    prim = UsdPhysics.RevoluteJoint.Define(stage, f"{ROBOT_PATH}/joints/{joint.name}")
    prim.CreateBody0Rel().SetTargets([body_path(joint.parent)])
    prim.CreateBody1Rel().SetTargets([body_path(joint.child)])
    axis, turn = _usd_axis(joint.axis)
    prim.CreateAxisAttr(axis)
    for side, frame in (("0", joint.parent_pose @ turn), ("1", joint.child_pose @ turn)):
        getattr(prim, f"CreateLocalPos{side}Attr")(_vector(frame[:3, 3]))
        getattr(prim, f"CreateLocalRot{side}Attr")(_quaternion(frame[:3, :3]))
    prim.CreateLowerLimitAttr(float(np.degrees(joint.lower)))
    prim.CreateUpperLimitAttr(float(np.degrees(joint.upper)))
    # zero gains: Isaac Lab's actuators write them, so nothing hidden acts when an actuator is left out
    drive = UsdPhysics.DriveAPI.Apply(prim.GetPrim(), "angular")
    drive.CreateTypeAttr("force")
    drive.CreateStiffnessAttr(0.0)
    drive.CreateDampingAttr(0.0)
    drive.CreateMaxForceAttr(description.effort_limit_of(joint))
    _apply(prim.GetPrim(), "PhysxJointAPI")
    _set_float(prim.GetPrim(), "physxJoint:maxJointVelocity", float(np.degrees(description.velocity_limit_of(joint))))
    _set_float(prim.GetPrim(), "physxJoint:armature", spec.armature)
    _apply(prim.GetPrim(), "PhysicsJointStateAPI:angular")
    start = float(np.degrees(description.default_pos_of(joint.name)))
    _set_float(prim.GetPrim(), "state:angular:physics:position", start)
    _set_float(prim.GetPrim(), "state:angular:physics:velocity", 0.0)


def _filter_pairs(stage: Usd.Stage, model: RigidBodyModel, description: RobotDescription) -> None:
    """Let the bodies named by ``contactless_pairs`` ignore each other (jointed neighbors already do)."""
    from pxr import UsdPhysics

    touching = dict.fromkeys(model.frames[contact.link].body for contact in description.contacts)
    for first, second in itertools.combinations(touching, 2):
        if is_contactless(first, second, description):
            relation = UsdPhysics.FilteredPairsAPI.Apply(stage.GetPrimAtPath(body_path(first)))
            relation.CreateFilteredPairsRel().AddTarget(body_path(second))


def principal_axes(inertia: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return principal moments [3] and the right-handed rotation [3, 3] with R diag(moments) R^T = inertia."""
    moments, axes = np.linalg.eigh(inertia)
    if np.linalg.det(axes) < 0.0:
        axes[:, 0] = -axes[:, 0]
    return moments, axes


def _usd_axis(axis: np.ndarray) -> tuple[str, np.ndarray]:
    """Return a USD axis token and the rotation [4, 4] that turns that axis onto the joint's."""
    turn = np.eye(4)
    for token, unit in zip("XYZ", np.eye(3), strict=True):
        if np.allclose(axis, unit, atol=1e-9):
            return token, turn
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    second = np.cross(axis, helper)
    second /= np.linalg.norm(second)
    turn[:3, :3] = np.column_stack([axis, second, np.cross(axis, second)])
    return "X", turn


def _place(prim: Usd.Prim, frame: np.ndarray, scale: tuple[float, ...] | None = None) -> None:
    """Author translate, orient, scale: the three operations that Isaac Lab rewrites when it spawns."""
    from pxr import Gf, UsdGeom

    xform = UsdGeom.Xformable(prim)
    double = UsdGeom.XformOp.PrecisionDouble
    xform.AddTranslateOp(double).Set(Gf.Vec3d(*frame[:3, 3].tolist()))
    xform.AddOrientOp(double).Set(Gf.Quatd(_quaternion(frame[:3, :3])))
    xform.AddScaleOp(double).Set(Gf.Vec3d(*(scale or (1.0, 1.0, 1.0))))


def _vector(values: np.ndarray) -> Any:
    from pxr import Gf

    return Gf.Vec3f(*values.tolist())


def _quaternion(rotation: np.ndarray) -> Any:
    """Return the unit quaternion of a rotation matrix [3, 3] with w >= 0."""
    from pxr import Gf

    # Gf matrices act on row vectors, hence the transpose
    quaternion = Gf.Matrix3d(*rotation.T.reshape(-1).tolist()).ExtractRotation().GetQuat().GetNormalized()
    return Gf.Quatf(quaternion if quaternion.GetReal() >= 0.0 else -quaternion)


def _apply(prim: Usd.Prim, schema: str) -> None:
    """Apply an API schema by name, whether or not this USD runtime knows it (plain OpenUSD has no PhysX schemas)."""
    prim.AddAppliedSchema(schema)


def _set_float(prim: Usd.Prim, name: str, value: float) -> None:
    from pxr import Sdf

    prim.CreateAttribute(name, Sdf.ValueTypeNames.Float).Set(value)
