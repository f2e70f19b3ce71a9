# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Command terms."""

from .commands_cfg import GaitCommandCfg, HeadingCommandCfg, UpperBodyCommandCfg

__all__ = ["GaitCommandCfg", "HeadingCommandCfg", "UpperBodyCommandCfg"]
