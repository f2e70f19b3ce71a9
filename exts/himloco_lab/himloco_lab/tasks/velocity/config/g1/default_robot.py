# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The G1 as the robot that is taken where none is named, and as the benchmark's subject."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from himloco_lab.robots.g1.g1_description import G1_JOINTS, G1_LEG_JOINTS, G1_UPPER_JOINTS
from himloco_lab.tasks.default_robot import DefaultRobot

if TYPE_CHECKING:
    from himloco_rl.observations import ObservationLayout

HISTORY = 6
"""Frames of the policy's group."""
SCAN_POINTS = tuple((0.1 * x, 0.1 * y) for y in range(-5, 6) for x in range(-8, 9))
"""Where the height scan measures, 17 x 11 points [m]."""


def layout(height_scan: bool) -> ObservationLayout:
    """Names of the observations of the tasks.

    Args:
        height_scan: With the critic's 187 points, as on Rough.
    """
    from himloco_rl.observations import ObservationGroup, ObservationLayout, ObservationTerm

    commands = (ObservationTerm("velocity_command", 3), ObservationTerm("height_command", 1))
    body = (
        ObservationTerm("base_ang_vel", 3),
        ObservationTerm("projected_gravity", 3),
        ObservationTerm("joint_pos", len(G1_JOINTS), joint_names=tuple(G1_JOINTS)),
        ObservationTerm("joint_vel", len(G1_JOINTS), joint_names=tuple(G1_JOINTS)),
        ObservationTerm("actions", len(G1_LEG_JOINTS), joint_names=tuple(G1_LEG_JOINTS)),
    )
    velocity = ObservationTerm("base_lin_vel", 3, scale=2.0)
    scan = (ObservationTerm("height_scan", len(SCAN_POINTS), points=SCAN_POINTS),) if height_scan else ()
    return ObservationLayout(
        {
            "policy": ObservationGroup("policy", (*commands, *body), HISTORY, "time"),
            "critic": ObservationGroup("critic", (*commands, *body, velocity, *scan)),
            "estimator": ObservationGroup("estimator", (*body, velocity)),
        },
        tuple(G1_LEG_JOINTS),
    )


def engine_drives() -> Any:
    """Move the upper body by the engine's own joint drives, as HOMIE does."""
    from isaaclab.actuators import IdealPDActuatorCfg, ImplicitActuatorCfg

    from .rough_env_cfg import G1RoughEnvCfg

    cfg: Any = G1RoughEnvCfg()
    motors = cfg.scene.robot.actuators["explicit"]
    values = (
        "stiffness",
        "damping",
        "armature",
        "joint_effort_limit",
        "actuator_velocity_limit",
        "joint_velocity_limit",
    )

    def only(joints: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Any]:
        return {name: {joint: getattr(motors, name)[joint] for joint in joints} for name in names}

    cfg.scene.robot.actuators = {
        "explicit": IdealPDActuatorCfg(
            joint_names_expr=list(G1_LEG_JOINTS), **only(G1_LEG_JOINTS, (*values, "actuator_effort_limit"))
        ),
        "implicit": ImplicitActuatorCfg(joint_names_expr=list(G1_UPPER_JOINTS), **only(G1_UPPER_JOINTS, values)),
    }
    return cfg


def stock_rough_cfg() -> Any:
    """Isaac Lab's own rough G1 task, to compare with; changed only where it would not run here.

    The robot is ours and so are the names of its joints; textures and arrows, which are downloads, are left out. Its
    terrain, sensors (contacts of all bodies, 187 rays), rewards and events are Isaac Lab's.
    """
    from isaaclab.utils import replace
    from isaaclab_tasks.core.velocity.config.g1.rough_env_cfg import G1RoughEnvCfg

    from himloco_lab.robots.g1 import G1_CFG

    cfg: Any = G1RoughEnvCfg()
    cfg.scene.robot = replace(G1_CFG, prim_path="{ENV_REGEX_NS}/Robot")
    cfg.scene.terrain.visual_material = None
    cfg.scene.sky_light.spawn.texture_file = None
    cfg.commands.base_velocity.debug_vis = False
    for term, joints in {
        "joint_deviation_arms": [".*_shoulder_.*", ".*_elbow_joint"],
        "joint_deviation_fingers": [".*_wrist_.*"],  # as near to fingers as this robot gets
        "joint_deviation_torso": ["waist_yaw_joint"],
    }.items():
        getattr(cfg.rewards, term).params["asset_cfg"].joint_names = joints
    return cfg


ROBOT = DefaultRobot(
    description="himloco_lab.robots.g1.g1_description:G1_DESCRIPTION",
    rough="Himloco-G1-Rough-v0",
    flat="Himloco-G1-Flat-v0",
    policy=Path(__file__).parents[4] / "policies" / "g1_stand" / "policy.onnx",
    layout=layout,
    variants={"stock": stock_rough_cfg, "engine drives": engine_drives},
)
