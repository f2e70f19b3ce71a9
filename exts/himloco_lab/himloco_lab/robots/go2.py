# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Unitree Go2: URDF of example-robot-data; HIMLoco has none, so gains and pose are those of its smaller robots."""

from __future__ import annotations

from .description import UrdfSource
from .quadruped import LegSizes, quadruped_description

GO2_DESCRIPTION = quadruped_description(
    "go2",
    UrdfSource("cmeel.prefix/share/example-robot-data/robots/go2_description/urdf/go2.urdf", "example-robot-data"),
    # the foot is a mesh there: 2.3 cm below its origin, 2 cm to its sides
    LegSizes(thigh=0.213, calf=0.213, foot_radius=0.022, hip_offset=0.0955),
    trunk_size=(0.3762, 0.0935, 0.114),
    trunk="base",
)
"""12 joints; efforts of 23.7 and 45.43 N m as in the URDF."""
