# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Isaac Lab extension with the locomotion tasks of himloco_lab."""

__version__ = "0.1.0"
