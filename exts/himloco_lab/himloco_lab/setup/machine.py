# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What this machine can run: device, number of environments and processes, physics, viewer and video.

The user's choice is checked, and made where there is none. Nothing here starts a simulation.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib.util
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from isaaclab.app.sim_launcher import validate_launch
from isaaclab_physx.app import KitLauncher
from isaaclab_rl.entrypoints.common import apply_video_recording

from himloco_lab.errors import FAILURE, CliError

ENVS_PER_CORE = 128
"""Environments per core on a CPU: two cores trained 1,070 to 1,230 env-steps/s with 256 robots and 720 to 1,160
with 128 in neighbouring runs (docs/log/training.md), as what Python does in a step hardly depends on their number."""
MAX_CPU_ENVS = 1024
"""More environments than this learn no better per sample on a CPU's budget of samples."""
BASE_MEMORY = 2 * 1024**3
"""Memory of a process before its environments [B]; peak 1.3 to 2.8 GB were measured from 16 to 1024 environments."""
MEMORY_PER_ENV = 3 * 1024**2
"""Memory of one environment with its share of the rollout [B], rounded up from the same measurement."""
LEAST_MEMORY_PER_ENV = 100 * 1024
"""Below this no environment fits [B]: its rollout alone (24 steps of some 900 float32 values) is that large."""
CORES_PER_PROCESS = 2
"""Two processes on two cores are up to a third faster than one (docs/log/benchmarks.md), with twice the memory; how
more of them share many cores is not measured."""
LEAST_ENVS_PER_PROCESS = 128
"""With fewer a further process is not worth its memory: what Python does in a step takes 30 ms for 64 robots and 40 ms
for 128 [measured]."""
WORKER_VARIABLE = "HIMLOCO_WORKER"
"""Environment variable of the processes that a training has started to share its environments with."""

_FILM_HERE = "scripts/play.py --video without --viz films a policy here"


