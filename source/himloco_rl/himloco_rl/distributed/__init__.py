# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Training in several processes."""

from .ranks import LostRankError

__all__ = ["LostRankError"]
