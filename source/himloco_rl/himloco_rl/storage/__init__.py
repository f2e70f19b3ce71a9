# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Rollout storage."""

from .him_rollout_storage import HIMBatch, HIMRolloutStorage

__all__ = ["HIMBatch", "HIMRolloutStorage"]
