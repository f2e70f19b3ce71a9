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
read it. Needs a USD runtime, which configuration modules do without: they import this one inside functions only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics, Vt

from .description import Primitive, RobotDescription
from .meshes import merge_visuals
from .rigid_body import Body, RevoluteJoint, RigidBodyModel, contactless_bodies, pose

BUILDER_VERSION = "2"
"""Part of the cache key: raise it whenever the authored file changes for the same inputs."""

ROBOT_PATH = "/Robot"


def write_usd(model: RigidBodyModel, description: RobotDescription, path: Path) -> None:
    """Author the robot as a binary USD file at ``path``."""
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
    for first, second in contactless_bodies(model, description):
        relation = UsdPhysics.FilteredPairsAPI.Apply(stage.GetPrimAtPath(body_path(first)))
        relation.CreateFilteredPairsRel().AddTarget(body_path(second))
    if not stage.GetRootLayer().Export(str(path)):
        raise OSError(f"OpenUSD could not write {path}: check that the folder is writable and not full.")


def body_path(body: str) -> str:
    """Return the prim path of a body in the authored file."""
    return f"{ROBOT_PATH}/{body}"


def _author_body(
    stage: Usd.Stage, body: Body, placed: np.ndarray, model: RigidBodyModel, description: RobotDescription
) -> None:
    prim = UsdGeom.Xform.Define(stage, body_path(body.name)).GetPrim()
    _place(prim, placed)
    UsdPhysics.RigidBodyAPI.Apply(prim)
    prim.AddAppliedSchema("PhysxRigidBodyAPI")  # by name: plain OpenUSD has no PhysX schemas
    linear, angular = description.body_damping
    _set_float(prim, "physxRigidBody:linearDamping", linear)
    _set_float(prim, "physxRigidBody:angularDamping", angular)
    mass = UsdPhysics.MassAPI.Apply(prim)
    moments, axes = principal_axes(body.inertial.inertia)
    mass.CreateMassAttr(body.inertial.mass)
    mass.CreateCenterOfMassAttr(Gf.Vec3f(*body.inertial.com.tolist()))
    mass.CreateDiagonalInertiaAttr(Gf.Vec3f(*moments.tolist()))
    mass.CreatePrincipalAxesAttr(_quaternion(axes))
    for index, mesh in enumerate(merge_visuals(body.visuals)):
        shown = UsdGeom.Mesh.Define(stage, f"{body_path(body.name)}/visuals/mesh_{index}")
        points = Vt.Vec3fArray.FromNumpy(mesh.vertices.astype(np.float32))
        shown.CreatePointsAttr(points)
        shown.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.faces.astype(np.int32).reshape(-1)))
        shown.CreateFaceVertexCountsAttr(Vt.IntArray(len(mesh.faces), 3))
        shown.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
        shown.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(points))
        shown.CreateDisplayColorAttr([Gf.Vec3f(*mesh.color)])
    for link, frame in model.frames.items():
        if frame.body == body.name and link != body.name:
            _place(UsdGeom.Xform.Define(stage, f"{body_path(body.name)}/frames/{link}").GetPrim(), frame.pose)
    contacts = [contact for contact in description.contacts if model.frames[contact.link].body == body.name]
    for index, contact in enumerate(contacts):
        primitive = contact.primitive
        shape = _define_shape(stage, f"{body_path(body.name)}/collisions/{contact.link}_{index}", primitive)
        frame = model.frames[contact.link].pose @ pose(primitive.pos, primitive.rpy)
        # a unit cube carries its size as a scale, the one form that every importer reads as a box
        _place(shape.GetPrim(), frame, primitive.size if primitive.kind == "box" else None)
        shape.CreatePurposeAttr(UsdGeom.Tokens.guide)
        UsdPhysics.CollisionAPI.Apply(shape.GetPrim())


def _define_shape(stage: Usd.Stage, path: str, primitive: Primitive) -> Any:
    shape = getattr(UsdGeom, "Cube" if primitive.kind == "box" else primitive.kind.capitalize()).Define(stage, path)
    if primitive.kind == "box":
        shape.CreateSizeAttr(1.0)
    else:
        shape.CreateRadiusAttr(primitive.size[0])
    if primitive.kind in ("capsule", "cylinder"):
        shape.CreateAxisAttr(UsdGeom.Tokens.z)
        shape.CreateHeightAttr(primitive.size[1])
    shape.CreateExtentAttr(UsdGeom.Boundable.ComputeExtentFromPlugins(shape, Usd.TimeCode.Default()))
    return shape


