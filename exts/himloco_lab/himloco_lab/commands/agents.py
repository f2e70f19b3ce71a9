# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/zero_agent.py`` and ``scripts/random_agent.py``: a task without a policy, to see it run and how fast.

The actions are those of Isaac Lab's agents. Their loop, ``simple_agents.run``, is not called: it opens a window by
default, builds the task's 4096 environments on a CPU as well, and measures no speed.
"""

from __future__ import annotations

import contextlib
import functools
import time

import gymnasium as gym
import torch
from isaaclab.app import launch_simulation
from isaaclab_rl.entrypoints.common import (
    apply_env_overrides,
    apply_video_recording,
    close_env,
    normalize_task_name,
    pre_launch_video_config,
    set_hydra_args,
    video_playback_steps,
)
from isaaclab_rl.entrypoints.simple_agents import create_random_action_policy, create_zero_action_policy

from himloco_lab.errors import run_command
from himloco_lab.runs.checkpoints import log_root
from himloco_lab.setup.arguments import agent_parser, parse
from himloco_lab.setup.machine import apply_device, check_launch, check_video, choose_num_envs
from himloco_lab.setup.overrides import check_configs, resolve_configs
from himloco_lab.setup.registry import find_task

_POLICIES = {"zero": create_zero_action_policy, "random": create_random_action_policy}
_SEED = 42


def main(policy: str, argv: list[str] | None = None) -> int:
    """Run the agent called *policy* (``zero`` or ``random``) as *argv* says, and return the exit code."""
    return run_command(functools.partial(_run, policy), argv)


def _run(policy: str, argv: list[str]) -> None:
    args, overrides = parse(agent_parser(policy), argv)
    args.task = find_task(args.task).id
    env_cfg, _ = resolve_configs(args.task, None, overrides)
    apply_env_overrides(args, env_cfg, apply_device=False)
    apply_device(args, overrides, env_cfg)
    env_cfg.scene.num_envs = choose_num_envs(args, overrides, env_cfg)
    check_configs(env_cfg, None)
    check_video(env_cfg, args)
    env_cfg.seed = _SEED if env_cfg.seed is None else env_cfg.seed
    set_hydra_args(overrides)

    log_dir = log_root(f"{policy}_agent") / normalize_task_name(args.task)
    pre_launch_video_config(env_cfg, args)
    check_launch(env_cfg, args)
    apply_video_recording(env_cfg, str(log_dir), args, subdir="play")
    limits = [steps for steps in (args.max_steps, video_playback_steps(args, env_cfg)) if steps is not None]
    with launch_simulation(env_cfg, args), contextlib.ExitStack() as cleanup:
        env = gym.make(args.task, cfg=env_cfg)
        cleanup.callback(lambda: close_env(env))
        _step(env, policy, min(limits, default=None))


def _step(env: gym.Env, policy: str, max_steps: int | None) -> None:
    """Step *env* under *policy* for *max_steps* steps, or until a viewer closes or Ctrl-C, and print the speed."""
    length = f"{max_steps} steps" if max_steps is not None else "until Ctrl-C"
    print(f"[INFO] {policy} actions of shape {env.action_space.shape}, {length}")
    torch.manual_seed(_SEED)
    env.reset()
    act = _POLICIES[policy](env)
    simulation = env.unwrapped.sim  # type: ignore[attr-defined]  # every environment of Isaac Lab has one
    num_envs = env.unwrapped.num_envs  # type: ignore[attr-defined]
    steps, ended, start = 0, 0, time.perf_counter()
    with contextlib.suppress(KeyboardInterrupt), torch.inference_mode():
        while simulation.is_running() and (max_steps is None or steps < max_steps):
            _, _, terminated, truncated, _ = env.step(act())
            ended += int((terminated | truncated).sum())  # type: ignore[operator]
            steps += 1
    seconds = time.perf_counter() - start
    print(
        f"[INFO] {steps} steps of {num_envs} environments in {seconds:.1f} s"
        f" ({steps * num_envs / max(seconds, 1e-9):,.0f} env-steps/s), {ended} episodes ended"
    )
