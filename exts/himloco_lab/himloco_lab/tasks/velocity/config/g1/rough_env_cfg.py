# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# Isaac Lab makes terms from classes too, and its annotations of func do not say so.
# pyright: reportArgumentType=false

"""The G1 on rough terrain: HOMIE's task (facts 4)."""

import math

from isaaclab.managers import CurriculumTermCfg, EventTermCfg, SceneEntityCfg, TerminationTermCfg
from isaaclab.sensors import ContactSensorCfg
from isaaclab.utils import configclass, replace

from himloco_lab.robots.g1 import G1_CFG, G1_FOOT_BODIES, G1_LEG_JOINTS, G1_UPPER_JOINTS

from ... import mdp
from ...velocity_env_cfg import (
    LocomotionCurriculumCfg,
    LocomotionEventsCfg,
    LocomotionTerminationsCfg,
    LocomotionVelocityEnvCfg,
)
from .observations_cfg import G1ObservationsCfg
from .rewards_cfg import G1RewardsCfg

BASE = "pelvis"
TRUNK = "torso_link"
HANDS = ".*_wrist_yaw_link"


@configclass
class G1CommandsCfg:
    """Where to go, how high, and what the arms do meanwhile (facts 4.4 and 2)."""

    base_velocity = mdp.GaitCommandCfg(
        asset_name="robot",
        resampling_time_range=(4.0, 4.0),
        foot_body_names=list(G1_FOOT_BODIES),
        ranges=mdp.GaitCommandCfg.Ranges(
            lin_vel_x=(-0.8, 1.2), lin_vel_y=(-0.5, 0.5), ang_vel_z=(-0.8, 0.8), height=(0.24, 0.74)
        ),
    )
    upper_body = mdp.UpperBodyCommandCfg(
        asset_name="robot",
        resampling_time_range=(1.0, 1.0),
        joint_names=list(G1_UPPER_JOINTS),
        # The waist of HOMIE's own model turns by no more (facts 5); this one's could turn by 2.6 rad.
        position_limits={"waist_yaw_joint": (-0.6, 0.6)},
    )


@configclass
class G1ActionsCfg:
    """The policy moves the legs; the upper body follows its own command."""

    joint_pos = mdp.DelayedJointPositionActionCfg(
        asset_name="robot",
        joint_names=list(G1_LEG_JOINTS),
        preserve_order=True,
        scale=0.25,
        use_default_offset=True,
        delay_range=(0, 3),
        torque_offset=0.05,
        torque_noise=0.05,
    )
    upper_body = mdp.CommandedJointPositionActionCfg(asset_name="robot", command_name="upper_body")


@configclass
class G1EventsCfg(LocomotionEventsCfg):
    """Domain randomisation of the G1 (facts 4.6)."""

    masses = EventTermCfg(
        func=mdp.randomize_masses,
        mode="startup",
        params={
            "asset_cfg": SceneEntityCfg("robot", body_names=f"(?!{BASE}$).*"),
            "scale_range": (0.8, 1.2),
            "payload_ranges": {TRUNK: (-5.0, 10.0), HANDS: (-0.1, 0.3)},
        },
    )
    trunk_com = EventTermCfg(
        func=mdp.randomize_rigid_body_com,
        mode="startup",
        params={
            "asset_cfg": SceneEntityCfg("robot", body_names=TRUNK),
            "com_range": dict.fromkeys(("x", "y", "z"), (-0.1, 0.1)),
        },
    )


@configclass
class G1TerminationsCfg(LocomotionTerminationsCfg):
    """A fall is a tilt of more than 53 degrees or a trunk that touches something (facts 4.5)."""

    # |g_xy| > 0.8 in the reference: asin(0.8) = 0.9273 rad
    bad_orientation: TerminationTermCfg | None = TerminationTermCfg(
        func=mdp.bad_orientation, params={"limit_angle": math.asin(0.8)}
    )


@configclass
class G1CurriculumCfg(LocomotionCurriculumCfg):
    """Rougher ground and longer reaches for robots that track the forward velocity."""

    terrain_levels: CurriculumTermCfg | None = CurriculumTermCfg(
        func=mdp.terrain_levels_by_tracking,
        params={"reward_term": "tracking_x_vel", "command_name": "base_velocity"},
    )
    upper_body_ratio = CurriculumTermCfg(
        func=mdp.upper_body_ratio, params={"command_name": "upper_body", "reward_term": "tracking_x_vel"}
    )


@configclass
class G1RoughEnvCfg(LocomotionVelocityEnvCfg):
    """Himloco-G1-Rough-v0."""

    observations: G1ObservationsCfg = G1ObservationsCfg()
    actions: G1ActionsCfg = G1ActionsCfg()
    commands: G1CommandsCfg = G1CommandsCfg()
    rewards: G1RewardsCfg = G1RewardsCfg()
    events: G1EventsCfg = G1EventsCfg()
    terminations: G1TerminationsCfg = G1TerminationsCfg()
    curriculum: G1CurriculumCfg = G1CurriculumCfg()

    def __post_init__(self) -> None:
        """Put the G1 into the scene."""
        super().__post_init__()
        self.scene.robot = replace(G1_CFG, prim_path="{ENV_REGEX_NS}/Robot")
        # Only what a term asks for: each further body costs time in every physics step.
        reporting = "|".join((*G1_FOOT_BODIES, TRUNK))
        self.scene.contact_forces = ContactSensorCfg(
            prim_path=f"{{ENV_REGEX_NS}}/Robot/({reporting})", history_length=0, track_air_time=True
        )
        # The reference's factors reach the legs only: its upper body is driven by the engine (facts 4.6).
        self.events.actuator_gains.params["asset_cfg"] = SceneEntityCfg("robot", joint_names=list(G1_LEG_JOINTS))
        self.terminations.base_contact.params = {
            "sensor_cfg": SceneEntityCfg("contact_forces", body_names=TRUNK),
            "threshold": 10.0,
        }
