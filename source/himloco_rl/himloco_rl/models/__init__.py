# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Networks: the HIM actor, its estimator, and the encoder of the terrain."""

from .him_actor import HIMActor
from .him_estimator import ESTIMATOR_PRESETS, VELOCITY_DIM, HIMEstimator
from .terrain_encoder import TerrainEncoder

__all__ = [
    "ESTIMATOR_PRESETS",
    "VELOCITY_DIM",
    "HIMActor",
    "HIMEstimator",
    "TerrainEncoder",
]
