# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Runs a task in real physics and writes down what happens; a process carries one simulation, so tests call this file.

``python env_probe.py TASK PHYSICS EXPERIMENT[,EXPERIMENT...] OUT`` runs experiments one after the other and saves
their findings, experiment -> dictionary of tensors and plain values, with ``torch.save``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from disturbances import disturbances
from drawn import commands, randomization

Experiments = dict[str, tuple[Callable[[Any], None], Callable[[Any], dict[str, object]]]]
"""Name -> what changes the configuration beforehand, and what runs in the environment."""

NUM_ENVS = 16

CROWN = 0.43 + 0.08
"""Top of the head above the pelvis [m]: center and radius of the head's contact shape; the link lies on the pelvis."""


def main(available: Experiments) -> None:
    """Build the environment, run the experiments that the command line names, save their findings."""
    task, physics, names, out = sys.argv[1:5]
    from isaaclab.app import launch_simulation
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

    import himloco_lab.tasks  # noqa: F401

    torch.set_num_threads(1)
    cfg: Any = load_cfg_from_registry(task, "env_cfg_entry_point")
    cfg.sim.physics = getattr(cfg.sim.physics, physics)
    cfg.sim.device, cfg.seed, cfg.scene.num_envs = "cpu", 7, NUM_ENVS
    experiments = {name: available[name] for name in names.split(",")}
    for prepare, _ in experiments.values():
        prepare(cfg)
    with launch_simulation(cfg, argparse.Namespace(headless=True, device="cpu", visualizer=None)):
        env = ManagerBasedRLEnv(cfg)
        torch.save({name: run(env) for name, (_, run) in experiments.items()}, out)
        env.close()


def actions(env) -> torch.Tensor:
    """Random actions, the same for every process."""
    return 0.5 * torch.randn(env.num_envs, env.action_manager.total_action_dim)


def raw_state(env) -> dict[str, object]:
    """State of the robots as the engine gives it, by name."""
    data = env.scene["robot"].data
    return {
        "quat": data.root_quat_w.torch.clone(),
        "pos": data.root_pos_w.torch.clone(),
        "lin_vel_w": data.root_lin_vel_w.torch.clone(),
        "ang_vel_w": data.root_ang_vel_w.torch.clone(),
        "joint_names": list(env.scene["robot"].joint_names),
        "joint_pos": data.joint_pos.torch.clone(),
        "joint_vel": data.joint_vel.torch.clone(),
        "default_joint_pos": data.default_joint_pos.torch.clone(),
        "command": env.command_manager.get_command("base_velocity").clone(),
        "action": env.action_manager.action.clone(),
    }


def observe(env) -> dict[str, object]:
    """Layout, first observation, some steps with their states, and an episode's end."""
    manager = env.observation_manager
    obs, _ = env.reset()
    steps: list[dict[str, object]] = []
    found: dict[str, object] = {
        "terms": dict(manager.active_terms),
        "dims": {k: [tuple(d) for d in v] for k, v in manager.group_obs_term_dim.items()},
        "first": {k: v.clone() for k, v in obs.items()},
        "body_names": list(env.scene["robot"].body_names),
        "steps": steps,
    }
    for _ in range(8):
        obs, reward, terminated, truncated, extras = env.step(actions(env))
        steps.append(
            {
                "obs": {k: v.clone() for k, v in obs.items()},
                "state": raw_state(env),
                "reward": reward.clone(),
                "done": (terminated | truncated).clone(),
            }
        )
    found["rewards"] = list(env.reward_manager.active_terms)

    # Stand robots 6 and 7 on their heads, which carry them if nothing ends their episodes meanwhile. Then lay robots 3
    # and 9 on their backs in the air, take robots 5 and 9 beyond the terrain's edge, and let robot 7's time be up.
    robot = env.scene["robot"]
    falls = [env.termination_manager.get_term_cfg(name).params for name in ("bad_orientation", "base_contact")]
    limits = [dict(params) for params in falls]
    falls[0]["limit_angle"], falls[1]["threshold"] = 4.0, 1e9
    stand_on_heads(env, torch.tensor([6, 7]))
    for _ in range(5):
        env.step(torch.zeros(env.num_envs, 12))
    for params, limit in zip(falls, limits, strict=True):
        params.update(limit)
    env.episode_length_buf[7] = env.max_episode_length
    pose = robot.data.root_pose_w.torch.clone()
    pose[[3, 9], 2] += 0.2
    pose[[3, 9], 3:] = torch.tensor([0.0, -0.7071, 0.0, 0.7071])
    pose[[5, 9], 0] += 500.0
    moved = torch.tensor([3, 5, 9])
    robot.write_root_pose_to_sim_index(root_pose=pose[moved], env_ids=moved)
    before_reset = {}
    reset = env._reset_idx

    def remember_and_reset(env_ids):
        before_reset.update(raw_state(env))
        reset(env_ids)

    env._reset_idx = remember_and_reset
    obs, _, terminated, truncated, extras = env.step(torch.zeros(env.num_envs, 12))
    env._reset_idx = reset
    found["end"] = {
        "before_reset": before_reset,
        "obs": {k: v.clone() for k, v in obs.items()},
        "final_obs": {k: v.clone() for k, v in extras["final_obs"].items()},
        "terminated": terminated.clone(),
        "truncated": truncated.clone(),
        "terms": {
            name: env.termination_manager.get_term(name).clone() for name in env.termination_manager.active_terms
        },
    }
    return found


