# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What differs for the Go1: the robot, and the names of its runs."""

from isaaclab.utils import configclass

from ..quadruped.agents_cfg import QuadrupedFlatHIMRunnerCfg, QuadrupedRoughHIMRunnerCfg
from ..quadruped.env_cfg import QuadrupedRoughEnvCfg


@configclass
class Go1RoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-Go1-Rough-v0."""

    description: str = "himloco_lab.robots.go1:GO1_DESCRIPTION"


@configclass
class Go1FlatEnvCfg(Go1RoughEnvCfg):
    """Himloco-Go1-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()


@configclass
class Go1RoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """The learner of Himloco-Go1-Rough-v0."""

    experiment_name = "himloco_go1_rough"


@configclass
class Go1FlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """The learner of Himloco-Go1-Flat-v0."""

    experiment_name = "himloco_go1_flat"
