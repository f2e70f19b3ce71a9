# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What differs for the Aliengo: the robot, and the names of its runs."""

from isaaclab.utils import configclass

from ..quadruped.agents_cfg import QuadrupedFlatHIMRunnerCfg, QuadrupedRoughHIMRunnerCfg
from ..quadruped.env_cfg import QuadrupedRoughEnvCfg


@configclass
class AliengoRoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-Aliengo-Rough-v0."""

    description: str = "himloco_lab.robots.aliengo:ALIENGO_DESCRIPTION"

    def __post_init__(self) -> None:
        """Let it run faster than the smaller robots."""
        super().__post_init__()
        self.commands.base_velocity.max_speed = 3.0


@configclass
class AliengoFlatEnvCfg(AliengoRoughEnvCfg):
    """Himloco-Aliengo-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()


@configclass
class AliengoRoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """The learner of Himloco-Aliengo-Rough-v0."""

    experiment_name = "himloco_aliengo_rough"


@configclass
class AliengoFlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """The learner of Himloco-Aliengo-Flat-v0."""

    experiment_name = "himloco_aliengo_flat"
