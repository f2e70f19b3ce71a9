# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Algorithms."""

from .him_ppo import HIMPPO

__all__ = ["HIMPPO"]
