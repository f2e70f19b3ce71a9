# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What differs for the Go2: the robot, and the names of its runs."""

from isaaclab.utils import configclass

from ..quadruped.agents_cfg import QuadrupedFlatHIMRunnerCfg, QuadrupedRoughHIMRunnerCfg
from ..quadruped.env_cfg import QuadrupedRoughEnvCfg


@configclass
class Go2RoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-Go2-Rough-v0."""

    description: str = "himloco_lab.robots.go2:GO2_DESCRIPTION"


@configclass
class Go2FlatEnvCfg(Go2RoughEnvCfg):
    """Himloco-Go2-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()


@configclass
class Go2RoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """The learner of Himloco-Go2-Rough-v0."""

    experiment_name = "himloco_go2_rough"


@configclass
class Go2FlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """The learner of Himloco-Go2-Flat-v0."""

    experiment_name = "himloco_go2_flat"
