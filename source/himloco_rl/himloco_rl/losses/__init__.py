# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Losses as pure functions."""

from .estimator_losses import sinkhorn, swap_loss, velocity_loss
from .policy_losses import mirror_loss, surrogate_loss, value_loss

__all__ = [
    "mirror_loss",
    "sinkhorn",
    "surrogate_loss",
    "swap_loss",
    "value_loss",
    "velocity_loss",
]
