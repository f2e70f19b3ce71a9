# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The Aliengo on rough terrain."""

from isaaclab.utils import configclass

from ...quadruped.env_cfg import QuadrupedRoughEnvCfg


@configclass
class AliengoRoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-Aliengo-Rough-v0."""

    description: str = "himloco_lab.assets.aliengo:ALIENGO_DESCRIPTION"

    def __post_init__(self) -> None:
        """Let it run faster than the smaller robots."""
        super().__post_init__()
        self.commands.base_velocity.max_speed = 3.0
