# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a checkpoint keeps of Isaac Lab's environments, and the step again that broke a simulation."""

from .isaac_lab_state import IsaacLabState
from .step_dump import Replayed, replay, require_dump

__all__ = ["IsaacLabState", "Replayed", "replay", "require_dump"]
