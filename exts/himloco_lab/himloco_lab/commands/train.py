# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/train.py``: from a command line to a trained policy.

:func:`plan_run` decides and checks everything within seconds; only :func:`execute` loads the learner and the simulator.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from isaaclab.app import LoadingScreen, launch_simulation
from isaaclab.utils import to_dict
from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import (
    checkpoint_load_cfg,
    register_external_tasks,
    update_rsl_rl_cfg,
)
from isaaclab_rl.entrypoints.common import (
    CHECKPOINT_SELECTORS,
    apply_env_overrides,
    apply_video_recording,
    close_env,
    create_isaaclab_env,
    pre_launch_video_config,
    resolve_seed,
    scoped_torch_backend_flags,
    set_hydra_args,
    show_run_summary,
    startup_screen,
    wrap_sensor_capture,
    write_run_manifest,
)

from himloco_lab.commands.workers import Workers, follow_parent
from himloco_lab.errors import FAILURE, INTERRUPTED, STOPPED, CliError, end_abruptly, run_command
from himloco_lab.runs.checkpoints import find_checkpoint, find_resumed_checkpoint, log_root, read
from himloco_lab.runs.loading import build_runner, check_fit, load_for_all
from himloco_lab.runs.run_folder import (
    claim,
    continues,
    earlier_checkpoint,
    iterations_left,
    make_run_folder,
    remember_folder,
    write_configs,
)
from himloco_lab.runs.starting import check_start, is_exported
from himloco_lab.setup.arguments import parse, train_parser
from himloco_lab.setup.machine import (
    apply_device,
    check_launch,
    check_packages,
    check_processes,
    check_video,
    choose_num_envs,
    choose_processes,
)
from himloco_lab.setup.overrides import check_configs, resolve_configs
from himloco_lab.setup.registry import find_task

if TYPE_CHECKING:
    import gymnasium as gym
    from isaaclab.envs import ManagerBasedRLEnv

    from himloco_rl.runners import HIMOnPolicyRunner


def main(argv: list[str] | None = None) -> int:
    """Train as *argv* (the process's own arguments when None) says, and return the exit code."""
    return run_command(_train, argv)


def _train(argv: list[str]) -> int:
    follow_parent()
    plan = plan_run(argv)
    workers = None
    if plan.processes > 1 and plan.rank == 0:
        share = plan.env_cfg.scene.num_envs
        print(f"[INFO] {plan.processes} processes of {share} environments; set --nproc_per_node to change it")
        flags = ["--device", "cpu", "--seed", str(plan.agent_cfg.seed), "--num_envs", str(plan.num_envs)]
        flags += ["--distributed", "--nproc_per_node", str(plan.processes)]
        workers = Workers([*argv, *flags], plan.processes)
    try:
        return execute(plan, workers)
    except KeyboardInterrupt:
        failure = workers and workers.failure()
        if failure:
            raise CliError(failure, FAILURE) from None
        raise
    finally:
        if workers:
            workers.close()


# --- what the command line asks for ---


@dataclass
class Plan:
    """Everything a run needs, decided and checked before the simulation is built."""

    args: argparse.Namespace
    """The command line's flags, for the helpers of Isaac Lab that read them."""
    env_cfg: Any
    """Configuration of the environment; its ``scene.num_envs`` are those of this process."""
    agent_cfg: Any
    """Configuration of the learner."""
    rank: int
    """Number of this process among those of a distributed run; only rank 0 writes."""
    num_envs: int
    """Environments of all :attr:`processes`."""
    processes: int
    """Processes that share the run's environments, this one included."""
    resume_path: Path | None = None
    """Checkpoint to continue from, or exported policy to start from; the first process's counts for all."""
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
    update_rsl_rl_cfg(agent_cfg, args)
    if args.max_iterations is not None:
        agent_cfg.max_iterations = args.max_iterations
    apply_env_overrides(args, env_cfg, apply_device=False)
    apply_device(args, overrides, env_cfg, agent_cfg)
    num_envs = choose_num_envs(args, overrides, env_cfg)
    processes = choose_processes(args, num_envs, env_cfg.sim.device)
    env_cfg.scene.num_envs = num_envs // processes
    check_configs(env_cfg, agent_cfg)
    # every process draws its own numbers; numpy wants them in 32 bits
    env_cfg.seed = agent_cfg.seed = ((resolve_seed(agent_cfg.seed) or 0) + rank) % 2**32
    check_packages(args, agent_cfg)
    check_video(env_cfg, args)
    set_hydra_args(overrides)  # what Isaac Lab leaves in sys.argv, which Kit reads
    plan = Plan(args, env_cfg, agent_cfg, rank, num_envs, processes)
    if rank == 0:  # the others get its checkpoint, whose folder may be on another machine
        _choose_checkpoint(plan)
    return plan


