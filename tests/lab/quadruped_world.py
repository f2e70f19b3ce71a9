# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""All quadrupeds in one PhysX scene; a process carries one simulation, so the test calls this file with a file's name.

Robots of environments 0 to 11 hang in free fall, where gravity bends nothing, each with one joint's target moved; the
last one stands. A second Aliengo has gains that carry it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROBOTS = ("a1", "go1", "go2", "aliengo")
STIFF = "aliengo_stiff"
STIFFER = 2.0
"""By what its gains exceed the description's: 80 N m/rad and 4 N m s/rad."""
NUM_JOINTS = 12
OFFSET = 0.1  # [rad]
STEP = 0.005  # [s]
STEPS = 600


def description_of(robot: str) -> str:
    """Where the description of a robot is."""
    robot = robot.partition("_")[0]
    return f"himloco_lab.robots.{robot}:{robot.upper()}_DESCRIPTION"


def _scene_cfg():
    import isaaclab.sim as sim_utils
    from isaaclab.assets import AssetBaseCfg
    from isaaclab.scene import InteractiveSceneCfg
    from isaaclab.sensors import ContactSensorCfg
    from isaaclab.utils import configclass, replace

    from himloco_lab.robots.articulation import make_articulation_cfg

    @configclass
    class SceneCfg(InteractiveSceneCfg):
        """Robots side by side on a slab."""

        ground: AssetBaseCfg = AssetBaseCfg(
            prim_path="/World/ground",
            spawn=sim_utils.CuboidCfg(
                size=(60.0, 60.0, 1.0), collision_props=sim_utils.UsdPhysicsCollisionCfg(collision_enabled=True)
            ),
            init_state=AssetBaseCfg.InitialStateCfg(pos=(0.0, 0.0, -0.5)),
        )

    scene = SceneCfg(num_envs=NUM_JOINTS + 1, env_spacing=8.0, lazy_sensor_update=False)
    for index, robot in enumerate((*ROBOTS, STIFF)):
        cfg = replace(make_articulation_cfg(description_of(robot)), prim_path=f"{{ENV_REGEX_NS}}/{robot}")
        x, y, z = cfg.init_state.pos
        cfg.init_state.pos = (x + 2.0 * index - 3.0, y, z)
        if robot == STIFF:
            actuator: Any = cfg.actuators["explicit"]
            for name in ("stiffness", "damping"):
                setattr(actuator, name, {joint: STIFFER * gain for joint, gain in getattr(actuator, name).items()})
        setattr(scene, robot, cfg)
        sensor = ContactSensorCfg(prim_path=f"{{ENV_REGEX_NS}}/{robot}/[^/]*", update_period=0.0)
        setattr(scene, f"{robot}_contacts", sensor)
    return scene


def simulate(out: Path) -> None:
    """Run all robots for 3 s and write down what happened."""
    from himloco_lab.compat import allow_pageable_host_memory

    allow_pageable_host_memory()
    from isaaclab.scene import InteractiveScene
    from isaaclab.sim import SimulationCfg, build_simulation_context
    from isaaclab_ov.physics import OvPhysxCfg

    cfg = SimulationCfg(dt=STEP, device="cpu", physics=OvPhysxCfg())
    with build_simulation_context(device="cpu", sim_cfg=cfg) as sim:
        scene = InteractiveScene(_scene_cfg())
        sim.reset()
        scene.reset()
        out.write_text(json.dumps(_experiment(sim, scene)))


def _experiment(sim, scene) -> dict:
    import torch

    from himloco_lab.robots.description import find_description

    found = {}
    for name in (*ROBOTS, STIFF):
        robot = scene[name]
        ids, joints = robot.find_joints(list(find_description(description_of(name)).joints), preserve_order=True)
        ids = torch.as_tensor(list(ids))
        default = robot.data.default_joint_pos.torch.clone()
        root = robot.data.default_root_pose.torch.clone()
        root[:, :3] += scene.env_origins
        root[:NUM_JOINTS, 2] += 2.0
        robot.write_root_pose_to_sim_index(root_pose=root)
        robot.write_root_velocity_to_sim_index(root_velocity=torch.zeros(len(root), 6))
        robot.write_joint_position_to_sim_index(position=default)
        robot.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(default))
        target = default.clone()
        target[torch.arange(NUM_JOINTS), ids] += OFFSET
        robot.actuators.target_command.set_position_index(value=target)
        found[name] = {
            "ids": ids,
            "joints": list(joints),
            "bodies": list(robot.body_names),
            "masses": robot.data.body_mass.torch[0].tolist(),
            "default": default[0, ids].tolist(),
            "forces": [],
        }
    for step in range(STEPS):
        scene.write_data_to_sim()
        sim.step()
        scene.update(STEP)
        for name, robot in found.items():
            data = scene[name].data
            if step == 29:  # 0.15 s: falling 11 cm, still in the air
                robot["joint_pos"] = data.joint_pos.torch[:NUM_JOINTS, robot["ids"]].tolist()
                robot["poses"] = data.body_link_pose_w.torch[:NUM_JOINTS].tolist()
            if step >= STEPS - 40:  # at rest
                sensor = scene[f"{name}_contacts"]
                sensed, _ = sensor.find_sensors(robot["bodies"], preserve_order=True)
                robot["forces"].append(sensor.data.net_normal_forces_w.torch[-1, sensed, 2].tolist())
    for name, robot in found.items():
        data = scene[name].data
        ids = robot.pop("ids")
        robot["standing_joint_pos"] = data.joint_pos.torch[-1, ids].tolist()
        robot["standing_joint_vel"] = data.joint_vel.torch[-1, ids].tolist()
        robot["standing_quat"] = data.root_quat_w.torch[-1].tolist()
        robot["standing_tilt"] = float(data.projected_gravity_b.torch[-1, :2].norm())
    return found


if __name__ == "__main__":
    simulate(Path(sys.argv[1]))
