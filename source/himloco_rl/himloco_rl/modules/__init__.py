# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Building blocks of the Hybrid Internal Model."""

from .him_estimator import ESTIMATOR_PRESETS, VELOCITY_DIM, HIMEstimator
from .him_losses import sinkhorn, swap_loss, velocity_loss
from .terrain_encoder import TerrainEncoder

__all__ = [
    "ESTIMATOR_PRESETS",
    "VELOCITY_DIM",
    "HIMEstimator",
    "TerrainEncoder",
    "sinkhorn",
    "swap_loss",
    "velocity_loss",
]
