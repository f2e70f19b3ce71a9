# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How high a robot stands: forward kinematics down to its lowest contact shape."""

from __future__ import annotations

import numpy as np

from .description import Primitive, RobotDescription
from .rigid_body import RigidBodyModel, pose


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
