# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false
# (the compiled modules used here, Pinocchio's and OpenUSD's, tell a type checker little about themselves)

"""A robot as its USD file has it, and as Pinocchio reads it from the URDF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pinocchio as pin
from pxr import Usd, UsdGeom, UsdPhysics

from himloco_lab.robots.description import RobotDescription


@dataclass
class UsdJoint:
    """A joint as the file states it."""

    parent: str
    child: str
    parent_pose: np.ndarray
    child_pose: np.ndarray
    axis: np.ndarray
    lower: float
    upper: float
    effort: float
    velocity: float


class UsdRobot:
    """Reads the flat USD with OpenUSD alone and does its kinematics."""

    def __init__(self, path: Path) -> None:
        self.stage = Usd.Stage.Open(str(path))
        self.robot = self.stage.GetDefaultPrim()
        prims = list(Usd.PrimRange(self.robot))
        self.bodies = {prim.GetName(): prim for prim in prims if prim.HasAPI(UsdPhysics.RigidBodyAPI)}
        self.joints = {prim.GetName(): self._joint(prim) for prim in prims if prim.IsA(UsdPhysics.RevoluteJoint)}
        (self.root,) = [name for name, prim in self.bodies.items() if prim.HasAPI(UsdPhysics.ArticulationRootAPI)]

    def body_poses(self, positions: dict[str, float]) -> dict[str, np.ndarray]:
        """Return every body's pose [4, 4] in the root's frame, from the joint frames in the file."""
        poses = {self.root: np.eye(4)}
        pending = dict(self.joints)
        while pending:
            for name, joint in list(pending.items()):
                if joint.parent in poses:
                    turn = np.eye(4)
                    turn[:3, :3] = pin.AngleAxis(positions[name], joint.axis).toRotationMatrix()
                    moved = joint.parent_pose @ turn @ np.linalg.inv(joint.child_pose)
                    poses[joint.child] = poses[joint.parent] @ moved
                    del pending[name]
        return poses

    def link_poses(self, positions: dict[str, float]) -> dict[str, np.ndarray]:
        """Return the pose [4, 4] of every URDF link, merged ones included."""
        poses = self.body_poses(positions)
        for name, body in self.bodies.items():
            for frame in body.GetChild("frames").GetChildren() if body.GetChild("frames") else []:
                local = UsdGeom.Xformable(frame).GetLocalTransformation()
                poses[frame.GetName()] = poses[name] @ np.array(local).T
        return poses

    def inertial(self, body: str) -> tuple[float, np.ndarray, np.ndarray]:
        """Return mass, center of mass [3] and inertia [3, 3] in the body frame."""
        mass = UsdPhysics.MassAPI(self.bodies[body])
        axes = rotation(mass.GetPrincipalAxesAttr().Get())
        moments = np.diag(np.array(mass.GetDiagonalInertiaAttr().Get(), float))
        return mass.GetMassAttr().Get(), np.array(mass.GetCenterOfMassAttr().Get(), float), axes @ moments @ axes.T

    @staticmethod
    def _joint(prim: Usd.Prim) -> UsdJoint:
        joint = UsdPhysics.RevoluteJoint(prim)
        frames = []
        for side in (0, 1):
            frame = np.eye(4)
            frame[:3, 3] = getattr(joint, f"GetLocalPos{side}Attr")().Get()
            frame[:3, :3] = rotation(getattr(joint, f"GetLocalRot{side}Attr")().Get())
            frames.append(frame)
        return UsdJoint(
            parent=joint.GetBody0Rel().GetTargets()[0].name,
            child=joint.GetBody1Rel().GetTargets()[0].name,
            parent_pose=frames[0],
            child_pose=frames[1],
            axis=np.eye(3)["XYZ".index(joint.GetAxisAttr().Get())],
            lower=np.radians(joint.GetLowerLimitAttr().Get()),
            upper=np.radians(joint.GetUpperLimitAttr().Get()),
            effort=UsdPhysics.DriveAPI(prim, "angular").GetMaxForceAttr().Get(),
            velocity=np.radians(prim.GetAttribute("physxJoint:maxJointVelocity").Get()),
        )


def rotation(quaternion) -> np.ndarray:
    x, y, z = quaternion.GetImaginary()
    return pin.Quaternion(quaternion.GetReal(), x, y, z).normalized().toRotationMatrix()


class Oracle:
    """Pinocchio on the URDF, with the description's locked joints held at their position."""

    def __init__(self, description: RobotDescription, floating: bool = False) -> None:
        urdf = str(description.urdf.locate())
        model = pin.buildModelFromUrdf(urdf, pin.JointModelFreeFlyer()) if floating else pin.buildModelFromUrdf(urdf)
        locked = [model.getJointId(name) for name in description.locked_joints]
        self.model = pin.buildReducedModel(model, locked, pin.neutral(model))
        self.data = self.model.createData()

    def configuration(self, positions: dict[str, float]) -> np.ndarray:
        """Return Pinocchio's configuration vector."""
        q = pin.neutral(self.model)
        for name, value in positions.items():
            q[self.model.joints[self.model.getJointId(name)].idx_q] = value
        return q

    def link_poses(self, positions: dict[str, float]) -> dict[str, np.ndarray]:
        """Return every link's pose [4, 4] in the root's frame."""
        pin.framesForwardKinematics(self.model, self.data, self.configuration(positions))
        links = [frame.type == pin.FrameType.BODY and frame.name != "universe" for frame in self.model.frames]
        return {
            frame.name: self.data.oMf[index].homogeneous
            for index, frame in enumerate(self.model.frames)
            if links[index]
        }
