# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Robot descriptions as Isaac Lab articulation configurations, and the spawner that builds their USD."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any

import isaaclab.sim as sim_utils
from isaaclab.actuators import ActuatorBaseCfg, IdealPDActuatorCfg, ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg
from isaaclab.utils import configclass
from isaaclab_newton.sim.schemas import NewtonArticulationCfg
from isaaclab_physx.sim.schemas import PhysxArticulationCfg, PhysxRigidBodyCfg

from .description import RobotDescription, find_description
from .rigid_body import RigidBodyModel, standing_height
from .urdf import load_model

if TYPE_CHECKING:
    from pxr import Usd

SOFT_LIMIT_FACTOR = 0.975
"""Share of the joint range within which no limit penalty is due (HOMIE's reward settings)."""


DEPENETRATION_VELOCITY = 1.0
"""Speed at which the solver separates shapes that overlap [m/s] (legged_gym's value). Without this cap a foot that a
reset puts 1 cm into the ground throws the robot meters into the air."""


def spawn_robot(
    prim_path: str,
    cfg: RobotUsdFileCfg,
    translation: tuple[float, float, float] | None = None,
    orientation: tuple[float, float, float, float] | None = None,
    **kwargs: Any,
) -> Usd.Prim:
    """Build the robot's USD (or find it in the cache), set ``usd_path`` to it, and spawn it as any other USD file."""
    from .cache import cached_usd

    cfg.usd_path = str(cached_usd(find_description(cfg.robot)))
    return sim_utils.spawn_from_usd(prim_path, cfg, translation, orientation, **kwargs)


@configclass
class RobotUsdFileCfg(sim_utils.UsdFileCfg):
    """Spawns the robot of a :class:`~himloco_lab.robots.description.RobotDescription`."""

    func: Callable | str = "himloco_lab.robots.articulation:spawn_robot"

    usd_path: str = ""
    """Filled in by :func:`spawn_robot`; nothing in Isaac Lab reads it before the asset is spawned."""

    robot: str = MISSING  # pyright: ignore[reportAssignmentType]
    """The robot to build, as ``"package.module:NAME"`` of its description: configurations are copied, overridden and
    written to YAML, which a name survives unchanged."""


def make_articulation_cfg(robot: str) -> ArticulationCfg:
    """Return the articulation of the robot ``"package.module:NAME"``, in its default pose just above the ground."""
    description = find_description(robot)
    model = load_model(description)
    height = standing_height(model, description) + description.spawn_clearance
    positions, velocities = description.solver_iterations
    linear, angular = description.body_damping
    return ArticulationCfg(
        spawn=RobotUsdFileCfg(
            robot=robot,
            activate_contact_sensors=True,
            rigid_props=PhysxRigidBodyCfg(
                linear_damping=linear, angular_damping=angular, max_depenetration_velocity=DEPENETRATION_VELOCITY
            ),
            articulation_props=[
                PhysxArticulationCfg(
                    enabled_self_collisions=description.self_collisions,
                    solver_position_iteration_count=positions,
                    solver_velocity_iteration_count=velocities,
                ),
                NewtonArticulationCfg(self_collision_enabled=description.self_collisions),
            ],
        ),
        init_state=ArticulationCfg.InitialStateCfg(
            pos=(0.0, 0.0, round(height, 4)),
            joint_pos={joint: description.default_pos_of(joint) for joint in description.joints},
            joint_vel={".*": 0.0},
        ),
        soft_joint_pos_limit_factor=SOFT_LIMIT_FACTOR,
        actuators=_actuators(description, model),
    )


def _actuators(description: RobotDescription, model: RigidBodyModel) -> dict[str, ActuatorBaseCfg]:
    """Return one actuator per kind: fewer groups mean fewer Python calls in every physics step."""
    explicit = [joint for joint in description.joints if description.actuator_of(joint).explicit]
    implicit = [joint for joint in description.joints if joint not in explicit]
    actuators: dict[str, ActuatorBaseCfg] = {}
    if explicit:
        values = _joint_values(description, model, explicit)
        limit = values.pop("effort_limit")
        # No delay here: Isaac Lab 3.0 runs this law through Newton's actuators, whose delay is one constant. The random
        # delay belongs to the action term. The engine's limit equals the law's, so that it never clips any harder.
        actuators["explicit"] = IdealPDActuatorCfg(actuator_effort_limit=limit, joint_effort_limit=limit, **values)
    if implicit:
        values = _joint_values(description, model, implicit)
        actuators["implicit"] = ImplicitActuatorCfg(joint_effort_limit=values.pop("effort_limit"), **values)
    return actuators


def _joint_values(description: RobotDescription, model: RigidBodyModel, joints: list[str]) -> dict:
    specs = {joint: description.actuator_of(joint) for joint in joints}
    velocities = {joint: description.velocity_limit_of(model.joints[joint]) for joint in joints}
    return {
        "joint_names_expr": list(joints),
        "stiffness": {joint: spec.stiffness for joint, spec in specs.items()},
        "damping": {joint: spec.damping for joint, spec in specs.items()},
        "armature": {joint: spec.armature for joint, spec in specs.items()},
        "effort_limit": {joint: description.effort_limit_of(model.joints[joint]) for joint in joints},
        "actuator_velocity_limit": velocities,
        "joint_velocity_limit": dict(velocities),
    }
