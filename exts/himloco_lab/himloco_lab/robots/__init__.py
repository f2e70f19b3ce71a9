# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Robots: descriptions in, simulator files and articulation configurations out.

This package loads without Isaac Lab and without a USD runtime; only :mod:`~himloco_lab.robots.articulation` needs Isaac
Lab.
"""

from .description import ActuatorSpec, Contact, Primitive, RobotDescription, UrdfSource
from .policy_layout import PolicyLayout
from .rigid_body import RigidBodyModel
from .urdf import load_model

DEFAULT_ROBOT = "himloco_lab.robots.g1:G1_DESCRIPTION"
"""The description that commands take where no robot is named."""

__all__ = [
    "DEFAULT_ROBOT",
    "ActuatorSpec",
    "Contact",
    "PolicyLayout",
    "Primitive",
    "RigidBodyModel",
    "RobotDescription",
    "UrdfSource",
    "load_model",
]
