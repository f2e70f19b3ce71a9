# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What differs for the A1: the robot, and the names of its runs."""

from isaaclab.utils import configclass

from ..quadruped.agents_cfg import QuadrupedFlatHIMRunnerCfg, QuadrupedRoughHIMRunnerCfg
from ..quadruped.env_cfg import QuadrupedRoughEnvCfg


@configclass
class A1RoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-A1-Rough-v0."""

    description: str = "himloco_lab.robots.a1:A1_DESCRIPTION"


@configclass
class A1FlatEnvCfg(A1RoughEnvCfg):
    """Himloco-A1-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()


@configclass
class A1RoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """The learner of Himloco-A1-Rough-v0."""

    experiment_name = "himloco_a1_rough"


@configclass
class A1FlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """The learner of Himloco-A1-Flat-v0."""

    experiment_name = "himloco_a1_flat"
