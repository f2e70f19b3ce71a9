# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Unitree G1, with 27 joints as HOMIE uses it, or all 29.

The descriptions load without Isaac Lab; ``G1_CFG`` and ``G1_29DOF_CFG`` are made when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from isaaclab.assets import ArticulationCfg

    G1_CFG: ArticulationCfg
    """27 joints: waist roll and pitch are locked at 0."""

    G1_29DOF_CFG: ArticulationCfg
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


def __getattr__(name: str) -> ArticulationCfg:
    """Make an articulation configuration on first access (PEP 562)."""
    described = {"G1_CFG": "G1_DESCRIPTION", "G1_29DOF_CFG": "G1_29DOF_DESCRIPTION"}
    if name not in described:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from ..articulation import make_articulation_cfg

    globals()[name] = make_articulation_cfg(f"{__name__}.g1_description:{described[name]}")
    return globals()[name]
