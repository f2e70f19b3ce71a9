# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the benchmarks measure: the G1 and its tasks, and its environment with something done another way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import himloco_lab
from himloco_lab.robots.g1 import G1_DESCRIPTION, G1_LEG_JOINTS, G1_UPPER_JOINTS
from himloco_lab.robots.policy_layout import SCAN_RESOLUTION, SCAN_SIZE

if TYPE_CHECKING:
    from himloco_rl.observations import ObservationLayout

ROBOT = "himloco_lab.robots.g1:G1_DESCRIPTION"
ROUGH, FLAT = "Himloco-G1-Rough-v0", "Himloco-G1-Flat-v0"
POLICY = Path(himloco_lab.__file__).parent / "policies" / "g1_stand" / "policy.onnx"
"""An exported policy that stands."""


def observation_layout(height_scan: bool) -> ObservationLayout:
    """Return the names of the tasks' observations, without building an environment.

    Args:
        height_scan: With the critic's 187 points, as on Rough.
    """
    from himloco_rl.observations import ObservationGroup, ObservationLayout, ObservationTerm

    legs = G1_DESCRIPTION.action_joints
    frame = tuple(
        ObservationTerm(term.name, term.width, joint_names=legs if term.name == "actions" else term.joints)
        for term in G1_DESCRIPTION.frame
    )
    layout = G1_DESCRIPTION.policy_layout
    velocity = ObservationTerm("base_lin_vel", 3, scale=layout.lin_vel_scale)
    ahead, aside = (round(extent / SCAN_RESOLUTION / 2) for extent in SCAN_SIZE)
    points = tuple(
        (SCAN_RESOLUTION * x, SCAN_RESOLUTION * y) for y in range(-aside, aside + 1) for x in range(-ahead, ahead + 1)
    )
    scan = (ObservationTerm("height_scan", len(points), points=points),) if height_scan else ()
    felt = tuple(term for term in frame if not term.name.endswith("_command"))
    return ObservationLayout(
        {
            "policy": ObservationGroup("policy", frame, layout.history_length, "time"),
            "critic": ObservationGroup("critic", (*frame, velocity, *scan)),
            "estimator": ObservationGroup("estimator", (*felt, velocity)),
        },
        legs,
    )


def engine_drives() -> Any:
    """Move the upper body by the engine's own joint drives, as HOMIE does."""
    from isaaclab.actuators import IdealPDActuatorCfg, ImplicitActuatorCfg

    from himloco_lab.tasks.velocity.config.g1.rough_env_cfg import G1RoughEnvCfg

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


VARIANTS = {"stock": stock_rough_cfg, "engine drives": engine_drives}
"""Name of a case of the benchmark -> its environment's configuration."""