# --- devices ---


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
    """Return the device to run on: the one *requested* under *flag*, checked, or the best that works when it is None.

    Raises:
        CliError: If the name is not ``cpu``, ``cuda`` or ``cuda:N``, or CUDA does not work or has no such device.
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


# --- environments and processes ---


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
    """Return the number of environments for *device* and the reason; the task's own number is meant for a GPU."""
    if device != "cpu":
        return task_default, f"the task's default, on {device}"
    share = max(int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)
    cores, memory = max(available_cores() // share, 1), available_memory() // share
    carry = f"what {cores} CPU core(s) and {memory / 1024**3:.0f} GB of free memory carry"
    return cpu_num_envs(cores, memory), f"{carry}; set --num_envs to change it"


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


def choose_num_envs(args: argparse.Namespace, overrides: list[str], env_cfg: Any) -> int:
    """Return the number of environments in all: what the user says, else what the machine carries.

    Flags, overrides and device have been applied to *env_cfg*.

    Raises:
        CliError: If there is no memory for so many.
    """
    number, device = env_cfg.scene.num_envs, env_cfg.sim.device
    if args.num_envs is None and not any(token.startswith("env.scene.num_envs=") for token in overrides):
        number, reason = default_num_envs(device, number)
        print(f"[INFO] {number} environments: {reason}")
    check_num_envs(number, device)
    return number


def choose_processes(args: argparse.Namespace, num_envs: int, device: str) -> int:
    """Return how many processes share the environments: what ``--nproc_per_node`` says, or what the machine carries.

    Under torchrun it is one: each of its processes has its own ``--num_envs``, as in Isaac Lab.

    Raises:
        CliError: If the number does not suit the device, the launcher or the number of environments.
    """
    wanted = args.nproc_per_node
    if WORKER_VARIABLE in os.environ:
        return wanted
    has_launcher = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if has_launcher or device != "cpu":
        if wanted in (None, 1):
            return 1
        raise CliError(
            f"--nproc_per_node {wanted}: give it to torchrun, which started this process, not to both"
            if has_launcher
            else f"--nproc_per_node {wanted}: shares out CPU cores only; for GPUs use torchrun --nproc_per_node"
            f" {wanted} with --distributed"
        )
    if wanted is not None:
        if num_envs % wanted:
            raise CliError(f"--nproc_per_node {wanted}: cannot share out --num_envs {num_envs} evenly; use a divisor")
        return wanted
    if args.visualizer or args.video or args.distributed:  # one process has all there is to see
        return 1
    memory = available_memory() // BASE_MEMORY
    most = min(available_cores() // CORES_PER_PROCESS, num_envs // LEAST_ENVS_PER_PROCESS, memory)
    return next((count for count in range(most, 1, -1) if num_envs % count == 0), 1)


def check_processes(distributed: bool) -> None:
    """Refuse a process of a group (torchrun) without ``--distributed``, and variables that do not make sense.

    Raises:
        CliError: Naming the variable or the missing flag.
    """
    numbers = []
    for name, default in (("WORLD_SIZE", "1"), ("RANK", "0"), ("LOCAL_RANK", "0")):
        text = os.environ.get(name, default)
        if not text.isdecimal():
            raise CliError(f"{name}={text!r} in the environment: must be a whole number, as torchrun sets it")
        numbers.append(int(text))
    world_size, rank, _ = numbers
    if world_size > 1 and not distributed:
        raise CliError(f"torchrun started {world_size} processes: add --distributed to train with all of them")
    if rank >= max(world_size, 1):
        raise CliError(f"RANK={rank} in the environment: must be less than WORLD_SIZE={world_size}")


# --- physics, viewer, video, packages ---


def check_launch(env_cfg: Any, args: argparse.Namespace) -> None:
    """Refuse physics, renderer and viewer that cannot start here together; settle automatic choices in *env_cfg*.

    Raises:
        CliError: If two of them exclude each other, or Isaac Sim is needed and is not installed.
    """
    bind_viewer_to_loopback(env_cfg, args)
    try:
        _, needs_kit = validate_launch(env_cfg, args)
    except ValueError as error:
        raise CliError(str(error).split("\n\n")[0]) from None
    check_shared_memory(env_cfg)
    if needs_kit and not KitLauncher.is_available():
        remedy = "use physics=ovphysx or physics=newton_mjwarp, and --viz viser to watch"
        raise CliError(f"Isaac Sim is not installed here and is needed by {', '.join(needs_kit)}; {remedy}", FAILURE)


def check_display(args: argparse.Namespace) -> None:
    """Refuse Newton's window where there is no display: Isaac Lab would draw it forever where nobody sees it.

    Raises:
        CliError: If it is asked for, not to be filmed, and there is no display.
    """
    has_display = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY")
    if "newton_gl" in (args.visualizer or []) and not (args.video or args.headless or has_display):
        raise CliError(
            "--viz newton_gl: there is no display to open a window on, DISPLAY is not set; use --viz viser or --video",
            FAILURE,
        )


def bind_viewer_to_loopback(env_cfg: Any, args: argparse.Namespace) -> None:
    """Make the browser viewer that ``--viz viser`` adds serve this machine only, where Isaac Lab's serves the network.

    A viser viewer that the environment's configuration names itself stays as it is.
    """
    configured = env_cfg.sim.visualizer_cfgs or []
    configured = configured if isinstance(configured, list) else [configured]
    if "viser" in (args.visualizer or []) and all(cfg.visualizer_type != "viser" for cfg in configured):
        from isaaclab_visualizers.viser import ViserVisualizerCfg

        env_cfg.sim.visualizer_cfgs = [*configured, ViserVisualizerCfg(bind_address="127.0.0.1")]


def check_shared_memory(env_cfg: Any, folder: str = "/dev/shm") -> None:
    """Refuse PhysX where *folder*, in which Linux keeps its semaphores, cannot be written: it would abort the process.

    Raises:
        CliError: Naming the folder.
    """
    if "newton" in type(env_cfg.sim.physics).__module__.lower():
        return
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CliError(
            f"PhysX needs {folder}, which cannot be written here ({error.strerror}); mount a tmpfs there (docker:"
            " --shm-size=1g), or use physics=newton_mjwarp",
            FAILURE,
        ) from None


def check_video(env_cfg: Any, args: argparse.Namespace) -> None:
    """Refuse ``--video`` where Isaac Lab's recorder could record or write nothing.

    Raises:
        CliError: If the package that writes films is missing, or no viewer that is asked for can be recorded.
    """
    if not args.video:
        return
    if importlib.util.find_spec("moviepy") is None:  # what Isaac Lab's recorder writes its films with
        raise CliError(f"--video needs the package moviepy, which is not installed here; {_FILM_HERE}", FAILURE)
    if not args.visualizer and not env_cfg.video_recorders and not KitLauncher.is_available():
        raise CliError(
            f"--video records Isaac Sim's viewer, which is not installed here; add --viz newton_gl; {_FILM_HERE}",
            FAILURE,
        )
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            apply_video_recording(copy.deepcopy(env_cfg), "", args)
    except ValueError as error:
        raise CliError(str(error).split("\n\n")[0]) from None


def check_packages(args: argparse.Namespace, agent_cfg: Any) -> None:
    """Refuse a logger whose package is not installed here, and a frontend that HIM's tasks do not have.

    Raises:
        CliError: Naming the package or the flag.
    """
    if args.frontend != "torch":
        raise CliError(f"--frontend {args.frontend}: only torch is supported here; leave --frontend out")
    package = agent_cfg.logger
    if package in ("wandb", "neptune") and importlib.util.find_spec(package) is None:
        raise CliError(f"--logger {package}: the package is not installed here; use --logger tensorboard", FAILURE)
