# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# Isaac Lab's idioms, which its annotations do not cover: MISSING, classes as func, presets as physics, parts of the
# task that only the robot's configuration declares.
# pyright: reportAssignmentType=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportOptionalMemberAccess=false

"""The locomotion task once: scene, physics, events, terminations, curriculum. A robot states what differs.

Values are HomieRL's where nothing else is said.
"""

import math
from dataclasses import MISSING

import isaaclab.sim as sim_utils
from isaaclab.assets import ArticulationCfg, AssetBaseCfg
from isaaclab.envs import ManagerBasedRLEnvCfg
from isaaclab.managers import CurriculumTermCfg, EventTermCfg, SceneEntityCfg, TerminationTermCfg
from isaaclab.physics import PhysxAutoCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sensors import ContactSensorCfg
from isaaclab.sim import SimulationCfg
from isaaclab.terrains import TerrainImporterCfg
from isaaclab.utils import configclass, replace
from isaaclab_newton.physics import (
    MJWarpSolverCfg,
    NewtonCfg,
    NewtonCollisionPipelineCfg,
    NewtonShapeCfg,
)
from isaaclab_ov.physics import OvPhysxCfg
from isaaclab_physx.physics import PhysxCfg
from isaaclab_tasks.utils import PresetCfg

from himloco_lab.compat import prepare_process
from himloco_lab.robots import RobotDescription, load_model
from himloco_lab.robots.articulation import make_articulation_cfg
from himloco_lab.robots.description import find_description
from himloco_lab.terrains import FLAT_TERRAINS_CFG, ROUGH_TERRAINS_CFG

from . import mdp
from .observations_cfg import VelocityObservationsCfg

# Whoever builds this task, Isaac Lab's own commands included, needs it before the simulation starts.
prepare_process()


@configclass
class PhysicsPresetsCfg(PresetCfg):
    """Physics engines, chosen with ``physics=NAME`` on the command line."""

    isaacsim_physx = PhysxCfg(gpu_max_rigid_patch_count=10 * 2**15)
    ovphysx = OvPhysxCfg(gpu_max_rigid_patch_count=10 * 2**15)
    # PhysX wherever it lives: Kit's inside Isaac Sim, the ovphysx wheel outside.
    physx = PhysxAutoCfg(isaacsim_physx=isaacsim_physx, ovphysx=ovphysx)
    newton_mjwarp = NewtonCfg(
        solver_cfg=MJWarpSolverCfg(
            njmax=300,
            nconmax=100,
            # A pyramidal cone softens the normal direction as friction grows: at a coefficient of 3, which the
            # randomization draws, feet sank 9 cm into flat ground. An elliptic one keeps them at 0.
            cone="elliptic",
            impratio=1.0,
            integrator="implicitfast",
            use_mujoco_contacts=False,
        ),
        collision_cfg=NewtonCollisionPipelineCfg(max_triangle_pairs=2_500_000),
        num_substeps=1,
        debug_mode=False,
        default_shape_cfg=NewtonShapeCfg(margin=0.0, ke=160000.0, kd=1100.0),
    )
    default = physx


@configclass
class LocomotionSceneCfg(InteractiveSceneCfg):
    """Terrain, robot, sensors, light."""

    terrain = TerrainImporterCfg(
        class_type="himloco_lab.terrains.height_map:HeightMapTerrainImporter",
        prim_path="/World/ground",
        terrain_type="generator",
        terrain_generator=ROUGH_TERRAINS_CFG,
        max_init_terrain_level=0,
        collision_group=-1,
        # PhysX's default rule, which the reference's friction range is made for: the mean of robot and ground.
        physics_material=sim_utils.RigidBodyMaterialCfg(
            friction_combine_mode="average",
            restitution_combine_mode="average",
            static_friction=1.0,
            dynamic_friction=1.0,
            restitution=0.0,
        ),
        # A color, not a texture: textures are downloads.
        visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.35, 0.37, 0.4)),
        debug_vis=False,
    )
    robot: ArticulationCfg = MISSING
    contact_forces: ContactSensorCfg = MISSING
    sky_light = AssetBaseCfg(prim_path="/World/skyLight", spawn=sim_utils.DomeLightCfg(intensity=750.0))


