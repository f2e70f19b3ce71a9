# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Unitree Aliengo, HIMLoco's example: a URDF of our own, gains and pose of HIMLoco."""

from __future__ import annotations

from pathlib import Path

from .description import UrdfSource
from .policy_layout import PolicyLayout
from .quadruped import LegSizes, quadruped_description

ALIENGO_DESCRIPTION = quadruped_description(
    "aliengo",
    UrdfSource(str(Path(__file__).with_name("aliengo.urdf"))),
    LegSizes(thigh=0.25, calf=0.25, foot_radius=0.0265, hip_offset=0.083),
    trunk_size=(0.647, 0.15, 0.112),
    damping=2.0,
    hip=0.0,
    rear_thigh=0.8,
    policy_layout=PolicyLayout(action_scale=0.5),
)
"""12 joints; efforts of 44 and 55 N m."""
