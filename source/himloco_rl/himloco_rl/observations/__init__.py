# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Names of observations and the mirror map made from them."""

from .observation_layout import NotFiniteError, ObservationGroup, ObservationLayout, ObservationTerm
from .symmetry import FRONT_BACK, LEFT_RIGHT, PLANES, MirrorPlane, MirrorSettings, SymmetryMap, mirror_batch

__all__ = [
    "FRONT_BACK",
    "LEFT_RIGHT",
    "PLANES",
    "MirrorPlane",
    "MirrorSettings",
    "NotFiniteError",
    "ObservationGroup",
    "ObservationLayout",
    "ObservationTerm",
    "SymmetryMap",
    "mirror_batch",
]