def _choose_checkpoint(plan: Plan) -> None:
    """Decide what the run begins with, and whether it goes on in that checkpoint's folder."""
    plan.resume_path = earlier_checkpoint()
    if plan.resume_path is not None:
        plan.continues = plan.is_restart = True
        return
    args, agent_cfg = plan.args, plan.agent_cfg
    root, selector = log_root(agent_cfg.experiment_name), args.checkpoint
    # a file, a folder or a selector means with --resume what it means without
    is_place = selector is not None and (selector in CHECKPOINT_SELECTORS or os.path.sep in selector)
    if (args.resume or args.load_run or agent_cfg.resume) and not is_place:
        load_run = args.load_run or agent_cfg.load_run
        plan.resume_path = find_resumed_checkpoint(root, load_run, agent_cfg.load_checkpoint)
        plan.continues = continues(args, agent_cfg, plan.resume_path)
    elif selector is not None:
        plan.resume_path = find_checkpoint(selector, root, task=args.task, agent_entry=args.agent)


# --- the run ---


def execute(plan: Plan, workers: Workers | None = None) -> int:
    """Make the run that *plan* describes, with further processes if it has any, and return the exit code.

    Raises:
        CliError: If physics, renderer and viewer cannot start here together, the run's folder cannot be written, or a
            worker fails.
    """
    from isaaclab_rl.rsl_rl.utils import check_rsl_rl_version, handle_deprecated_rsl_rl_cfg

    args, env_cfg = plan.args, plan.env_cfg
    with (
        scoped_torch_backend_flags(
            cuda_matmul_allow_tf32=True, cudnn_allow_tf32=True, cudnn_deterministic=False, cudnn_benchmark=True
        ),
        startup_screen(args, num_stages=3) as screen,
    ):
        handle_deprecated_rsl_rl_cfg(plan.agent_cfg, check_rsl_rl_version())
        pre_launch_video_config(env_cfg, args)
        show_run_summary(screen, args, env_cfg, library="rsl_rl", action="train")
        check_launch(env_cfg, args)
        iterations = check_checkpoint(plan)
        with contextlib.ExitStack() as cleanup:
            log_dir = _prepare_folder(plan, cleanup)
            screen.stage("Launching simulation")
            with launch_simulation(env_cfg, args), contextlib.ExitStack() as env_cleanup:
                runner = _build(plan, log_dir, screen, env_cleanup)
                screen.close()
                return learn(plan, runner, log_dir, iterations, workers)


def check_checkpoint(plan: Plan) -> int:
    """Check that the checkpoint fits, if there is one, and return the number of iterations to make.

    Raises:
        CliError: If it does not.
    """
    path, left = plan.resume_path, plan.agent_cfg.max_iterations
    settings = cast("dict", to_dict(plan.agent_cfg))
    if path is not None and is_exported(path):
        check_start(path, plan.args.task, plan.env_cfg, settings)
    elif path is not None:
        contents = read(path)
        check_fit(path, contents, plan.args.task, plan.env_cfg, settings)
        if plan.continues:
            left = iterations_left(plan.agent_cfg, path, contents, plan.is_restart)
            print(f"[INFO] Continuing {path.parent}: {contents['iter'] + 1} iterations are done, {left} follow")
    return left


def _prepare_folder(plan: Plan, cleanup: contextlib.ExitStack) -> Path:
    """Create or claim the run's folder, and write everything in it that is known before the simulation is."""
    from himloco_rl.checkpoints.contents import versions

    args, agent_cfg = plan.args, plan.agent_cfg
    root = log_root(agent_cfg.experiment_name)
    resumed = plan.resume_path if plan.continues else None
    if plan.rank > 0:  # rank 0 writes; the others have a folder for what only they can record, should it come to that
        log_dir = root / (args.run_timestamp or "distributed") / f"rank_{plan.rank}"
    else:
        log_dir = resumed.parent if resumed else make_run_folder(root, agent_cfg.run_name, args.run_timestamp)
        cleanup.enter_context(claim(log_dir))
        remember_folder(log_dir)
        made_with = {"agent": args.agent, **versions()}
        write_run_manifest(str(log_dir), library="rsl_rl", task=args.task, metadata=made_with)
        print(f"[INFO] Logging to {log_dir}")
    plan.env_cfg.log_dir = str(log_dir)
    apply_video_recording(plan.env_cfg, str(log_dir), args)
    if plan.rank == 0:
        iteration = int(resumed.stem.rpartition("_")[2]) if resumed else None
        write_configs(log_dir, plan.env_cfg, agent_cfg, iteration)
    return log_dir


