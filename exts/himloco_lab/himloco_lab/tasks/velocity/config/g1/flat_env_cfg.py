# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The G1 on flat ground."""

# Isaac Lab makes terms from classes too, and its annotations of func do not say so.
# pyright: reportArgumentType=false

from isaaclab.managers import CurriculumTermCfg
from isaaclab.utils import configclass

from ... import mdp
from .rough_env_cfg import G1CurriculumCfg, G1RoughEnvCfg


@configclass
class G1FlatCurriculumCfg(G1CurriculumCfg):
    """What gets harder on flat ground, where a few hundred robots are to learn."""

    disturbances: CurriculumTermCfg | None = CurriculumTermCfg(
        func=mdp.disturbances_by_survival,
        params={
            "command_name": "base_velocity",
            "up_share": 0.75,
            "down_share": 0.6,
            "step": 0.05,
            # Told to move at a quarter of the speeds, robots stand: that earns three quarters of the tracking rewards.
            "slowest_share": 0.6,
            # With these they step within a million samples, and walk where they are told to (docs/training.md).
            "first_weights": {"tracking_x_vel": 3.0, "tracking_y_vel": 1.5, "no_fly": 2.5, "smoothness": -0.02},
        },
    )


@configclass
class G1FlatEnvCfg(G1RoughEnvCfg):
    """Himloco-G1-Flat-v0."""

    curriculum: G1FlatCurriculumCfg = G1FlatCurriculumCfg()

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()
