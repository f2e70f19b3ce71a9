# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Unitree Go1: URDF of example-robot-data, gains and pose of HIMLoco."""

from __future__ import annotations

from .description import UrdfSource
from .quadruped import LegSizes, quadruped_description

GO1_DESCRIPTION = quadruped_description(
    "go1",
    UrdfSource("cmeel.prefix/share/example-robot-data/robots/go1_description/urdf/go1.urdf", "example-robot-data"),
    LegSizes(thigh=0.213, calf=0.213, foot_radius=0.02, hip_offset=0.08),
    trunk_size=(0.3762, 0.0935, 0.114),
)
"""12 joints; efforts of 23.7 and 35.55 N m as in the URDF (HIMLoco's own has 33.5)."""
