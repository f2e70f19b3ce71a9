# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The Hybrid Internal Model on rsl_rl: torch only, no simulator."""

__version__ = "0.1.0"
