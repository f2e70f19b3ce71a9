# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Carrying out a training plan: simulation, environment, learner, and a folder of checkpoints."""

from __future__ import annotations

import contextlib
import gc
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import gymnasium as gym
import torch.distributed
from isaaclab.app import LoadingScreen, launch_simulation
from isaaclab.utils import to_dict
from isaaclab.utils.seed import configure_seed
from isaaclab_rl.entrypoints.backends.cli_args_rsl_rl import checkpoint_load_cfg
from isaaclab_rl.entrypoints.common import (
    apply_video_recording,
    close_env,
    create_isaaclab_env,
    pre_launch_video_config,
    scoped_torch_backend_flags,
    show_run_summary,
    startup_screen,
    wrap_sensor_capture,
    write_run_manifest,
)
from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper
from isaaclab_rl.rsl_rl.utils import check_rsl_rl_version, handle_deprecated_rsl_rl_cfg

from himloco_lab.commands.plan import Plan
from himloco_lab.commands.workers import Workers
from himloco_lab.errors import FAILURE, INTERRUPTED, STOPPED, CliError, end_abruptly
from himloco_lab.runs.checkpoints import log_root, make_run_folder, read
from himloco_lab.runs.fitting import check_fit
from himloco_lab.runs.loading import build_runner, load_for_all
from himloco_lab.runs.restarts import remember_folder
from himloco_lab.runs.run_folder import claim, iterations_left, write_configs
from himloco_lab.runs.starting import check_start, is_exported
from himloco_lab.setup.checks import check_launch

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv
from himloco_rl.checkpoints.random_state import versions
from himloco_rl.distributed import LostRankError
from himloco_rl.guards import DivergedError
from himloco_rl.observations import NotFiniteError
from himloco_rl.runners import HIMOnPolicyRunner


def execute(plan: Plan, workers: Workers | None = None) -> int:
    """Make the run that *plan* describes and return the exit code.

    Args:
        plan: What to do.
        workers: The further processes of the run, if it has any.

    Raises:
        CliError: If physics, renderer and viewer cannot start here together, the run's folder cannot be written, or a
            worker fails.
    """
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
        iterations = _check_checkpoint(plan)
        with contextlib.ExitStack() as cleanup:
            log_dir = _prepare_folder(plan, cleanup)
            screen.stage("Launching simulation")
            with launch_simulation(env_cfg, args), contextlib.ExitStack() as env_cleanup:
                runner = _build(plan, log_dir, screen, env_cleanup)
                screen.close()
                return _learn(plan, runner, log_dir, workers, iterations)


def _check_checkpoint(plan: Plan) -> int:
    """See that the checkpoint fits, if there is one, and return the number of iterations to make."""
    if plan.resume_path is None:
        return plan.agent_cfg.max_iterations
    settings = cast("dict", to_dict(plan.agent_cfg))
    if is_exported(plan.resume_path):
        check_start(plan.resume_path, plan.args.task, plan.env_cfg, settings)
        return plan.agent_cfg.max_iterations
    contents = read(plan.resume_path)
    check_fit(plan.resume_path, contents, plan.args.task, plan.env_cfg, settings)
    if not plan.continues:
        return plan.agent_cfg.max_iterations
    left = iterations_left(plan.agent_cfg, plan.resume_path, contents, plan.is_restart)
    if plan.rank == 0:
        done = contents["iter"] + 1
        print(f"[INFO] Continuing {plan.resume_path.parent}: {done} iterations are done, {left} follow")
    return left


def _prepare_folder(plan: Plan, cleanup: contextlib.ExitStack) -> Path:
    """Create or claim the run's folder, and write everything in it that is known before the simulation is."""
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
    args, agent_cfg = plan.args, plan.agent_cfg
    screen.stage("Creating environment")
    env: gym.Env = create_isaaclab_env(args.task, plan.env_cfg, args, convert_marl_to_single_agent=False)
    cleanup.callback(lambda: close_env(env))
    env = wrap_sensor_capture(env, str(log_dir), args)
    screen.stage("Preparing agent")
    vec_env = RslRlVecEnvWrapper(cast("ManagerBasedRLEnv", env), clip_actions=agent_cfg.clip_actions)
    runner = build_runner(vec_env, cast("dict", to_dict(agent_cfg)), log_dir, agent_cfg.device)
    if args.deterministic:  # after the runner, whose initialisation it would disturb
        configure_seed(agent_cfg.seed, torch_deterministic=True)
    runner.add_git_repo_to_log(__file__)
    physics = type(plan.env_cfg.sim.physics).__name__
    runner.made_with |= {"task": args.task, "physics": physics, "seed": plan.env_cfg.seed}
    load_cfg = checkpoint_load_cfg(args.resume_optimizer_state, runner_class=agent_cfg.class_name)
    load_for_all(runner, plan.resume_path, args.task, load_cfg)
    return runner


def _learn(
    plan: Plan, runner: HIMOnPolicyRunner, log_dir: Path, workers: Workers | None, iterations: int | None = None
) -> int:
    """Train to the end, or until a signal or the loss of a worker, which save what has been learnt; return the code."""
    start = time.time()
    # The scene and the modules are here to stay: the garbage collector need not walk through them again and again.
    gc.collect()
    gc.freeze()
    if workers is not None:
        runner.interrupt_raises = lambda: workers.has_failed
    try:
        left = runner.of_first(plan.agent_cfg.max_iterations if iterations is None else iterations)
        if left > 0:  # a run may have lost a process when it had come to its end
            runner.learn(left, init_at_random_ep_len=plan.agent_cfg.init_at_random_ep_len)
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
    if runner.stopped_by:
        return _stopped(plan, runner)
    if plan.rank == 0:
        print(f"[INFO] Trained for {time.time() - start:.1f} s; checkpoints are in {log_dir}")
    return 0


def _stopped(plan: Plan, runner: HIMOnPolicyRunner) -> int:
    """Say how a run that a signal ended goes on, and return its exit code; the first process speaks for all."""
    if plan.rank > 0:
        return 0
    ahead = "the run has no checkpoint yet" if runner.last_saved is None else "--resume continues the run"
    print(f"[INFO] Stopped by {signal.Signals(runner.stopped_by).name}; {ahead}")
    return STOPPED + runner.stopped_by
