# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# Isaac Lab's idioms, which its annotations do not cover: MISSING, classes as func.
# pyright: reportAssignmentType=false, reportArgumentType=false

"""HIMLoco's task for four-legged robots."""

from isaaclab.managers import CurriculumTermCfg, EventTermCfg, ObservationTermCfg, SceneEntityCfg
from isaaclab.utils import configclass

from himloco_lab.robots.description import find_description
from himloco_lab.robots.quadruped import QUADRUPED_FEET, QUADRUPED_JOINTS
from himloco_lab.tasks.velocity import mdp
from himloco_lab.tasks.velocity.observations_cfg import make_observations
from himloco_lab.tasks.velocity.velocity_env_cfg import (
    LocomotionCurriculumCfg,
    LocomotionEventsCfg,
    LocomotionVelocityEnvCfg,
    trunk_of,
)

from .rewards_cfg import QuadrupedRewardsCfg

NOISE = {"base_ang_vel": 0.05, "projected_gravity": 0.05, "joint_pos": 0.01, "joint_vel": 0.075}
"""Half-widths on the scaled values that the policy sees."""


@configclass
class QuadrupedCommandsCfg:
    """Where to go and where to look."""

    base_velocity = mdp.HeadingCommandCfg(
        asset_name="robot",
        resampling_time_range=(10.0, 10.0),
        foot_body_names=list(QUADRUPED_FEET),
        ranges=mdp.HeadingCommandCfg.Ranges(),
    )


@configclass
class QuadrupedActionsCfg:
    """The policy moves all joints."""

    joint_pos = mdp.DelayedJointPositionActionCfg(
        asset_name="robot",
        joint_names=list(QUADRUPED_JOINTS),
        preserve_order=True,
        use_default_offset=True,
        delay_range=(0, 3),
    )


@configclass
class QuadrupedEventsCfg(LocomotionEventsCfg):
    """Domain randomization; the bodies are named by the task, which knows the robot."""

    payload = EventTermCfg(
        func=mdp.randomize_masses,
        mode="startup",
        params={"asset_cfg": SceneEntityCfg("robot"), "scale_range": (1.0, 1.0), "payload_ranges": {}},
    )
    trunk_com = EventTermCfg(
        func=mdp.randomize_rigid_body_com,
        mode="startup",
        params={
            "asset_cfg": SceneEntityCfg("robot"),
            "com_range": dict.fromkeys(("x", "y", "z"), (-0.05, 0.05)),
        },
    )
    base_force: EventTermCfg | None = EventTermCfg(
        func=mdp.push_by_force,
        mode="interval",
        # after every policy step: the term itself counts to eight
        interval_range_s=(0.0, 0.0),
        is_global_time=True,
        params={"asset_cfg": SceneEntityCfg("robot"), "limit": 30.0, "every": 8},
    )


@configclass
class QuadrupedCurriculumCfg(LocomotionCurriculumCfg):
    """Rougher ground and faster commands for robots that follow the commands they get."""

    terrain_levels: CurriculumTermCfg | None = CurriculumTermCfg(
        func=mdp.terrain_levels_by_tracking,
        params={"reward_term": "tracking_lin_vel", "command_name": "base_velocity"},
    )
    forward_range: CurriculumTermCfg | None = CurriculumTermCfg(
        func=mdp.forward_range_by_tracking,
        params={"reward_term": "tracking_lin_vel", "command_name": "base_velocity"},
    )
    # behind forward_range, which it overrules as long as it has not come to its end
    speed_share: CurriculumTermCfg | None = None


@configclass
class QuadrupedRoughEnvCfg(LocomotionVelocityEnvCfg):
    """Velocity tracking of a four-legged robot on rough ground."""

    actions: QuadrupedActionsCfg = QuadrupedActionsCfg()
    commands: QuadrupedCommandsCfg = QuadrupedCommandsCfg()
    rewards: QuadrupedRewardsCfg = QuadrupedRewardsCfg()
    events: QuadrupedEventsCfg = QuadrupedEventsCfg()
    curriculum: QuadrupedCurriculumCfg = QuadrupedCurriculumCfg()

    def __post_init__(self) -> None:
        """State what depends on the robot's trunk and layout, and HIMLoco's ranges."""
        super().__post_init__()
        robot = find_description(self.description)
        trunk = trunk_of(robot)
        pushed = SceneEntityCfg("robot", body_names=trunk)
        force = ObservationTermCfg(func=mdp.external_force, scale=1.0, params={"asset_cfg": pushed})
        bound = robot.policy_layout.clip
        force.clip = (-bound, bound)
        self.observations = make_observations(robot, NOISE, {"external_force": force})
        self.rewards.base_height.params["target"] = robot.policy_layout.height[1]
        self.events.payload.params["payload_ranges"] = {trunk: (-1.0, 2.0)}
        base_force = self.events.base_force
        assert base_force is not None  # play_mode() takes it away
        for event in (self.events.payload, self.events.trunk_com, base_force):
            event.params["asset_cfg"] = SceneEntityCfg("robot", body_names=trunk)
        self._set_ranges()

    def _set_ranges(self) -> None:
        """Take HIMLoco's ranges where the base task has HOMIE's."""
        for name in ("static_friction_range", "dynamic_friction_range"):
            self.events.material.params[name] = (0.2, 1.25)
        self.events.material.params["restitution_range"] = (0.0, 0.0)
        self.events.reset_joints.params.update(scale_range=(0.5, 1.5), offset_range=(0.0, 0.0))
        push = self.events.push
        assert push is not None  # play_mode() takes it away
        push.interval_range_s = (14.0, 18.0)
        push.params["velocity_range"] = dict.fromkeys(("x", "y"), (-1.0, 1.0))

    def make_flat(self) -> None:
        """Level the ground, and begin with half of the speeds: a few hundred robots are to learn."""
        super().make_flat()
        self.curriculum.speed_share = CurriculumTermCfg(
            func=mdp.speed_share_by_tracking,
            params={"reward_term": "tracking_lin_vel", "command_name": "base_velocity"},
        )

    def play_mode(self) -> None:
        """Apply playback defaults: no forces on the base either."""
        super().play_mode()
        self.events.base_force = None
