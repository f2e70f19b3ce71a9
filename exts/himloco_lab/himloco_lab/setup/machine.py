# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What this machine carries: the device and the number of environments to use when the user names none."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Any

from himloco_lab.errors import FAILURE, CliError

ENVS_PER_CORE = 128
"""Environments per core on a CPU: two cores trained 1,070 to 1,230 env-steps/s with 256 robots and 720 to 1,160
with 128 in neighbouring runs (docs/training.md), as what Python does in a step hardly depends on their number."""
MAX_CPU_ENVS = 1024
"""More environments than this learn no better per sample on a CPU's budget of samples."""
BASE_MEMORY = 2 * 1024**3
"""Memory of a process before its environments [B]; peak 1.3 to 2.8 GB were measured from 16 to 1024 environments."""
MEMORY_PER_ENV = 3 * 1024**2
"""Memory of one environment with its share of the rollout [B], rounded up from the same measurement."""
LEAST_MEMORY_PER_ENV = 100 * 1024
"""Below this no environment fits [B]: its rollout alone (24 steps of some 900 float32 values) is that large."""


def cuda_problem() -> str | None:
    """Return why PyTorch cannot compute on a CUDA device here, or None when it can.

    A device that is only listed is not enough: a driver that is too old shows itself at the first kernel.
    """
    import torch

    if not torch.cuda.is_available():
        built = f"PyTorch {torch.__version__} is built for CUDA {torch.version.cuda}" if torch.version.cuda else ""
        return f"PyTorch sees no CUDA device{' (' + built + ')' if built else ''}"
    try:
        torch.zeros(1, device="cuda").add_(1.0).item()
    except RuntimeError as error:
        return f"CUDA is listed and does not work ({str(error).splitlines()[0]})"
    return None


def resolve_device(requested: str | None, *, flag: str = "--device") -> str:
    """Return the device to run on: the one asked for, checked, or the best that works.

    Args:
        requested: ``cpu``, ``cuda`` or ``cuda:N``; None to choose.
        flag: What the user wrote it under, for the error.

    Raises:
        CliError: If the name is none of these, or CUDA does not work or has no such device.
    """
    if requested is None:
        return "cpu" if cuda_problem() else "cuda:0"
    if requested == "cpu":
        return "cpu"
    match = re.fullmatch(r"cuda(?::(\d+))?", requested)
    if match is None:
        raise CliError(f"{flag} {requested}: unknown device; use cpu, cuda or cuda:N")
    problem = cuda_problem()
    if problem:
        raise CliError(f"{flag} {requested}: {problem}; use --device cpu, or leave --device out", FAILURE)

    import torch

    index, count = int(match[1] or 0), torch.cuda.device_count()
    if index >= count:
        raise CliError(
            f"{flag} {requested}: this machine has {count} CUDA device(s), the last is cuda:{count - 1}", FAILURE
        )
    return f"cuda:{index}"


def distributed_device(requested: str | None) -> str:
    """Return the device of this process in a distributed run: its own GPU, or the CPU (where gloo carries gradients).

    Isaac Lab refuses distributed runs on a CPU; HIM's runner does not need a GPU for them.
    """
    if requested == "cpu" or (requested is None and cuda_problem()):
        return "cpu"
    resolve_device(requested)
    import torch

    from himloco_rl.distributed.process_group import own_gpu

    return f"cuda:{own_gpu(int(os.environ.get('LOCAL_RANK', '0')), torch.cuda.device_count())}"


def available_cores() -> int:
    """Return the number of CPU cores this process may use."""
    return len(os.sched_getaffinity(0))


def available_memory() -> int:
    """Return the memory a new process may use [B]: what is free, within a container's limit."""
    import psutil

    available = psutil.virtual_memory().available
    try:
        return min(available, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no cgroup v2 here, or no limit in it ("max")
        return available


def cpu_num_envs(cores: int, memory: int) -> int:
    """Return how many environments *cores* and *memory* [B] carry: a power of two from 16 to :data:`MAX_CPU_ENVS`."""
    fitting = min(cores * ENVS_PER_CORE, (memory - BASE_MEMORY) // MEMORY_PER_ENV, MAX_CPU_ENVS)
    return 1 << (max(fitting, 16).bit_length() - 1)


def default_num_envs(device: str, task_default: int) -> tuple[int, str]:
    """Return the number of environments for *device* and the reason, in words.

    Args:
        device: Device of the simulation.
        task_default: The task's own number, meant for a GPU.
    """
    if device != "cpu":
        return task_default, f"the task's default, on {device}"
    share = max(int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)
    cores = max(available_cores() // share, 1)
    memory = available_memory() // share
    number = cpu_num_envs(cores, memory)
    return (
        number,
        f"what {cores} CPU core(s) and {memory / 1024**3:.0f} GB of free memory carry; set --num_envs to change it",
    )


def check_num_envs(number: int, device: str) -> None:
    """Refuse a number of environments that cannot fit, before minutes go into building them.

    Raises:
        CliError: If even the least an environment needs exceeds the device's memory.
    """
    if device == "cpu":
        memory = available_memory()
    else:
        import torch

        memory = torch.cuda.get_device_properties(device).total_memory
    most = memory // LEAST_MEMORY_PER_ENV
    if number > most:
        raise CliError(
            f"--num_envs {number}: {device} has {memory / 1024**3:.0f} GB, not enough for more than {most}; use fewer",
            FAILURE,
        )


def apply_device(args: argparse.Namespace, overrides: list[str], env_cfg: Any, agent_cfg: Any | None = None) -> None:
    """Decide the devices of simulation and learner: what the user says, else the best that works."""
    typed = {key: value for key, _, value in (token.partition("=") for token in overrides)}
    wanted = args.device or typed.get("env.sim.device")
    flag = "--device" if args.device or "env.sim.device" not in typed else "env.sim.device"
    distributed = getattr(args, "distributed", False)
    device = distributed_device(wanted) if distributed else resolve_device(wanted, flag=flag)
    env_cfg.sim.device = args.device = device
    if agent_cfg is not None:
        chosen = typed.get("agent.device")
        if chosen and distributed:  # of every process its own
            agent_cfg.device = distributed_device(chosen)
        else:
            agent_cfg.device = resolve_device(chosen, flag="agent.device") if chosen else device
    if device == "cpu" and distributed:
        # Isaac Lab would move a distributed run to a GPU; every other trace of the flag is in the plan by now
        args.distributed = False


def apply_num_envs(args: argparse.Namespace, overrides: list[str], env_cfg: Any) -> None:
    """Decide the number of environments: what the user says, else what the machine carries."""
    device = env_cfg.sim.device
    if args.num_envs is None and not any(token.startswith("env.scene.num_envs=") for token in overrides):
        env_cfg.scene.num_envs, reason = default_num_envs(device, env_cfg.scene.num_envs)
        print(f"[INFO] {env_cfg.scene.num_envs} environments: {reason}")
    check_num_envs(env_cfg.scene.num_envs, device)
