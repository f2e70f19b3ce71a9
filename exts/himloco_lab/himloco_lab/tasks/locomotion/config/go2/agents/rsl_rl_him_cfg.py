# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIM for the Go2."""

from isaaclab.utils import configclass

from ....quadruped.agents_cfg import QuadrupedFlatHIMRunnerCfg, QuadrupedRoughHIMRunnerCfg


@configclass
class Go2RoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """Himloco-Go2-Rough-v0."""

    experiment_name = "himloco_go2_rough"


@configclass
class Go2FlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """Himloco-Go2-Flat-v0."""

    def __post_init__(self) -> None:
        """Name the runs."""
        super().__post_init__()
        self.experiment_name = "himloco_go2_flat"
