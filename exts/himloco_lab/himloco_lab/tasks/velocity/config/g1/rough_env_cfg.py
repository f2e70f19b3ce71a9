# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# Isaac Lab makes terms from classes too, and its annotations of func do not say so.
# pyright: reportArgumentType=false, reportAssignmentType=false

"""The G1 on rough terrain: HOMIE's task (HomieRL, legged_gym/envs/g1/g1_config.py), blind or with a scan."""

from dataclasses import MISSING

from isaaclab.managers import (
    CurriculumTermCfg,
    EventTermCfg,
    ObservationGroupCfg,
    SceneEntityCfg,
    TerminationTermCfg,
)
from isaaclab.utils import configclass

from himloco_lab.robots.description import find_description
from himloco_lab.robots.g1 import G1_FOOT_BODIES, G1_LEG_JOINTS, G1_UPPER_JOINTS
from himloco_lab.robots.policy_layout import FALL_TILT

from ... import mdp
from ...observations_cfg import VelocityObservationsCfg, ground_scan, make_group, make_observations
from ...velocity_env_cfg import (
    LocomotionCurriculumCfg,
    LocomotionEventsCfg,
    LocomotionTerminationsCfg,
    LocomotionVelocityEnvCfg,
)
from .rewards_cfg import G1RewardsCfg

BASE = "pelvis"
TRUNK = "torso_link"
HANDS = ".*_wrist_yaw_link"

NOISE = {"base_ang_vel": 0.25, "projected_gravity": 0.05, "joint_pos": 0.02, "joint_vel": 0.1}
"""Half-widths on the scaled values that the policy sees."""


@configclass
class G1CommandsCfg:
    """Where to go, how high, and what the arms do meanwhile."""

    base_velocity = mdp.GaitCommandCfg(
        asset_name="robot",
        resampling_time_range=(4.0, 4.0),
        foot_body_names=list(G1_FOOT_BODIES),
        ranges=mdp.GaitCommandCfg.Ranges(),
    )
    upper_body = mdp.UpperBodyCommandCfg(
        asset_name="robot",
        resampling_time_range=(1.0, 1.0),
        joint_names=list(G1_UPPER_JOINTS),
        # The waist of HOMIE's own model turns by no more; this one's could turn by 2.6 rad.
        position_limits={"waist_yaw_joint": (-0.6, 0.6)},
    )


@configclass
class G1ActionsCfg:
    """The policy moves the legs; the upper body follows its own command."""

    joint_pos = mdp.DelayedJointPositionActionCfg(
        asset_name="robot",
        joint_names=list(G1_LEG_JOINTS),
        preserve_order=True,
        use_default_offset=True,
        delay_range=(0, 3),
        torque_offset=0.05,
        torque_noise=0.05,
    )
    upper_body = mdp.CommandedJointPositionActionCfg(asset_name="robot", command_name="upper_body")


@configclass
class G1EventsCfg(LocomotionEventsCfg):
    """Domain randomization of the G1."""

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
    """A fall is a tilt of more than 53 degrees or a trunk that touches something."""

    bad_orientation: TerminationTermCfg | None = TerminationTermCfg(
        func=mdp.bad_orientation, params={"limit_angle": FALL_TILT}
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

    description: str = "himloco_lab.robots.g1:G1_DESCRIPTION"
    actions: G1ActionsCfg = G1ActionsCfg()
    commands: G1CommandsCfg = G1CommandsCfg()
    rewards: G1RewardsCfg = G1RewardsCfg()
    events: G1EventsCfg = G1EventsCfg()
    terminations: G1TerminationsCfg = G1TerminationsCfg()
    curriculum: G1CurriculumCfg = G1CurriculumCfg()

    def __post_init__(self) -> None:
        """State what the robot's description does not say."""
        super().__post_init__()
        self.observations = make_observations(find_description(self.description), NOISE)
        # The reference's factors reach the legs only: its upper body is driven by the engine.
        self.events.actuator_gains.params["asset_cfg"] = SceneEntityCfg("robot", joint_names=list(G1_LEG_JOINTS))
        self.terminations.base_contact.params["threshold"] = 10.0


@configclass
class G1PerceptiveObservationsCfg(VelocityObservationsCfg):
    """The same, and a scan for a policy that sees the ground."""

    height_scan: ObservationGroupCfg = MISSING
    """What a depth camera or a map of the ground would tell the policy; noisy, one frame."""


@configclass
class G1RoughPerceptiveEnvCfg(G1RoughEnvCfg):
    """Himloco-G1-Rough-Perceptive-v0."""

    def __post_init__(self) -> None:
        """Add the scan."""
        super().__post_init__()
        # HIMLoco's noise of half a unit on the scaled heights: 0.5 / 5
        scan = make_group({"height_scan": ground_scan(noise=0.1)}, noisy=True)
        self.observations = G1PerceptiveObservationsCfg(**vars(self.observations), height_scan=scan)