def stand_on_heads(env, ids: torch.Tensor) -> None:
    """Put robots on the ground upside down, at rest. A millimeter of air: PhysX throws out what starts inside."""
    robot = env.scene["robot"]
    pose = robot.data.root_pose_w.torch[ids].clone()
    pose[:, 2] = env.scene.terrain.height_at(pose[:, :2]) + CROWN + 0.001
    pose[:, 3:] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    joints = robot.data.default_joint_pos.torch[ids].clone()
    robot.write_root_pose_to_sim_index(root_pose=pose, env_ids=ids)
    robot.write_root_velocity_to_sim_index(root_velocity=torch.zeros(len(ids), 6), env_ids=ids)
    robot.write_joint_position_to_sim_index(position=joints, env_ids=ids)
    robot.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(joints), env_ids=ids)


def add_ray_caster(cfg) -> None:
    """Isaac Lab's own height scanner, to compare with."""
    from isaaclab.sensors import RayCasterCfg, patterns

    cfg.scene.height_scanner = RayCasterCfg(
        prim_path="{ENV_REGEX_NS}/Robot/pelvis",
        offset=RayCasterCfg.OffsetCfg(pos=(0.0, 0.0, 20.0)),
        ray_alignment="yaw",
        pattern_cfg=patterns.GridPatternCfg(resolution=0.1, size=(1.6, 1.0)),
        mesh_prim_paths=["/World/ground"],
        global_world_only=True,
    )


def scan(env) -> dict[str, object]:
    """The height map's scan beside the ray caster's, on all kinds of ground."""
    from isaaclab.envs.mdp import height_scan
    from isaaclab.managers import SceneEntityCfg

    manager = env.observation_manager
    ours = manager._group_obs_term_cfgs["critic"][manager.active_terms["critic"].index("height_scan")]
    terrain = env.scene.terrain
    found = []
    for _ in range(6):
        terrain.terrain_levels.random_(0, terrain.max_terrain_level)
        terrain.env_origins[:] = terrain.terrain_origins[terrain.terrain_levels, terrain.terrain_types]
        env.reset()
        pose = env.scene["robot"].data.root_pose_w.torch.clone()
        pose[:, :2] += 3.0 * (2 * torch.rand(env.num_envs, 2) - 1)
        env.scene["robot"].write_root_pose_to_sim_index(root_pose=pose)
        env.sim.step(render=False)
        env.scene.update(env.physics_dt)
        for sensor in env.scene.sensors.values():
            sensor.update(1.0, force_recompute=True)
        # With ovphysx Isaac Lab's ray caster counts env_10 before env_2: who is who tells the position.
        place = env.scene.sensors["height_scanner"].data.pos_w.torch
        order = torch.cdist(place, env.scene["robot"].data.root_pos_w.torch).argmin(dim=1)
        found.append(
            {
                "map": ours.func(env, **ours.params)[order],
                "rays": height_scan(env, SceneEntityCfg("height_scanner")).clone(),
            }
        )
    return {"map": torch.cat([f["map"] for f in found]), "rays": torch.cat([f["rays"] for f in found])}


