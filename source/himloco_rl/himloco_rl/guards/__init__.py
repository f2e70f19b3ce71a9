# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What keeps a training from learning from NaN, from diverging unseen, and from being lost by a signal."""

from .finite_steps import BrokenSimulationError
from .learning_guards import DivergedError

__all__ = ["BrokenSimulationError", "DivergedError"]
