# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module tells a type checker nothing about itself)

"""A rigid-body model in, a MuJoCo model specification out.

The robot is the one that :mod:`~himloco_lab.robots.usd_builder` authors: the same merged bodies, joints, contact shapes
and pairs that ignore each other. What MuJoCo adds is a ground, a light and one motor per joint whose control is a
torque [N m]. Velocity limits are left out, since MuJoCo has none, and so is the bodies' damping of 0.01/s.
"""

from __future__ import annotations

import mujoco
import numpy as np

from .description import Primitive, RobotDescription
from .height_field import HeightField
from .meshes import merge_visuals
from .rigid_body import Body, RevoluteJoint, RigidBodyModel, contactless_bodies, pose, standing_height
from .urdf import load_model

GROUND = "ground"
"""Name of the ground's geom."""

DEFAULT_KEY = "default"
"""Name of the keyframe in which the robot stands in its default pose just above level ground."""

GROUND_FRICTION = 1.0
"""Coulomb coefficient between the ground and whatever touches it, as in training on average."""

HORIZON = [0.75, 0.8, 0.85]
"""Colour of the sky there, into which level ground fades."""

# A contact needs one side's contype among the other's conaffinity. The ground offers what robots are open to; robots
# offer a bit of their own, to which only robots that collide with themselves are open.
_ROBOT_BIT, _GROUND_BIT = 1, 2

_VISUAL_GROUP, _CONTACT_GROUP = 2, 3  # MuJoCo's viewer shows groups 0 to 2
_GEOM_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
}


def make_spec(
    description: RobotDescription, *, timestep: float, terrain: HeightField | None = None, visuals: bool = True
) -> mujoco.MjSpec:
    """Return a robot on the ground, ready to be changed or compiled.

    Args:
        description: The robot.
        timestep: Physics step [s].
        terrain: The ground; a plane at z = 0 when None.
        visuals: Whether to show the robot's meshes; without them it loads faster and shows its contact shapes.

    Raises:
        FileNotFoundError: If the URDF or one of its meshes is missing.
    """
    model = load_model(description)
    spec = mujoco.MjSpec()
    spec.modelname = description.name
    spec.compiler.degree = False
    spec.option.timestep = timestep
    # as the tasks set up Newton's solver: a pyramidal cone softens the ground as friction grows
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1280, 720  # largest picture a renderer may take
    spec.worldbody.add_light(pos=[0.0, 0.0, 5.0], dir=[0.2, 0.3, -1.0], type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL)
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=HORIZON,
        rgb2=[0.5, 0.6, 0.7],
        width=64,
        height=6 * 64,
    )
    spec.visual.rgba.haze = [*HORIZON, 1.0]
    _add_ground(spec, terrain)
    added = {model.root: spec.worldbody.add_body(name=model.root)}
    added[model.root].add_freejoint(name="floating_base")
    for joint in model.joints.values():
        added[joint.child] = _add_child(added[joint.parent], joint, description)
        effort = description.effort_limit_of(joint)
        motor = spec.add_actuator(name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        motor.set_to_motor()
        motor.ctrllimited = mujoco.mjtLimited.mjLIMITED_TRUE
        motor.ctrlrange = [-effort, effort]
    for name, body in model.bodies.items():
        _fill_body(spec, added[name], body, model, visuals)
    _add_contacts(added, model, description, shown=not visuals)
    for first, second in contactless_bodies(model, description):  # parents and children ignore each other anyway
        spec.add_exclude(name=f"{first}_{second}", bodyname1=first, bodyname2=second)
    height = standing_height(model, description) + description.spawn_clearance
    # joints come depth first in both models, so this is the compiled model's order
    stance = [description.default_pos_of(joint) for joint in model.joints]
    spec.add_key(name=DEFAULT_KEY, qpos=[0.0, 0.0, height, 1.0, 0.0, 0.0, 0.0, *stance])
    return spec


def _add_ground(spec: mujoco.MjSpec, terrain: HeightField | None) -> None:
    spec.add_texture(
        name="squares",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.35, 0.37, 0.4],
        rgb2=[0.3, 0.32, 0.35],
        width=256,
        height=256,
    )
    # the layer list has a place per kind of texture
    textures = [""] * int(mujoco.mjtTextureRole.mjNTEXROLE)
    textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = "squares"
    spec.add_material(name=GROUND, textures=textures, texuniform=True, texrepeat=[1.0, 1.0])
    ground = spec.worldbody.add_geom(name=GROUND, material=GROUND)
    ground.contype, ground.conaffinity = _GROUND_BIT, _ROBOT_BIT
    # of two geoms the one of higher priority decides the friction, so that a test needs to change this one only
    ground.priority = 1
    ground.friction = [GROUND_FRICTION, 0.005, 0.0001]
    if terrain is None:
        ground.type = mujoco.mjtGeom.mjGEOM_PLANE
        ground.size = [0.0, 0.0, 0.05]  # infinite, drawn in squares of 5 cm
        return
    low, elevation, samples = _samples(terrain)
    spec.add_hfield(
        name=GROUND,
        nrow=terrain.heights.shape[1],
        ncol=terrain.heights.shape[0],
        size=[*terrain.half_extent, elevation, 0.5],
        userdata=samples.tolist(),
    )
    ground.type = mujoco.mjtGeom.mjGEOM_HFIELD
    ground.hfieldname = GROUND
    ground.pos = [0.0, 0.0, low]


