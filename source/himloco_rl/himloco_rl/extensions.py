# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The name under which older run folders ask for ``himloco_rl.extensions:mirror_batch``."""

from .observations import mirror_batch

__all__ = ["mirror_batch"]
