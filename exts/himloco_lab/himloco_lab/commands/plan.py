# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a command line of ``scripts/train.py`` asks for, decided and checked before anything is built.

Nothing here loads the learner or a simulator: a mistake is reported within seconds.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import register_external_tasks, update_rsl_rl_cfg
from isaaclab_rl.entrypoints.common import CHECKPOINT_SELECTORS, apply_env_overrides, resolve_seed, set_hydra_args

from himloco_lab.commands.workers import choose_processes
from himloco_lab.errors import CliError
from himloco_lab.runs.checkpoints import find_checkpoint, find_resumed_checkpoint, log_root
from himloco_lab.runs.restarts import earlier_checkpoint
from himloco_lab.runs.run_folder import continues
from himloco_lab.runs.starting import find_exported, is_exported
from himloco_lab.setup.arguments import parse, train_parser
from himloco_lab.setup.checks import check_configs, check_packages, check_processes, check_video
from himloco_lab.setup.machine import apply_device, apply_num_envs
from himloco_lab.setup.overrides import resolve_configs
from himloco_lab.setup.registry import find_task


@dataclass
class Plan:
    """Everything a run needs, decided and checked before the simulation is built."""

    args: argparse.Namespace
    """The command line's flags, for the helpers of Isaac Lab that read them."""
    env_cfg: Any
    """Configuration of the environment."""
    agent_cfg: Any
    """Configuration of the learner."""
    resume_path: Path | None
    """Checkpoint to continue from, or exported policy to start from; the first process's counts for all."""
    rank: int
    """Number of this process among those of a distributed run; only rank 0 writes."""
    processes: int = 1
    """Processes that this one shares the run's environments with, itself included."""
    continues: bool = False
    """Whether the run goes on in the checkpoint's folder, rather than start one of its own."""
    is_restart: bool = False
    """Whether torchrun started the run again, which then ends where it was to end."""


def plan_run(argv: list[str]) -> Plan:
    """Turn a command line into a :class:`Plan`.

    Raises:
        CliError: For whatever is wrong with it.
    """
    try:
        register_external_tasks(argv)
    except (ImportError, AttributeError, ValueError) as error:
        raise CliError(f"--external_callback: {error}") from None
    args, overrides = parse(train_parser(), argv)
    args.task = find_task(args.task, args.agent).id
    check_processes(args.distributed)
    rank = int(os.environ.get("RANK", "0")) if args.distributed else 0
    env_cfg, agent_cfg = resolve_configs(args.task, args.agent, overrides)
    _apply_flags(args, env_cfg, agent_cfg)
    apply_device(args, overrides, env_cfg, agent_cfg)
    apply_num_envs(args, overrides, env_cfg)
    check_configs(env_cfg, agent_cfg)
    processes = choose_processes(args, env_cfg)
    env_cfg.scene.num_envs //= processes
    # every process draws its own numbers; numpy wants them in 32 bits
    env_cfg.seed = agent_cfg.seed = ((resolve_seed(agent_cfg.seed) or 0) + rank) % 2**32
    check_packages(args, agent_cfg)
    check_video(env_cfg, args)
    set_hydra_args(overrides)  # what Isaac Lab leaves in sys.argv, which Kit reads
    plan = Plan(args, env_cfg, agent_cfg, None, rank, processes)
    if rank > 0:  # it gets the first one's, whose folder may be on another machine
        return plan
    plan.resume_path = earlier_checkpoint()
    if plan.resume_path is not None:
        plan.continues = plan.is_restart = True
        return plan
    plan.resume_path, by_run = _find_resume_path(args, agent_cfg)
    if plan.resume_path is not None and by_run:
        plan.continues = continues(args, agent_cfg, plan.resume_path)
    return plan


def _apply_flags(args: argparse.Namespace, env_cfg: Any, agent_cfg: Any) -> None:
    """Carry the flags over into the configurations, as Isaac Lab's own training does."""
    update_rsl_rl_cfg(agent_cfg, args)
    if args.max_iterations is not None:
        agent_cfg.max_iterations = args.max_iterations
    apply_env_overrides(args, env_cfg, apply_device=False)


def _find_resume_path(args: argparse.Namespace, agent_cfg: Any) -> tuple[Path | None, bool]:
    """Return the checkpoint to continue from, or None to start from scratch; and whether it was named by its run."""
    root = log_root(agent_cfg.experiment_name)
    selector = args.checkpoint
    # a file, a folder or a selector means with --resume what it means without
    named = selector is not None and (selector in CHECKPOINT_SELECTORS or os.path.sep in selector)
    if (args.resume or args.load_run or agent_cfg.resume) and not named:
        return find_resumed_checkpoint(root, args.load_run or agent_cfg.load_run, agent_cfg.load_checkpoint), True
    if selector is None:
        return None, False
    if is_exported(selector):
        return find_exported(selector), False
    return find_checkpoint(selector, root, task=args.task, agent_entry=args.agent), False