def _samples(terrain: HeightField) -> tuple[float, float, np.ndarray]:
    """Return lowest height, range of heights [m] and the heights as MuJoCo wants them, between 0 and 1 in rows of y."""
    low, high = float(terrain.heights.min()), float(terrain.heights.max())
    elevation = max(high - low, 1e-3)  # MuJoCo refuses 0
    return low, elevation, ((terrain.heights.T - low) / elevation).reshape(-1)


def replace_ground(model: mujoco.MjModel, terrain: HeightField) -> None:
    """Give the ground of a compiled model other heights, to be drawn or met by rays: contacts need a model of its own.

    Raises:
        ValueError: If the model was not made by :func:`make_spec` with a height field of the same grid.
    """
    low, elevation, samples = _samples(terrain)
    if model.nhfielddata != samples.size or not np.allclose(model.hfield_size[0, :2], terrain.half_extent):
        raise ValueError(
            f"The ground has {model.nhfielddata} samples and half extents {model.hfield_size[:, :2].tolist()} m; it"
            f" cannot become one of {samples.size} samples and {list(terrain.half_extent)} m."
        )
    model.hfield_data[:] = samples
    model.hfield_size[0, 2] = elevation
    model.geom(GROUND).pos[2] = low


def _add_child(parent: mujoco.MjsBody, joint: RevoluteJoint, description: RobotDescription) -> mujoco.MjsBody:
    frame = joint.transform(0.0)
    child = parent.add_body(name=joint.child, pos=frame[:3, 3], quat=_quaternion(frame))
    bounded = bool(np.isfinite([joint.lower, joint.upper]).all())
    child.add_joint(
        name=joint.name,
        type=mujoco.mjtJoint.mjJNT_HINGE,
        pos=joint.child_pose[:3, 3],
        axis=joint.child_pose[:3, :3] @ joint.axis,
        limited=mujoco.mjtLimited.mjLIMITED_TRUE if bounded else mujoco.mjtLimited.mjLIMITED_FALSE,
        range=[joint.lower, joint.upper] if bounded else [0.0, 0.0],
        armature=description.actuator_of(joint.name).armature,
    )
    return child


def _fill_body(spec: mujoco.MjSpec, target: mujoco.MjsBody, body: Body, model: RigidBodyModel, visuals: bool) -> None:
    inertia = body.inertial.inertia
    target.explicitinertial = True
    target.mass = body.inertial.mass
    target.ipos = body.inertial.com
    target.fullinertia = [*np.diag(inertia), inertia[0, 1], inertia[0, 2], inertia[1, 2]]
    for link, frame in model.frames.items():
        if frame.body == body.name and link != body.name:
            target.add_site(name=link, pos=frame.pose[:3, 3], quat=_quaternion(frame.pose), group=4)
    if not visuals:
        return
    for index, mesh in enumerate(merge_visuals(body.visuals)):
        name = f"{body.name}_visual_{index}"
        # a shell: open meshes have no volume, which MuJoCo would want for their inertia
        spec.add_mesh(
            name=name,
            uservert=mesh.vertices.reshape(-1),
            userface=mesh.faces.reshape(-1),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )
        shown = target.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, group=_VISUAL_GROUP)
        shown.contype = shown.conaffinity = 0
        shown.rgba = [*mesh.color, 1.0]


def _add_contacts(
    added: dict[str, mujoco.MjsBody], model: RigidBodyModel, description: RobotDescription, shown: bool
) -> None:
    open_to = _GROUND_BIT | (_ROBOT_BIT if description.self_collisions else 0)
    for index, contact in enumerate(description.contacts):
        frame = model.frames[contact.link].pose @ pose(contact.primitive.pos, contact.primitive.rpy)
        added[model.frames[contact.link].body].add_geom(
            name=f"{contact.link}_{index}",
            type=_GEOM_TYPES[contact.primitive.kind],
            size=_geom_size(contact.primitive),
            pos=frame[:3, 3],
            quat=_quaternion(frame),
            contype=_ROBOT_BIT,
            conaffinity=open_to,
            group=_VISUAL_GROUP if shown else _CONTACT_GROUP,
            rgba=[0.6, 0.62, 0.65, 1.0],
        )


def _geom_size(primitive: Primitive) -> list[float]:
    """Return MuJoCo's three sizes [m], which count half of every length."""
    if primitive.kind == "box":
        return [0.5 * extent for extent in primitive.size]
    radius, *length = primitive.size
    return [radius, 0.5 * length[0] if length else 0.0, 0.0]


def _quaternion(frame: np.ndarray) -> np.ndarray:
    """Return a pose's unit quaternion in MuJoCo's order (w, x, y, z), shape ``[4]``."""
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, frame[:3, :3].reshape(-1))
    return quaternion
