# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIM for the A1."""

from isaaclab.utils import configclass

from ....quadruped.agents_cfg import QuadrupedFlatHIMRunnerCfg, QuadrupedRoughHIMRunnerCfg


@configclass
class A1RoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """Himloco-A1-Rough-v0."""

    experiment_name = "himloco_a1_rough"


@configclass
class A1FlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """Himloco-A1-Flat-v0."""

    def __post_init__(self) -> None:
        """Name the runs."""
        super().__post_init__()
        self.experiment_name = "himloco_a1_flat"
