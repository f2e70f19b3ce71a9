# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What keeps a training from going on with NaN, from diverging, and from being lost by a signal."""

from .finite_steps import BrokenSimulationError
from .learning_guards import DivergedError
from .step_dump import Replayed, replay, require_dump

__all__ = [
    "BrokenSimulationError",
    "DivergedError",
    "Replayed",
    "replay",
    "require_dump",
]