def curricula(env) -> dict[str, object]:
    """Terrain levels and the arms' ratio after episodes that went well or badly, and a resumed run's."""
    from himloco_lab.sim_state import IsaacLabState

    env.reset()
    terrain, gait = env.scene.terrain, env.command_manager.get_term("base_velocity")
    arms = env.command_manager.get_term("upper_body")
    term = env.curriculum_manager._term_cfgs
    levels_term, ratio_term = term[0], term[1]
    # as if nothing had happened before
    ratio_term.func.load_state_dict({"sum": 0.0, "episodes": 0, "steps_since_check": 0})
    arms.ratio = 0.0
    best = env.reward_manager.get_term_cfg("tracking_x_vel").weight * env.max_episode_length_s
    sums = env.reward_manager._episode_sums["tracking_x_vel"]
    everyone = torch.arange(env.num_envs)
    terrain.terrain_levels[:] = 4
    env.episode_length_buf[:] = 500
    # robots 0-3 track well and were asked to walk, 4-7 well but stood, 8-11 so-so, 12-15 badly
    sums[:] = best * torch.tensor([0.9] * 8 + [0.6] * 4 + [0.1] * 4)
    gait.commanded_distance[:] = torch.tensor([8.0] * 4 + [0.0] * 4 + [8.0] * 8)
    levels_term.func(env, everyone, **levels_term.params)
    levels = terrain.terrain_levels.clone()
    origins_match = torch.equal(terrain.env_origins, terrain.terrain_origins[levels, terrain.terrain_types])

    ratios = []
    for share, steps in ((0.9, 999), (0.9, 1), (0.9, 1000), (0.1, 1000), (0.81, 1000)):
        env.common_step_counter += steps
        sums[:] = best * share
        ratios.append(ratio_term.func(env, everyone, **ratio_term.params))
    saved = IsaacLabState(env).state_dict()
    counter = env.common_step_counter
    terrain.terrain_levels[:] = 0
    arms.ratio, env.common_step_counter = 0.0, 0
    IsaacLabState(env).load_state_dict(saved)
    return {
        "levels": levels,
        "origins_match": origins_match,
        "ratios": ratios,
        "restored": {
            "levels": terrain.terrain_levels.clone(),
            "ratio": arms.ratio,
            "counter": env.common_step_counter,
        },
        "counter": counter,
    }


def motion(env) -> dict[str, object]:
    """Thirty steps with random actions."""
    env.reset()
    torch.manual_seed(3)
    states = []
    for _ in range(30):
        obs, reward, *_ = env.step(actions(env))
        states.append(torch.cat([obs["policy"], obs["critic"], reward.unsqueeze(1)], dim=1))
    return {"states": torch.stack(states)}


def stand(env) -> dict[str, object]:
    """One second of zero action: how deep do the feet get?"""
    env.reset()
    robot = env.scene["robot"]
    feet = robot.find_bodies(["left_ankle_roll_link", "right_ankle_roll_link"])[0]
    lowest = []
    for _ in range(50):
        env.step(torch.zeros(env.num_envs, 12))
        lowest.append(robot.data.body_pos_w.torch[:, feet, 2].amin(dim=1).clone())
    return {"lowest_ankle": torch.stack(lowest)}


def idle(env) -> dict[str, object]:
    """How often the process's threads wake up in a second in which nobody asks anything of them."""

    def switches() -> int:
        statuses = [path.read_text() for path in Path("/proc/self/task").glob("*/status")]
        return sum(int(line.split()[1]) for text in statuses for line in text.splitlines() if "_ctxt_sw" in line)

    before = switches()
    time.sleep(1.0)
    return {"wakeups": switches() - before}


def nothing(cfg) -> None:
    """Leave the configuration alone."""


EXPERIMENTS: Experiments = {
    "observe": (nothing, observe),
    "commands": (nothing, commands),
    "disturbances": (nothing, disturbances),
    "randomization": (nothing, randomization),
    "scan": (add_ray_caster, scan),
    "curricula": (nothing, curricula),
    "stand": (nothing, stand),
    "motion": (nothing, motion),
    "idle": (nothing, idle),
}


if __name__ == "__main__":
    main(EXPERIMENTS)
