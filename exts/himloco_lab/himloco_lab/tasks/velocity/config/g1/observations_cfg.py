# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# Isaac Lab makes terms from classes too, and its annotations of func do not say so.
# pyright: reportArgumentType=false

"""The G1's observations: HOMIE's 76 values, in its order and scales (facts 4.2)."""

from isaaclab.managers import ObservationGroupCfg as ObsGroup
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils import configclass

from himloco_lab.robots.g1 import G1_JOINTS

from ... import mdp
from ...observation_terms import ground_scan, scaled_term

HISTORY_LENGTH = 6
"""Frames that the policy sees, oldest first (HIM: five past ones and the present)."""


def _joints() -> SceneEntityCfg:
    return SceneEntityCfg("robot", joint_names=list(G1_JOINTS), preserve_order=True)


@configclass
class G1ObservationsCfg:
    """Observation groups of the G1 tasks."""

    @configclass
    class PolicyCfg(ObsGroup):
        """What the robot itself knows: command, IMU, joints, last action; noisy; six frames."""

        velocity_command = scaled_term(mdp.velocity_command, (2.0, 2.0, 0.5), command_name="base_velocity")
        height_command = scaled_term(mdp.height_command, 1.0, command_name="base_velocity")
        base_ang_vel = scaled_term(mdp.base_ang_vel, 0.5, noise=0.25)
        projected_gravity = scaled_term(mdp.projected_gravity, 1.0, noise=0.05)
        joint_pos = scaled_term(mdp.joint_pos_rel, 1.0, noise=0.02, asset_cfg=_joints())
        joint_vel = scaled_term(mdp.joint_vel_rel, 0.05, noise=0.1, asset_cfg=_joints())
        actions = scaled_term(mdp.last_action, 1.0)

        def __post_init__(self) -> None:
            """Six frames, one after the other, oldest first."""
            self.enable_corruption = True
            self.concatenate_terms = True
            self.history_length = HISTORY_LENGTH
            self.history_order = "time"
            self.flatten_history_dim = True

    @configclass
    class CriticCfg(ObsGroup):
        """The same frame without noise, the base velocity, and the ground around the robot."""

        velocity_command = scaled_term(mdp.velocity_command, (2.0, 2.0, 0.5), command_name="base_velocity")
        height_command = scaled_term(mdp.height_command, 1.0, command_name="base_velocity")
        base_ang_vel = scaled_term(mdp.base_ang_vel, 0.5)
        projected_gravity = scaled_term(mdp.projected_gravity, 1.0)
        joint_pos = scaled_term(mdp.joint_pos_rel, 1.0, asset_cfg=_joints())
        joint_vel = scaled_term(mdp.joint_vel_rel, 0.05, asset_cfg=_joints())
        actions = scaled_term(mdp.last_action, 1.0)
        base_lin_vel = scaled_term(mdp.base_lin_vel, 2.0)
        height_scan: ObsTerm | None = ground_scan()

        def __post_init__(self) -> None:
            """One clean frame."""
            self.enable_corruption = False
            self.concatenate_terms = True

    @configclass
    class EstimatorCfg(ObsGroup):
        """What HIM predicts of the next step: the clean frame without commands, and the base velocity."""

        base_ang_vel = scaled_term(mdp.base_ang_vel, 0.5)
        projected_gravity = scaled_term(mdp.projected_gravity, 1.0)
        joint_pos = scaled_term(mdp.joint_pos_rel, 1.0, asset_cfg=_joints())
        joint_vel = scaled_term(mdp.joint_vel_rel, 0.05, asset_cfg=_joints())
        actions = scaled_term(mdp.last_action, 1.0)
        base_lin_vel = scaled_term(mdp.base_lin_vel, 2.0)

        def __post_init__(self) -> None:
            """One clean frame."""
            self.enable_corruption = False
            self.concatenate_terms = True

    policy: PolicyCfg = PolicyCfg()
    critic: CriticCfg = CriticCfg()
    estimator: EstimatorCfg = EstimatorCfg()


@configclass
class G1PerceptiveObservationsCfg(G1ObservationsCfg):
    """The same, and a scan for a policy that sees the ground."""

    @configclass
    class HeightScanCfg(ObsGroup):
        """What a depth camera or a map of the ground would tell the policy; noisy, one frame."""

        # HIMLoco's noise of half a unit on the scaled heights: 0.5 / 5 (facts 4.9)
        height_scan = ground_scan(noise=0.1)

        def __post_init__(self) -> None:
            """One noisy frame."""
            self.enable_corruption = True
            self.concatenate_terms = True

    height_scan: HeightScanCfg = HeightScanCfg()
