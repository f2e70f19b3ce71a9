# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A quadruped's task in real physics; called as env_probe.py is."""

from __future__ import annotations

import torch
from env_probe import Experiments, actions, main, nothing, raw_state


def observe(env) -> dict[str, object]:
    """Ten steps with random actions: what is seen, and the state behind it."""
    manager = env.observation_manager
    obs, _ = env.reset()
    robot = env.scene["robot"]
    steps: list[dict[str, object]] = []
    found: dict[str, object] = {
        "terms": dict(manager.active_terms),
        "dims": {k: [tuple(d) for d in v] for k, v in manager.group_obs_term_dim.items()},
        "first": {k: v.clone() for k, v in obs.items()},
        "reset_joint_pos": robot.data.joint_pos.torch.clone(),
        "soft_limits": robot.data.soft_joint_pos_limits.torch.clone(),
        "rewards": list(env.reward_manager.active_terms),
        "steps": steps,
    }
    command = env.command_manager.get_term("base_velocity")
    for _ in range(10):
        obs, reward, terminated, truncated, _ = env.step(actions(env))
        steps.append(
            {
                "obs": {k: v.clone() for k, v in obs.items()},
                "state": raw_state(env),
                "heading": command._heading.clone(),
                "count": env.common_step_counter,
                "done": (terminated | truncated).clone(),
                "reward": reward.clone(),
            }
        )
    return found


def push(env) -> dict[str, object]:
    """One step in the air with and without a force on the trunk: what the force does to the velocity."""
    robot = env.scene["robot"]
    env.reset()
    pose = robot.data.root_pose_w.torch.clone()
    pose[:, 2] += 3.0
    robot.write_root_pose_to_sim_index(root_pose=pose)
    robot.write_root_velocity_to_sim_index(root_velocity=torch.zeros(env.num_envs, 6))
    momenta, forces, quats = [], [], []
    for _ in range(9):
        quats.append(robot.data.root_quat_w.torch.clone())
        forces.append(robot.permanent_wrench_composer.out_force_b.torch[:, 0].clone())
        env.step(torch.zeros(env.num_envs, env.action_manager.total_action_dim))
        mass = robot.data.body_mass.torch
        momenta.append((robot.data.body_com_lin_vel_w.torch * mass.unsqueeze(-1)).sum(1).clone())
    return {
        "momentum": torch.stack(momenta),
        "force": torch.stack(forces),
        "quat": torch.stack(quats),
    }


def commands(env) -> dict[str, object]:
    """Many draws with a wide range for the fast robots, and the curriculum's steps."""
    env.reset()
    command = env.command_manager.get_term("base_velocity")
    term = next(
        cfg
        for name, cfg in zip(env.curriculum_manager.active_terms, env.curriculum_manager._term_cfgs, strict=True)
        if name == "forward_range"
    )
    # as if nothing had happened before
    nothing_yet = {"sum": 0.0, "episodes": 0, "steps_since_check": 0}
    term.func.load_state_dict({"fast": nothing_yet, "others": nothing_yet})
    sums = env.reward_manager._episode_sums["tracking_lin_vel"]
    best, everyone = env.max_episode_length_s, torch.arange(env.num_envs)
    ranges = []
    for fast, others, steps in ((0.9, 0.9, 999), (0.9, 0.9, 1), (0.9, 0.7, 1000), (0.7, 0.9, 1000), (0.9, 0.81, 1000)):
        env.common_step_counter += steps
        sums[:] = best * torch.where(command.is_fast, fast, others)
        term.func(env, everyone, **term.params)
        ranges.append(command.forward_range)
    saved = command.state_dict()
    for _ in range(20):
        command.widen(0.2)
    widest = command.forward_range
    drawn = []
    for _ in range(200):
        command._resample_command(everyone)
        drawn.append(command.command.clone())
    command.load_state_dict(saved)
    return {
        "is_fast": command.is_fast.clone(),
        "ranges": ranges,
        "widest": widest,
        "restored": command.forward_range,
        "drawn": torch.stack(drawn),
    }


EXPERIMENTS: Experiments = {"observe": (nothing, observe), "push": (nothing, push), "commands": (nothing, commands)}


if __name__ == "__main__":
    main(EXPERIMENTS)