@configclass
class LocomotionEventsCfg:
    """Domain randomization that any legged robot shares."""

    material = EventTermCfg(
        func=mdp.randomize_material_per_env,
        mode="reset",
        params={
            "asset_cfg": SceneEntityCfg("robot"),
            "static_friction_range": (0.1, 3.0),
            "dynamic_friction_range": (0.1, 3.0),
            "restitution_range": (0.0, 1.0),
            "num_buckets": 64,
            "make_consistent": True,
        },
    )
    actuator_gains = EventTermCfg(
        func=mdp.randomize_actuator_gains,
        mode="reset",
        params={
            "asset_cfg": SceneEntityCfg("robot"),
            "stiffness_distribution_params": (0.9, 1.1),
            "damping_distribution_params": (0.9, 1.1),
            "operation": "scale",
        },
    )
    reset_base = EventTermCfg(
        func=mdp.reset_root_state_uniform,
        mode="reset",
        params={
            "pose_range": {"x": (-0.5, 0.5), "y": (-0.5, 0.5), "yaw": (-math.pi, math.pi)},
            "velocity_range": dict.fromkeys(("x", "y", "z", "roll", "pitch", "yaw"), (-0.5, 0.5)),
        },
    )
    reset_joints = EventTermCfg(
        func=mdp.reset_joints_around_default,
        mode="reset",
        params={"scale_range": (0.8, 1.2), "offset_range": (-0.1, 0.1)},
    )
    push: EventTermCfg | None = EventTermCfg(
        func=mdp.push_by_replacing_velocity,
        mode="interval",
        # Every 4 s on average. At exactly 4 s each push would meet the next command.
        interval_range_s=(3.0, 5.0),
        params={"velocity_range": {"x": (-0.5, 0.5), "y": (-0.5, 0.5)}},
    )


@configclass
class LocomotionTerminationsCfg:
    """When an episode ends. Falls come first: what times out must know of them."""

    base_contact = TerminationTermCfg(
        func=mdp.contact_force_above,
        params={"sensor_cfg": MISSING, "threshold": 1.0},
    )
    bad_orientation: TerminationTermCfg | None = None
    time_out = TerminationTermCfg(func=mdp.time_out_alive, time_out=True)
    # A robot that walks off the terrain did nothing wrong, and would fall for ever.
    terrain_out_of_bounds = TerminationTermCfg(
        func=mdp.terrain_left_alive, params={"distance_buffer": 1.0}, time_out=True
    )


@configclass
class LocomotionCurriculumCfg:
    """What gets harder."""

    terrain_levels: CurriculumTermCfg | None = MISSING


def trunk_of(robot: RobotDescription) -> str:
    """Return the body that touches the ground in a fall only: the first of its trunk bodies, or its root."""
    return robot.trunk_bodies[0] if robot.trunk_bodies else load_model(robot).root


@configclass
class LocomotionVelocityEnvCfg(ManagerBasedRLEnvCfg):
    """Velocity tracking on generated terrain; robots derive from it."""

    description: str = MISSING
    """The robot, as ``"package.module:NAME"`` of its description."""

    sim: SimulationCfg = SimulationCfg(physics=PhysicsPresetsCfg())
    scene: LocomotionSceneCfg = LocomotionSceneCfg(num_envs=4096, env_spacing=2.5)
    observations: VelocityObservationsCfg = VelocityObservationsCfg()
    events: LocomotionEventsCfg = LocomotionEventsCfg()
    terminations: LocomotionTerminationsCfg = LocomotionTerminationsCfg()
    curriculum: LocomotionCurriculumCfg = LocomotionCurriculumCfg()

    episode_length_s: float = 20.0
    compute_final_obs: bool = True
    """Whether the last observations of an episode are kept: HIM predicts them, PPO bootstraps from them."""

    def __post_init__(self) -> None:
        """Put the robot into the scene, with the rates, actions and commands of its policy layout."""
        robot = find_description(self.description)
        layout, trunk = robot.policy_layout, trunk_of(robot)
        self.scene.robot = replace(make_articulation_cfg(self.description), prim_path="{ENV_REGEX_NS}/Robot")
        # Only what a term asks for: each further body costs time in every physics step.
        reporting = "|".join((*robot.foot_bodies, trunk))
        self.scene.contact_forces = ContactSensorCfg(
            prim_path=f"{{ENV_REGEX_NS}}/Robot/({reporting})", history_length=0, track_air_time=True
        )
        self.terminations.base_contact.params["sensor_cfg"] = SceneEntityCfg("contact_forces", body_names=trunk)
        self.actions.joint_pos.scale = layout.action_scale
        command = self.commands.base_velocity
        command.foot_height_offset = robot.foot_height
        for name in ("lin_vel_x", "lin_vel_y", "ang_vel_z", "height"):
            setattr(command.ranges, name, getattr(layout, name))
        self.sim.dt = layout.physics_dt
        self.decimation = self.sim.render_interval = layout.decimation
        # The torch PD law costs less on a CPU than Newton's Warp kernels ("tools/benchmark.py writes" compares).
        self.sim.use_newton_actuators = False
        self.sim.physics_material = self.scene.terrain.physics_material

    def make_flat(self) -> None:
        """Turn the rough task into the flat one: level ground, no height scan, no terrain levels."""
        self.scene.terrain.terrain_generator = FLAT_TERRAINS_CFG
        self.observations.critic.height_scan = None
        self.curriculum.terrain_levels = None

    def play_mode(self) -> None:
        """Apply playback defaults: few robots on a small terrain, no noise, no pushes, all terrain levels."""
        super().play_mode()
        self.scene.terrain.max_init_terrain_level = None
        generator = self.scene.terrain.terrain_generator
        if generator is not None:
            generator.num_rows = 5
            generator.num_cols = 5
        self.events.push = None
