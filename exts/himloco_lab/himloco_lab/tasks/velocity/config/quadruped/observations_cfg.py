# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The observations of four-legged robots: HIMLoco's 45 values in its order and scales, six frames, oldest first."""

from isaaclab.managers import ObservationGroupCfg as ObsGroup
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils import configclass

from himloco_lab.robots.policy_layout import PolicyLayout
from himloco_lab.robots.quadruped import QUADRUPED_JOINTS
from himloco_lab.tasks.velocity import mdp
from himloco_lab.tasks.velocity.observation_terms import ground_scan, scaled_term

LAYOUT = PolicyLayout()


def _joints() -> SceneEntityCfg:
    return SceneEntityCfg("robot", joint_names=list(QUADRUPED_JOINTS), preserve_order=True)


@configclass
class QuadrupedObservationsCfg:
    """Observation groups of the quadrupeds' tasks."""

    @configclass
    class PolicyCfg(ObsGroup):
        """What the robot itself knows: command, IMU, joints, last action; noisy; six frames."""

        velocity_command = scaled_term(mdp.velocity_command, LAYOUT.velocity_scale, command_name="base_velocity")
        base_ang_vel = scaled_term(mdp.base_ang_vel, LAYOUT.ang_vel_scale, noise=0.05)
        projected_gravity = scaled_term(mdp.projected_gravity, 1.0, noise=0.05)
        joint_pos = scaled_term(mdp.joint_pos_rel, 1.0, noise=0.01, asset_cfg=_joints())
        joint_vel = scaled_term(mdp.joint_vel_rel, LAYOUT.joint_vel_scale, noise=0.075, asset_cfg=_joints())
        actions = scaled_term(mdp.last_action, 1.0)

        def __post_init__(self) -> None:
            """Six frames, one after the other, oldest first."""
            self.enable_corruption = True
            self.concatenate_terms = True
            self.history_length = LAYOUT.history_length
            self.history_order = "time"
            self.flatten_history_dim = True

    @configclass
    class CriticCfg(ObsGroup):
        """The same frame without noise, the base velocity, the force from outside, and the ground around the robot."""

        velocity_command = scaled_term(mdp.velocity_command, LAYOUT.velocity_scale, command_name="base_velocity")
        base_ang_vel = scaled_term(mdp.base_ang_vel, LAYOUT.ang_vel_scale)
        projected_gravity = scaled_term(mdp.projected_gravity, 1.0)
        joint_pos = scaled_term(mdp.joint_pos_rel, 1.0, asset_cfg=_joints())
        joint_vel = scaled_term(mdp.joint_vel_rel, LAYOUT.joint_vel_scale, asset_cfg=_joints())
        actions = scaled_term(mdp.last_action, 1.0)
        base_lin_vel = scaled_term(mdp.base_lin_vel, 2.0)
        # the body is named by the task, which knows the robot
        external_force = scaled_term(mdp.external_force, 1.0, asset_cfg=SceneEntityCfg("robot"))
        height_scan: ObsTerm | None = ground_scan()

        def __post_init__(self) -> None:
            """One clean frame."""
            self.enable_corruption = False
            self.concatenate_terms = True

    @configclass
    class EstimatorCfg(ObsGroup):
        """What HIM predicts of the next step: the clean frame without commands, and the base velocity."""

        base_ang_vel = scaled_term(mdp.base_ang_vel, LAYOUT.ang_vel_scale)
        projected_gravity = scaled_term(mdp.projected_gravity, 1.0)
        joint_pos = scaled_term(mdp.joint_pos_rel, 1.0, asset_cfg=_joints())
        joint_vel = scaled_term(mdp.joint_vel_rel, LAYOUT.joint_vel_scale, asset_cfg=_joints())
        actions = scaled_term(mdp.last_action, 1.0)
        base_lin_vel = scaled_term(mdp.base_lin_vel, 2.0)

        def __post_init__(self) -> None:
            """One clean frame."""
            self.enable_corruption = False
            self.concatenate_terms = True

    policy: PolicyCfg = PolicyCfg()
    critic: CriticCfg = CriticCfg()
    estimator: EstimatorCfg = EstimatorCfg()
