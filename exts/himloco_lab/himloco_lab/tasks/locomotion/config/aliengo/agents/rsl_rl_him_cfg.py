# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIM for the Aliengo."""

from isaaclab.utils import configclass

from ....quadruped.agents_cfg import QuadrupedFlatHIMRunnerCfg, QuadrupedRoughHIMRunnerCfg


@configclass
class AliengoRoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """Himloco-Aliengo-Rough-v0."""

    experiment_name = "himloco_aliengo_rough"


@configclass
class AliengoFlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """Himloco-Aliengo-Flat-v0."""

    def __post_init__(self) -> None:
        """Name the runs."""
        super().__post_init__()
        self.experiment_name = "himloco_aliengo_flat"
