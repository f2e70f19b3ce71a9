# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Robots: descriptions in, simulator files and articulation configurations out.

This package loads without Isaac Lab and without a USD runtime; :mod:`~himloco_lab.robots.articulation` and
:mod:`~himloco_lab.robots.spawner` are the two modules that need Isaac Lab.
"""

from .description import ActuatorSpec, Contact, Primitive, RobotDescription, UrdfSource
from .policy_layout import PolicyLayout
from .rigid_body import RigidBodyModel
from .urdf import load_model

__all__ = [
    "ActuatorSpec",
    "Contact",
    "PolicyLayout",
    "Primitive",
    "RigidBodyModel",
    "RobotDescription",
    "UrdfSource",
    "load_model",
]
