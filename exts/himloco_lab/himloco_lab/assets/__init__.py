# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Robots: descriptions in, simulator files and articulation configurations out."""

from .articulation import make_articulation_cfg
from .description import ActuatorSpec, Contact, Primitive, RobotDescription, UrdfSource
from .urdf import RigidBodyModel, load_model

__all__ = [
    "ActuatorSpec",
    "Contact",
    "Primitive",
    "RigidBodyModel",
    "RobotDescription",
    "UrdfSource",
    "load_model",
    "make_articulation_cfg",
]
