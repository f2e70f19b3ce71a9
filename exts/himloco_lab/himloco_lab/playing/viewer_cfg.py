# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Configuration of the browser viewer with a steering wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isaaclab.utils import configclass
from isaaclab_visualizers.viser import ViserVisualizerCfg

if TYPE_CHECKING:
    from .viewer import PlayViewer


@configclass
class PlayViewerCfg(ViserVisualizerCfg):
    """Isaac Lab's viser viewer with sliders for the command, on this machine only unless configured otherwise."""

    class_type: type[PlayViewer] | str = "{DIR}.viewer:PlayViewer"
    bind_address: str = "127.0.0.1"
    max_visible_envs: int | None = 16
    enable_live_plots: bool = False
    """Isaac Lab's charts of every term of every manager: they are drawn anew all the time, also where they are folded
    away, and the rewards that they would show are not computed here."""
