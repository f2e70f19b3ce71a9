# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The manifest of a robot that has no policy yet: zero and random actions run with it, and files without a manifest."""

from __future__ import annotations

from himloco_lab.robots.description import RobotDescription, find_description
from himloco_lab.robots.rigid_body import RevoluteJoint, standing_height
from himloco_lab.robots.urdf import load_model

from .manifest import Action, Command, Joint, Manifest, Observation, Tensor, Term, Timing
from .schema import ManifestError


def untrained_manifest(robot: str) -> Manifest:
    """Return the manifest of an untrained policy, with the layout that the robot's description gives.

    Args:
        robot: The robot's description as ``"package.module:NAME"``.

    Raises:
        ManifestError: If there is no such description.
    """
    try:
        description = find_description(robot)
    except (ValueError, TypeError) as error:
        raise ManifestError(str(error)) from error
    model, layout = load_model(description), description.policy_layout
    driven = description.action_joints
    terms = tuple(Term(term.name, term.width, term.scale, term.clip, term.joints) for term in description.frame)
    observation = Observation(history_length=layout.history_length, terms=terms)
    ranges = (layout.lin_vel_x, layout.lin_vel_y, layout.ang_vel_z, layout.height)
    offset = tuple(description.default_pos_of(joint) for joint in driven)
    return Manifest(
        task="none",
        robot=robot,
        input=Tensor("obs", observation.width),
        output=Tensor("actions", len(driven)),
        timing=Timing(layout.physics_dt, layout.decimation, layout.policy_dt),
        observation=observation,
        action=Action(driven, layout.action_scale, offset, layout.clip),
        joints=tuple(describe_joint(description, model.joints[name], name in driven) for name in description.joints),
        command=Command(*ranges, (0.0, 0.0, 0.0, layout.height[1])),
        spawn_height=round(standing_height(model, description) + description.spawn_clearance, 4),
    )


def describe_joint(description: RobotDescription, urdf: RevoluteJoint, driven: bool) -> Joint:
    """Return gains and limits of a joint; ``driven`` by the policy, or by a command."""
    spec = description.actuator_of(urdf.name)
    return Joint(
        name=urdf.name,
        default_pos=description.default_pos_of(urdf.name),
        stiffness=spec.stiffness,
        damping=spec.damping,
        effort_limit=description.effort_limit_of(urdf),
        velocity_limit=description.velocity_limit_of(urdf),
        armature=spec.armature,
        lower=urdf.lower,
        upper=urdf.upper,
        driven_by="policy" if driven else "command",
    )