def _author_root(stage: Usd.Stage, model: RigidBodyModel, description: RobotDescription) -> None:
    prim = stage.GetPrimAtPath(body_path(model.root))
    UsdPhysics.ArticulationRootAPI.Apply(prim)
    prim.AddAppliedSchema("PhysxArticulationAPI")
    prim.AddAppliedSchema("NewtonArticulationRootAPI")
    for name in ("physxArticulation:enabledSelfCollisions", "newton:selfCollisionEnabled"):
        prim.CreateAttribute(name, Sdf.ValueTypeNames.Bool).Set(description.self_collisions)
    for name, count in zip(("Position", "Velocity"), description.solver_iterations, strict=True):
        attribute = f"physxArticulation:solver{name}IterationCount"
        prim.CreateAttribute(attribute, Sdf.ValueTypeNames.Int).Set(count)


def _author_joint(stage: Usd.Stage, joint: RevoluteJoint, description: RobotDescription) -> None:
    spec = description.actuator_of(joint.name)
    prim = UsdPhysics.RevoluteJoint.Define(stage, f"{ROBOT_PATH}/joints/{joint.name}")
    prim.CreateBody0Rel().SetTargets([body_path(joint.parent)])
    prim.CreateBody1Rel().SetTargets([body_path(joint.child)])
    axis, turn = _usd_axis(joint.axis)
    prim.CreateAxisAttr(axis)
    for side, frame in (("0", joint.parent_pose @ turn), ("1", joint.child_pose @ turn)):
        getattr(prim, f"CreateLocalPos{side}Attr")(Gf.Vec3f(*frame[:3, 3].tolist()))
        getattr(prim, f"CreateLocalRot{side}Attr")(_quaternion(frame[:3, :3]))
    prim.CreateLowerLimitAttr(float(np.degrees(joint.lower)))
    prim.CreateUpperLimitAttr(float(np.degrees(joint.upper)))
    # zero gains: Isaac Lab's actuators write them, so nothing hidden acts when an actuator is left out
    drive = UsdPhysics.DriveAPI.Apply(prim.GetPrim(), "angular")
    drive.CreateTypeAttr("force")
    drive.CreateStiffnessAttr(0.0)
    drive.CreateDampingAttr(0.0)
    drive.CreateMaxForceAttr(description.effort_limit_of(joint))
    prim.GetPrim().AddAppliedSchema("PhysxJointAPI")
    _set_float(prim.GetPrim(), "physxJoint:maxJointVelocity", float(np.degrees(description.velocity_limit_of(joint))))
    _set_float(prim.GetPrim(), "physxJoint:armature", spec.armature)
    prim.GetPrim().AddAppliedSchema("PhysicsJointStateAPI:angular")
    start = float(np.degrees(description.default_pos_of(joint.name)))
    _set_float(prim.GetPrim(), "state:angular:physics:position", start)
    _set_float(prim.GetPrim(), "state:angular:physics:velocity", 0.0)


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
    xform = UsdGeom.Xformable(prim)
    double = UsdGeom.XformOp.PrecisionDouble
    xform.AddTranslateOp(double).Set(Gf.Vec3d(*frame[:3, 3].tolist()))
    xform.AddOrientOp(double).Set(Gf.Quatd(_quaternion(frame[:3, :3])))
    xform.AddScaleOp(double).Set(Gf.Vec3d(*(scale or (1.0, 1.0, 1.0))))


def _quaternion(rotation: np.ndarray) -> Any:
    """Return the unit quaternion of a rotation matrix [3, 3] with w >= 0."""
    # Gf matrices act on row vectors, hence the transpose
    quaternion = Gf.Matrix3d(*rotation.T.reshape(-1).tolist()).ExtractRotation().GetQuat().GetNormalized()
    return Gf.Quatf(quaternion if quaternion.GetReal() >= 0.0 else -quaternion)


def _set_float(prim: Usd.Prim, name: str, value: float) -> None:
    prim.CreateAttribute(name, Sdf.ValueTypeNames.Float).Set(value)
