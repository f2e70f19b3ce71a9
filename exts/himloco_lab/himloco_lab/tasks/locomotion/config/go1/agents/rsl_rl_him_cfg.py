# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIM for the Go1."""

from isaaclab.utils import configclass

from ....quadruped.agents_cfg import QuadrupedFlatHIMRunnerCfg, QuadrupedRoughHIMRunnerCfg


@configclass
class Go1RoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """Himloco-Go1-Rough-v0."""

    experiment_name = "himloco_go1_rough"


@configclass
class Go1FlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """Himloco-Go1-Flat-v0."""

    def __post_init__(self) -> None:
        """Name the runs."""
        super().__post_init__()
        self.experiment_name = "himloco_go1_flat"
