# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Pushes, holds and changes robots of a task through the suites' arena; see env_probe.py."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
import torch

NUM_ENVS = 8


def main() -> None:
    """Build the task under nominal conditions, run everything, save what was found."""
    task, physics, _, out = sys.argv[1:5]
    from isaaclab.app import launch_simulation
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper
    from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

    import himloco_lab.tasks  # noqa: F401
    from himloco_lab.evaluation.env_arena import make_nominal

    torch.set_num_threads(1)
    cfg: Any = load_cfg_from_registry(task, "env_cfg_entry_point")
    cfg.play_mode()
    cfg.sim.physics = getattr(cfg.sim.physics, physics)
    cfg.sim.device, cfg.seed, cfg.scene.num_envs = "cpu", 7, NUM_ENVS
    make_nominal(cfg, 10.0)
    with launch_simulation(cfg, argparse.Namespace(headless=True, device="cpu", visualizer=None)):
        env = ManagerBasedRLEnv(cfg)
        from himloco_lab.evaluation.env_arena import EnvArena

        script = Script()
        arena = EnvArena(RslRlVecEnvWrapper(env), script)
        found = {name: run(arena, script) for name, run in EXPERIMENTS.items()}
        torch.save(found, out)
        env.close()


class Script:
    """A policy that does what a script says, the same for all robots."""

    action = 0.0

    def __call__(self, observations: Any) -> torch.Tensor:
        """Return the action for every joint."""
        return torch.full((NUM_ENVS, 12), self.action)


def standing(height: float = 0.74) -> np.ndarray:
    """The command to stand."""
    return np.tile([0.0, 0.0, 0.0, height], (NUM_ENVS, 1))


def momentum(env: Any) -> torch.Tensor:
    """Of every robot, from its bodies [kg m/s], shape ``[N, 3]``."""
    data = env.scene["robot"].data
    return (data.body_mass.torch.unsqueeze(-1) * data.body_com_lin_vel_w.torch).sum(dim=1)


def push(arena: Any, script: Script) -> dict[str, Any]:
    """Push robots that hang in the air, each at another link."""
    from himloco_lab.evaluation.arena import Push

    arena.reset(1)
    robot = arena.env.scene["robot"]
    pose = robot.data.root_link_pose_w.torch.clone()
    yaw = 2.0 * torch.atan2(pose[:, 5], pose[:, 6])  # XYZW, upright
    pose[:, 2] += 1.0
    robot.write_root_link_pose_to_sim_index(root_pose=pose)
    before = momentum(arena.env)
    links = np.arange(NUM_ENVS)
    force = np.tile([80.0, 30.0, 0.0], (NUM_ENVS, 1))
    arena.step(standing(), push=Push(links, force))
    pushed = momentum(arena.env) - before
    arena.step(standing())
    after = momentum(arena.env) - before - pushed
    return {"yaw": yaw, "pushed": pushed, "after": after, "force": torch.as_tensor(force), "dt": arena.dt}


def hold(arena: Any, script: Script) -> dict[str, Any]:
    """Let the robots fall for a while, and put them back."""
    arena.reset(2)
    data = arena.env.scene["robot"].data
    start = data.root_link_pose_w.torch.clone(), data.joint_pos.torch.clone()
    script.action = 1.0
    for _ in range(5):
        arena.step(standing())
    script.action = 0.0
    moved = (data.joint_pos.torch - start[1]).abs().max()
    arena.hold()
    left = torch.cat([data.root_link_pose_w.torch - start[0], data.joint_pos.torch - start[1]], dim=1).abs().max()
    held = arena.step(standing())
    return {"moved": moved, "left": left, "pose": torch.as_tensor(held.pose), "speed": float(held.velocity.max())}


def arms(arena: Any, script: Script) -> dict[str, Any]:
    """Ask the arms for something else than their default."""
    arena.reset(3)
    targets = np.tile(arena.arm_default + 0.2, (NUM_ENVS, 1))
    for _ in range(25):
        arena.step(standing(), targets)
    robot = arena.env.scene["robot"]
    ids = [robot.joint_names.index(name) for name in arena.arms]
    found = robot.data.joint_pos.torch[:, ids].clone()
    arena.step(standing())
    return {"found": found, "targets": torch.as_tensor(targets), "arms": list(arena.arms)}


def changes(arena: Any, script: Script) -> dict[str, Any]:
    """Load the first half of the robots and make it slide; let all slip over the ground for a tenth of a second."""
    from himloco_lab.evaluation.env_arena import apply

    arena.reset(4)
    env = arena.env
    robot = env.scene["robot"]
    mass = robot.data.body_mass.torch.sum(dim=1)
    half = np.arange(NUM_ENVS) < NUM_ENVS // 2
    apply(env, "torso_link", payload=np.where(half, 5.0, 0.0), friction=np.where(half, 0.1, 1.0))
    for _ in range(10):
        arena.step(standing())
    velocity = torch.zeros(NUM_ENVS, 6)
    velocity[:, 0] = 1.0
    robot.write_root_velocity_to_sim_index(root_velocity=robot.data.root_vel_w.torch + velocity)
    before = momentum(env)[:, 0]
    for _ in range(5):
        arena.step(standing())
    lost = (before - momentum(env)[:, 0]) / robot.data.body_mass.torch.sum(dim=1)
    return {"added": robot.data.body_mass.torch.sum(dim=1) - mass, "lost": lost}


def delay(arena: Any, script: Script) -> dict[str, Any]:
    """Move the legs, with a delay that differs between the robots."""
    from himloco_lab.evaluation.env_arena import apply

    arena.reset(5)
    apply(arena.env, "torso_link", delay=np.arange(NUM_ENVS) % 4)
    before = arena.env.scene["robot"].data.joint_pos.torch.clone()
    script.action = 1.0
    arena.step(standing())
    script.action = 0.0
    robot = arena.env.scene["robot"]
    ids = [robot.joint_names.index(f"{side}_hip_yaw_joint") for side in ("left", "right")]
    return {"change": (robot.data.joint_pos.torch - before)[:, ids].mean(dim=1)}


EXPERIMENTS = {"push": push, "hold": hold, "arms": arms, "changes": changes, "delay": delay}

if __name__ == "__main__":
    main()
