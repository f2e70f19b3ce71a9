# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Algorithms."""

from .him_ppo import HIMPPO
from .ranks import LostRankError

__all__ = ["HIMPPO", "LostRankError"]
