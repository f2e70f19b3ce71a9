# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The reward terms of HOMIE and HIMLoco that Isaac Lab does not have; `docs/rewards.md` compares each with them."""

from .base import *
from .effort import *
from .feet import *
