# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the curriculum of disturbances does to resets, pushes and commands; an experiment of env_probe.py."""

from __future__ import annotations

from typing import Any

import torch

RATIOS = (0.0, 0.5, 1.0)


def curriculum(env: Any) -> Any:
    """The curriculum's term; a task without one has None."""
    manager = env.curriculum_manager
    names = list(manager.active_terms)
    return manager._term_cfgs[names.index("disturbances")] if "disturbances" in names else None


def set_ratio(env: Any, ratio: float) -> None:
    """Put the curriculum to this ratio, with no episodes counted."""
    state = {"ratio": ratio, "sum": 0.0, "episodes": 0, "steps_since_check": 0}
    curriculum(env).func.load_state_dict(state)


def everything_at_full(env: Any) -> None:
    """Give the task its own ranges, whatever its curriculum has come to."""
    if curriculum(env) is not None:
        set_ratio(env, 1.0)


def disturbances(env: Any) -> dict[str, Any]:
    """Starts, pushes and commands at three ratios, and where the ratio goes."""
    robot, gait = env.scene["robot"], env.command_manager.get_term("base_velocity")
    everyone = torch.arange(env.num_envs)
    found: dict[str, Any] = {}
    for ratio in RATIOS:
        set_ratio(env, ratio)
        velocity, joints, command, pushed = [], [], [], []
        for _ in range(40):
            env.event_manager.apply(mode="reset", env_ids=everyone, global_env_step_count=10**6)
            velocity.append(robot.data.root_vel_w.torch.clone())
            joints.append((robot.data.joint_pos.torch - robot.data.default_joint_pos.torch).clone())
            gait._resample_command(everyone)
            command.append(gait.command.clone())
            robot.write_root_velocity_to_sim_index(root_velocity=torch.full((env.num_envs, 6), 2.0))
            push = env.event_manager.get_term_cfg("push")
            push.func(env, everyone, **push.params)
            pushed.append(robot.data.root_vel_w.torch[:, :2].clone())
        values = {"velocity": velocity, "joints": joints, "command": command, "pushed": pushed}
        found[str(ratio)] = {name: torch.cat(samples) for name, samples in values.items()}
        rewarded = ("tracking_x_vel", "tracking_y_vel", "no_fly", "smoothness")
        found[str(ratio)]["weights"] = {name: env.reward_manager.get_term_cfg(name).weight for name in rewarded}

    term = curriculum(env)
    set_ratio(env, 0.0)
    path = []
    # steps that pass, and the share of a full episode that the episodes ending then have lasted
    for steps, share in ((399, 0.9), (1, 0.9), (400, 0.76), (400, 0.7), (400, 0.59), (400, 0.4), (400, 0.4)):
        env.common_step_counter += steps
        term.func._born[:] = env.common_step_counter - int(share * env.max_episode_length)
        path.append(term.func(env, everyone, **term.params))
    found["refused"] = ""
    try:
        type(term.func)(term.replace(params={**term.params, "first_weights": {"no_fli": 1.0}}), env)
    except ValueError as error:
        found["refused"] = str(error)
    return {**found, "path": path, "state": term.func.state_dict()}
