# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# Isaac Lab's idioms, which its annotations do not cover: MISSING, classes as func.
# pyright: reportAssignmentType=false, reportArgumentType=false

"""HIMLoco's task for four-legged robots (facts 4.9)."""

from dataclasses import MISSING

from isaaclab.managers import CurriculumTermCfg, EventTermCfg, SceneEntityCfg
from isaaclab.sensors import ContactSensorCfg
from isaaclab.utils import configclass, replace

from himloco_lab.robots.articulation import make_articulation_cfg
from himloco_lab.robots.description import find_description
from himloco_lab.robots.quadruped import QUADRUPED_FEET, QUADRUPED_JOINTS
from himloco_lab.robots.urdf import load_model
from himloco_lab.tasks.velocity import mdp
from himloco_lab.tasks.velocity.velocity_env_cfg import (
    LocomotionCurriculumCfg,
    LocomotionEventsCfg,
    LocomotionTerminationsCfg,
    LocomotionVelocityEnvCfg,
)

from .observations_cfg import LAYOUT, QuadrupedObservationsCfg
from .rewards_cfg import QuadrupedRewardsCfg


@configclass
class QuadrupedCommandsCfg:
    """Where to go and where to look."""

    base_velocity = mdp.HeadingCommandCfg(
        asset_name="robot",
        resampling_time_range=(10.0, 10.0),
        foot_body_names=list(QUADRUPED_FEET),
        ranges=mdp.HeadingCommandCfg.Ranges(
            lin_vel_x=LAYOUT.lin_vel_x, lin_vel_y=LAYOUT.lin_vel_y, ang_vel_z=LAYOUT.ang_vel_z, height=LAYOUT.height
        ),
    )


@configclass
class QuadrupedActionsCfg:
    """The policy moves all joints."""

    joint_pos = mdp.DelayedJointPositionActionCfg(
        asset_name="robot",
        joint_names=list(QUADRUPED_JOINTS),
        preserve_order=True,
        scale=LAYOUT.action_scale,
        use_default_offset=True,
        delay_range=(0, 3),
    )


@configclass
class QuadrupedEventsCfg(LocomotionEventsCfg):
    """Domain randomisation; the bodies are named by the task, which knows the robot."""

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

    observations: QuadrupedObservationsCfg = QuadrupedObservationsCfg()
    actions: QuadrupedActionsCfg = QuadrupedActionsCfg()
    commands: QuadrupedCommandsCfg = QuadrupedCommandsCfg()
    rewards: QuadrupedRewardsCfg = QuadrupedRewardsCfg()
    events: QuadrupedEventsCfg = QuadrupedEventsCfg()
    terminations: LocomotionTerminationsCfg = LocomotionTerminationsCfg()
    curriculum: QuadrupedCurriculumCfg = QuadrupedCurriculumCfg()

    description: str = MISSING
    """The robot, as ``"package.module:NAME"`` of its description."""

    def __post_init__(self) -> None:
        """Put the robot into the scene, and its numbers where they belong."""
        super().__post_init__()
        robot = find_description(self.description)
        trunk = load_model(robot).root
        self.scene.robot = replace(make_articulation_cfg(self.description), prim_path="{ENV_REGEX_NS}/Robot")
        # Only what a term asks for: each further body costs time in every physics step.
        reporting = "|".join((*robot.foot_bodies, trunk))
        self.scene.contact_forces = ContactSensorCfg(
            prim_path=f"{{ENV_REGEX_NS}}/Robot/({reporting})", history_length=0, track_air_time=True
        )
        layout, command = robot.policy_layout, self.commands.base_velocity
        self.actions.joint_pos.scale = layout.action_scale
        command.foot_height_offset = robot.foot_height
        for name in ("lin_vel_x", "lin_vel_y", "ang_vel_z", "height"):
            setattr(command.ranges, name, getattr(layout, name))
        self.rewards.base_height.params["target"] = layout.height[1]
        self.events.payload.params["payload_ranges"] = {trunk: (-1.0, 2.0)}
        terms = (self.observations.critic.external_force, self.events.payload, self.events.trunk_com)
        base_force = self.events.base_force
        assert base_force is not None  # play_mode() takes it away
        for term in (*terms, base_force):
            term.params["asset_cfg"] = SceneEntityCfg("robot", body_names=trunk)
        self.terminations.base_contact.params["sensor_cfg"] = SceneEntityCfg("contact_forces", body_names=trunk)
        self._randomise()

    def _randomise(self) -> None:
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
        """Level the ground, and begin with half of the speeds: a few hundred robots shall learn."""
        super().make_flat()
        self.curriculum.speed_share = CurriculumTermCfg(
            func=mdp.speed_share_by_tracking,
            params={"reward_term": "tracking_lin_vel", "command_name": "base_velocity"},
        )

    def play_mode(self) -> None:
        """Apply playback defaults: no forces on the base either."""
        super().play_mode()
        self.events.base_force = None
