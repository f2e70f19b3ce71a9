# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the task draws at random, often enough to see its ranges; experiments of env_probe.py."""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from disturbances import everything_at_full


def commands(env: Any) -> dict[str, object]:
    """Many samples of the commands, the delays and the masses."""
    everything_at_full(env)
    env.reset()
    gait = env.command_manager.get_term("base_velocity")
    arms = env.command_manager.get_term("upper_body")
    everyone = torch.arange(env.num_envs)
    samples, targets = [], {}
    for _ in range(1500):
        gait._resample_command(everyone)
        samples.append(gait.command.clone())
    for ratio in (0.0, 0.5, 1.0):
        arms.ratio = ratio
        drawn = []
        for _ in range(200):
            arms._resample_command(everyone)
            drawn.append(arms._target.clone())
        targets[ratio] = torch.cat(drawn)
    legs = env.action_manager.get_term("joint_pos")
    buffer = env.scene["robot"].actuators.target_command.position.torch
    sent = []
    for _ in range(20):
        env.action_manager.process_action(0.5 * torch.randn(env.num_envs, 12))
        before, now, delay = legs._previous_targets.clone(), legs.processed_actions.clone(), legs._delay.clone()
        seen = []
        for _ in range(4):
            env.action_manager.apply_action()
            seen.append(buffer[:, legs._joint_ids].clone())
        sent.append({"before": before, "now": now, "delay": delay, "seen": torch.stack(seen)})
    arms.ratio = 1.0
    env.reset()
    path = []
    for _ in range(50):
        path.append({"target": arms._target.clone(), "command": arms.command.clone(), "left": arms.time_left.clone()})
        env.command_manager.compute(env.step_dt)
    robot = env.scene["robot"]
    limits = robot.data.joint_pos_limits.torch[:, arms.joint_ids]
    return {
        "samples": torch.cat(samples),
        "targets": targets,
        "default": robot.data.default_joint_pos.torch[:, arms.joint_ids],
        "limits": limits.clone(),
        "sent": sent,
        "path": path,
        "mass": robot.data.body_mass.torch.clone(),
        "default_mass": env.event_manager.get_term_cfg("masses").func._mass.clone(),
        "body_names": list(robot.body_names),
    }


def randomization(env: Any) -> dict[str, object]:
    """Materials, gains, starts and torques over many resets, the trunks' centers of mass, and the law of the motors."""
    everything_at_full(env)
    env.reset()
    robot, events = env.scene["robot"], env.event_manager
    everyone = torch.arange(env.num_envs)
    material, gains, com = (events.get_term_cfg(name).func for name in ("material", "actuator_gains", "trunk_com"))
    motors = robot.actuators["explicit"]
    found: dict[str, list[torch.Tensor]] = {name: [] for name in ("material", "stiffness", "damping", "start", "yaw")}
    for _ in range(30):
        events.apply(mode="reset", env_ids=everyone, global_env_step_count=10**6)
        shapes = wp.to_torch(material._impl._material_view.get_attribute(material._impl._material_type))
        found["material"].append(shapes.clone())  # [N, shapes, 3]: static and dynamic friction, restitution
        found["stiffness"].append(motors.stiffness / gains.default_actuator_stiffness["explicit"])
        found["damping"].append(motors.damping / gains.default_actuator_damping["explicit"])
        found["start"].append(robot.data.root_pos_w.torch - env.scene.env_origins)
        found["yaw"].append(robot.data.heading_w.torch.clone())
    shapes_of_others = found["material"][-1][1:].clone()
    events.apply(mode="reset", env_ids=everyone[:1], global_env_step_count=10**6)
    shapes = wp.to_torch(material._impl._material_view.get_attribute(material._impl._material_type))
    return {
        **{name: torch.stack(values) for name, values in found.items()},
        "others_kept": torch.equal(shapes[1:], shapes_of_others),
        "motors": list(motors.joint_names),
        "com": robot.data.body_com_pose_b.torch[..., :3] - com.default_com[..., :3],
        "bodies": list(robot.body_names),
        **_torques(env),
    }


def _torques(env: Any) -> dict[str, object]:
    """Torques that nobody asked for, as shares of the effort limits; and what the motors make of a target."""
    robot, legs = env.scene["robot"], env.action_manager.get_term("joint_pos")
    buffer, shares = robot.actuators.target_command, []
    for _ in range(40):  # episodes
        legs.reset()
        for _ in range(5):  # steps
            env.action_manager.process_action(torch.zeros(env.num_envs, 12))
            shares.append(buffer.effort.torch[:, legs._joint_ids] / legs._effort_limit)
    env.action_manager.process_action(3.0 * torch.randn(env.num_envs, 12))
    for _ in range(4):  # the last physics step has the new target, whatever the delay
        env.action_manager.apply_action()
    env.scene.write_data_to_sim()
    motors = robot.actuators["explicit"]
    names = list(motors.joint_names)
    ids = [list(robot.joint_names).index(name) for name in names]
    return {
        "torque_shares": torch.stack(shares).view(40, 5, env.num_envs, 12),
        "pd": {
            "stiffness": motors.stiffness.clone(),
            "damping": motors.damping.clone(),
            "target": buffer.position.torch[:, ids].clone(),
            "feed_forward": buffer.effort.torch[:, ids].clone(),
            "position": robot.data.joint_pos.torch[:, ids].clone(),
            "velocity": robot.data.joint_vel.torch[:, ids].clone(),
            "limit": robot.data.joint_effort_limits.torch[:, ids].clone(),
            "applied": robot.actuators.applied_effort.torch[:, ids].clone(),
        },
    }
