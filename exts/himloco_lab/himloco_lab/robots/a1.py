# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Unitree A1: URDF of example-robot-data, gains and pose of HIMLoco."""

from __future__ import annotations

from .description import UrdfSource
from .quadruped import LegSizes, quadruped_description

A1_DESCRIPTION = quadruped_description(
    "a1",
    UrdfSource("cmeel.prefix/share/example-robot-data/robots/a1_description/urdf/a1.urdf", "example-robot-data"),
    LegSizes(thigh=0.2, calf=0.2, foot_radius=0.02, hip_offset=0.0838),
    trunk_size=(0.267, 0.194, 0.114),
)
"""12 joints; efforts of 33.5 N m as in the URDF (HIMLoco's own has 20, 55 and 55)."""