def _build(plan: Plan, log_dir: Path, screen: LoadingScreen, cleanup: contextlib.ExitStack) -> HIMOnPolicyRunner:
    """Build the environment and the learner, and load the checkpoint if there is one."""
    from isaaclab.utils.seed import configure_seed
    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper

    args, agent_cfg = plan.args, plan.agent_cfg
    screen.stage("Creating environment")
    env: gym.Env = create_isaaclab_env(args.task, plan.env_cfg, args, convert_marl_to_single_agent=False)
    cleanup.callback(lambda: close_env(env))
    env = wrap_sensor_capture(env, str(log_dir), args)
    screen.stage("Preparing agent")
    vec_env = RslRlVecEnvWrapper(cast("ManagerBasedRLEnv", env), clip_actions=agent_cfg.clip_actions)
    runner = build_runner(vec_env, cast("dict", to_dict(agent_cfg)), log_dir, agent_cfg.device)
    if args.deterministic:  # after the runner, whose initialization it would disturb
        configure_seed(agent_cfg.seed, torch_deterministic=True)
    runner.add_git_repo_to_log(__file__)
    physics = type(plan.env_cfg.sim.physics).__name__
    runner.made_with |= {"task": args.task, "physics": physics, "seed": plan.env_cfg.seed}
    load_cfg = checkpoint_load_cfg(args.resume_optimizer_state, runner_class=agent_cfg.class_name)
    load_for_all(runner, plan.resume_path, args.task, load_cfg)
    return runner


def learn(plan: Plan, runner: HIMOnPolicyRunner, log_dir: Path, iterations: int, workers: Workers | None = None) -> int:
    """Train to the end, or until a signal or the loss of a process, which save what was learned; return the exit code.

    Of the numbers of iterations, the first process's counts for all.

    Raises:
        CliError: If the training broke, or another process was lost.
    """
    import torch.distributed

    from himloco_rl.distributed import LostRankError
    from himloco_rl.guards import DivergedError
    from himloco_rl.observations import NotFiniteError

    start = time.time()
    # Scene and modules stay to the end: the garbage collector need not walk through them again and again.
    gc.collect()
    gc.freeze()
    if workers is not None:
        runner.interrupt_raises = lambda: workers.has_failed
    try:
        iterations = runner.alg.ranks.of_first(iterations)
        if iterations > 0:  # a run may have lost a process when it had come to its end
            runner.learn(iterations, init_at_random_ep_len=plan.agent_cfg.init_at_random_ep_len)
    except (KeyboardInterrupt, LostRankError) as error:
        # the broken connection is noticed before the process that broke it
        lost = isinstance(error, LostRankError)
        failure = workers.failure(wait=5.0 if lost else 0.0) if workers else None
        runner.save_last_iteration()
        if failure is not None or lost:
            raise CliError(failure or str(error), FAILURE) from None
        return INTERRUPTED
    except (NotFiniteError, DivergedError, OSError) as error:  # where a traceback would only say who looked
        raise CliError(str(error), FAILURE) from None
    finally:
        runner.logger.flush()  # TensorBoard's keeps the last seconds in memory
        runner.logger.stop_logging_writer()  # where the training broke, too
        if runner.logger.abandoned:
            end_abruptly("a logging service waits for its network for as long as the process lives")
        # the learner opens the process group and nobody else closes it
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    if plan.rank > 0:  # the first process speaks for all
        return 0
    if runner.stopped_by:
        ahead = "the run has no checkpoint yet" if runner.last_saved is None else "--resume continues the run"
        print(f"[INFO] Stopped by {signal.Signals(runner.stopped_by).name}; {ahead}")
        return STOPPED + runner.stopped_by
    print(f"[INFO] Trained for {time.time() - start:.1f} s; checkpoints are in {log_dir}")
    return 0
