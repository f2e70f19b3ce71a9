# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HOMIE's layout for a robot that has no policy yet: what zero and random actions are run with."""

from __future__ import annotations

import re

from himloco_lab.assets.description import RobotDescription, find_description
from himloco_lab.assets.stance import standing_height
from himloco_lab.assets.urdf import RevoluteJoint, load_model

from .manifest import Action, Command, Joint, Manifest, Observation, Tensor, Term, Timing
from .schema import ManifestError

LEG_JOINTS = r".*_(hip|knee|ankle)_.*|.*_knee_joint"
"""Joints that the policy drives; all others follow commands."""

_CLIP = 100.0  # HOMIE clips scaled values; a manifest clips raw ones


def homie_manifest(robot: str) -> Manifest:
    """Return the manifest of an untrained policy: HOMIE's observations, rates and action scale.

    Args:
        robot: The robot's description as ``"package.module:NAME"``.

    Raises:
        ManifestError: If there is no such description, or it has no legs.
    """
    try:
        description = find_description(robot)
    except (ValueError, TypeError) as error:
        raise ManifestError(str(error)) from error
    model = load_model(description)
    legs = tuple(joint for joint in description.joints if re.fullmatch(LEG_JOINTS, joint))
    if not legs:
        raise ManifestError(f"{robot} has no joint that matches {LEG_JOINTS!r}, so there is nothing for a policy to do")
    terms = (
        Term("velocity_command", 3, (2.0, 2.0, 0.5), (-_CLIP / 2.0, _CLIP / 2.0)),
        Term("height_command", 1, 1.0, (-_CLIP, _CLIP)),
        Term("base_ang_vel", 3, 0.5, (-_CLIP / 0.5, _CLIP / 0.5)),
        Term("projected_gravity", 3, 1.0, (-_CLIP, _CLIP)),
        Term("joint_pos", len(description.joints), 1.0, (-_CLIP, _CLIP), description.joints),
        Term("joint_vel", len(description.joints), 0.05, (-_CLIP / 0.05, _CLIP / 0.05), description.joints),
        Term("actions", len(legs), 1.0, (-_CLIP, _CLIP)),
    )
    observation = Observation(history_length=6, terms=terms)
    return Manifest(
        task="none",
        robot=robot,
        input=Tensor("obs", observation.width),
        output=Tensor("actions", len(legs)),
        timing=Timing(physics_dt=0.005, decimation=4, policy_dt=0.02),
        observation=observation,
        action=Action(legs, 0.25, tuple(description.default_pos_of(joint) for joint in legs), 100.0),
        joints=tuple(describe_joint(description, model.joints[joint], joint in legs) for joint in description.joints),
        command=Command((-0.8, 1.2), (-0.5, 0.5), (-0.8, 0.8), (0.24, 0.74), (0.0, 0.0, 0.0, 0.74)),
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
        effort_limit=urdf.effort if spec.effort_limit is None else spec.effort_limit,
        velocity_limit=urdf.velocity if spec.velocity_limit is None else spec.velocity_limit,
        armature=spec.armature,
        lower=urdf.lower,
        upper=urdf.upper,
        driven_by="policy" if driven else "command",
    )
