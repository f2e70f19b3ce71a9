# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Networks: the HIM actor with its encoder of the terrain, and its estimator."""

from .him_actor import HIMActor, TerrainEncoder
from .him_estimator import ESTIMATOR_PRESETS, VELOCITY_DIM, HIMEstimator

__all__ = ["ESTIMATOR_PRESETS", "VELOCITY_DIM", "HIMActor", "HIMEstimator", "TerrainEncoder"]
