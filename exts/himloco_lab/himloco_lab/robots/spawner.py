# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""An Isaac Lab spawner that builds the robot's USD when the scene is built, not when a config is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any

import isaaclab.sim as sim_utils
from isaaclab.utils import configclass

from .description import find_description

if TYPE_CHECKING:
    from pxr import Usd


def spawn_robot(
    prim_path: str,
    cfg: RobotUsdFileCfg,
    translation: tuple[float, float, float] | None = None,
    orientation: tuple[float, float, float, float] | None = None,
    **kwargs: Any,
) -> Usd.Prim:
    """Build the robot's USD (or find it in the cache) and spawn it as any other USD file.

    Args:
        prim_path: Where the robot goes.
        cfg: The spawner configuration; its ``usd_path`` is filled in.
        translation: Position [m] relative to the parent prim.
        orientation: Quaternion (x, y, z, w) relative to the parent prim.
        **kwargs: Passed on.
    """
    from .cache import cached_usd

    cfg.usd_path = str(cached_usd(find_description(cfg.robot)))
    return sim_utils.spawn_from_usd(prim_path, cfg, translation, orientation, **kwargs)


@configclass
class RobotUsdFileCfg(sim_utils.UsdFileCfg):
    """Spawns the robot of a :class:`~himloco_lab.robots.description.RobotDescription`."""

    func: Callable | str = "himloco_lab.robots.spawner:spawn_robot"

    usd_path: str = ""
    """Filled in by :func:`spawn_robot`; nothing in Isaac Lab reads it before the asset is spawned."""

    robot: str = MISSING  # pyright: ignore[reportAssignmentType]
    """The robot to build, as ``"package.module:NAME"`` of its description: configurations are copied, overridden and
    written to YAML, which a name survives unchanged."""
