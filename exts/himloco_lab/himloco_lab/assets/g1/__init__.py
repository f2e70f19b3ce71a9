# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Unitree G1, with 27 joints as HOMIE uses it, or all 29."""

from ..articulation import make_articulation_cfg
from .g1_description import (
    G1_29DOF_DESCRIPTION,
    G1_29DOF_JOINTS,
    G1_DESCRIPTION,
    G1_FOOT_BODIES,
    G1_FOOT_POINTS,
    G1_JOINTS,
    G1_LEG_JOINTS,
    G1_UPPER_JOINTS,
)

G1_CFG = make_articulation_cfg(f"{__name__}.g1_description:G1_DESCRIPTION")
"""27 joints: waist roll and pitch are locked at 0."""

G1_29DOF_CFG = make_articulation_cfg(f"{__name__}.g1_description:G1_29DOF_DESCRIPTION")
"""All 29 joints; waist roll and pitch are held at 0 by their drives unless commanded."""

__all__ = [
    "G1_29DOF_CFG",
    "G1_29DOF_DESCRIPTION",
    "G1_29DOF_JOINTS",
    "G1_CFG",
    "G1_DESCRIPTION",
    "G1_FOOT_BODIES",
    "G1_FOOT_POINTS",
    "G1_JOINTS",
    "G1_LEG_JOINTS",
    "G1_UPPER_JOINTS",
]
