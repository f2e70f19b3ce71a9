# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# Isaac Lab makes terms from classes too, and its annotations of func do not say so.
# pyright: reportArgumentType=false

"""The G1 on flat ground, hit now and then: for a policy that walks already."""

from isaaclab.managers import EventTermCfg, SceneEntityCfg
from isaaclab.utils import configclass

from ... import mdp
from .flat_env_cfg import G1FlatEnvCfg
from .rough_env_cfg import BASE, G1EventsCfg


@configclass
class G1SturdyEventsCfg(G1EventsCfg):
    """The G1's domain randomization, and the tour's blows (docs/evaluation.md), a quarter harder."""

    punch: EventTermCfg | None = EventTermCfg(
        func=mdp.punch_links,
        mode="interval",
        # after every policy step: the term has a clock for each robot
        interval_range_s=(0.0, 0.0),
        is_global_time=True,
        params={
            "asset_cfg": SceneEntityCfg("robot", body_names=f"(?!{BASE}$).*"),
            "limit": 750.0,
            "duration_s": 0.08,
            "interval_s": (2.0, 6.0),
        },
    )


@configclass
class G1SturdyEnvCfg(G1FlatEnvCfg):
    """Himloco-G1-Sturdy-v0: the tracking rewards are larger and sharper than HOMIE's, which forgive 0.15 m/s."""

    events: G1SturdyEventsCfg = G1SturdyEventsCfg()

    def __post_init__(self) -> None:
        """Sharpen the tracking, and begin with all disturbances."""
        super().__post_init__()
        self.curriculum.disturbances = None
        # A narrow kernel earns less of its weight, which the arms' curriculum goes by.
        self.curriculum.upper_body_ratio.params["threshold"] = 0.4
        rewards = self.rewards
        for term, weight, std in (
            (rewards.tracking_x_vel, 4.0, 0.25),
            (rewards.tracking_y_vel, 3.0, 0.25),
            (rewards.tracking_ang_vel, 5.0, 0.5),
        ):
            term.weight = weight
            term.params["std"] = std
        rewards.tracking_base_height.weight = 6.0

    def play_mode(self) -> None:
        """Apply playback defaults, without blows."""
        super().play_mode()
        self.events.punch = None
