# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Runner of HIM: a loop like rsl_rl's, with whole checkpoints, runs that continue, and requests by signals."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from rsl_rl.utils import check_nan, resolve_callable
from tensordict import TensorDict

from himloco_rl.algorithms import HIMPPO
from himloco_rl.checkpoints import contents
from himloco_rl.checkpoints.files import read_checkpoint, remove_old, require_parts, write_checkpoint
from himloco_rl.distributed import LostRankError
from himloco_rl.distributed.process_group import join
from himloco_rl.distributed.ranks import lost_rank_errors
from himloco_rl.guards.finite_steps import BrokenSimulationError, FiniteSteps
from himloco_rl.guards.learning_guards import DivergedError, GuardSettings, LearningGuards
from himloco_rl.guards.stop_signals import StopSignals
from himloco_rl.observations import NotFiniteError

from .environment_state import EnvironmentState
from .progress_logger import ProgressLogger

GRACE = 10.0
"""Seconds that an iteration may take to its end after a stop was asked for; its rollout is given up after them."""


class HIMOnPolicyRunner(OnPolicyRunner):
    """rsl_rl's runner for :class:`himloco_rl.algorithms.HIMPPO`, with a loop of its own that survives long runs.

    Beyond rsl_rl's keys, the configuration may hold

    - ``environment_state``: subclass of :class:`.EnvironmentState`, or "package.module:Class", that saves and restores
      the environment; by default one that leaves it to the environment;
    - ``console``: "line", the default, or "block" for rsl_rl's;
    - ``keep_checkpoints`` and ``keep_every``: see :func:`himloco_rl.checkpoints.files.remove_old`;
    - ``not_finite_share``: see :class:`himloco_rl.guards.finite_steps.FiniteSteps`; 0.01;
    - ``guards``: see :class:`himloco_rl.guards.learning_guards.GuardSettings`.

    A checkpoint holds the models, both optimizers and learning rates, the iteration, total steps and time, the random
    states, the state of the environment, the layout of the observations and versions.

    SIGTERM and SIGINT end :meth:`learn` after the iteration, with a checkpoint; SIGUSR1 asks for one and continues.
    With several processes (torchrun), on GPUs or CPUs, a signal to any of them counts for all.
    """

    alg: HIMPPO
    logger: ProgressLogger
    last_iteration: int | None = None
    """The last one that was completed, here or in the run that was loaded."""
    last_saved: Path | None = None
    """The newest checkpoint that this runner wrote or read."""
    stopped_by: int = 0
    """The signal that ended :meth:`learn`, or 0 if it came to its end."""
    interrupt_raises: Callable[[], bool] | None = None
    """Tells whether SIGINT is to raise KeyboardInterrupt at once, as agreeing on a stop would need lost processes."""
    _steps: FiniteSteps

    def __init__(self, env: VecEnv, train_cfg: dict[str, Any], log_dir: str | None = None, device: str = "cpu") -> None:
        """Construct the runner; arguments as rsl_rl's. No log_dir writes nothing.

        The configuration is described in :mod:`himloco_rl.algorithms.him_setup`, and completed in place.
        """
        console = train_cfg.get("console", "line")
        if console not in ("line", "block"):
            raise ValueError(f"console is {console!r}; use 'line' or 'block'.")
        for name in ("keep_checkpoints", "keep_every"):
            if train_cfg.get(name) is not None and train_cfg[name] < 1:
                raise ValueError(f"{name} is {train_cfg[name]}; it must be at least 1, or None.")
        self._guards = LearningGuards(GuardSettings.from_cfg(train_cfg.get("guards")))
        super().__init__(env, train_cfg, log_dir, device)
        self.alg.checks_steps = False  # FiniteSteps does
        self.env_state: EnvironmentState = resolve_callable(train_cfg.get("environment_state") or EnvironmentState)(env)
        """Saves and restores the environment."""
        self.made_with: dict[str, Any] = contents.versions()
        """What else a checkpoint says about its origin: numbers and strings."""
        self._total_it = 0
        self._is_learning = False
        self._save_error: OSError | None = None
        self._sound_episodes: dict[str, Any] | None = None
        self._secured: int | None = None
        self._signals = StopSignals()
        self.logger = ProgressLogger(
            log_dir=log_dir,
            cfg=self.cfg,
            env_cfg=env.cfg,
            num_envs=env.num_envs,
            is_distributed=self.is_distributed,
            gpu_world_size=self.gpu_world_size,
            gpu_global_rank=self.gpu_global_rank,
            device=device,
            block=console == "block",
        )

    # Learning --------------------------------------------------------------------------------------------------------

    def learn(self, num_learning_iterations: int, init_at_random_ep_len: bool = False) -> None:
        """Run the learning loop; a further call, or one after :meth:`load`, continues with the next iteration.

        The first process's number of iterations counts for all. With init_at_random_ep_len episodes begin at a random
        age, unless those of a checkpoint continue.

        Raises:
            NotFiniteError: If the simulation or the learning is broken; the message names the last good checkpoint.
            DivergedError: If a guard was told to stop.
            LostRankError: If another process of the run is gone; what was learnt is saved.
            OSError: If the last checkpoint cannot be written.
        """
        if num_learning_iterations < 1:
            raise ValueError(f"num_learning_iterations is {num_learning_iterations}; it must be at least 1.")
        all_threads = torch.get_num_threads()
        self._signals = StopSignals(self.interrupt_raises)
        with self._signals, self._explained_errors(), cpu_threads(1, self.device):
            start_it, total_it = self._start(num_learning_iterations, init_at_random_ep_len)
            obs = self.env.get_observations().to(self.device)
            for it in range(start_it, total_it):
                start = time.time()
                with torch.inference_mode():
                    obs = self._collect(obs)
                    collected = time.time()
                    if obs is None:  # the rollout was given up
                        self.stopped_by = self._signals.stop
                        break
                    self.alg.compute_returns(obs)
                with cpu_threads(all_threads, self.device):
                    losses = self.alg.update()
                self.current_learning_iteration = self.last_iteration = it
                self.logger.log(
                    it,
                    start_it,
                    total_it,
                    collect_time=collected - start,
                    learn_time=time.time() - collected,
                    loss_dict=losses,
                    learning_rate=self.alg.learning_rate,
                    action_std=self.alg.get_policy().output_std,
                )
                stop, save = self._agree(it, losses)
                if stop and it + 1 < total_it:
                    self.stopped_by = stop
                    break
                if self.logger.writer is not None and (save or it % self.cfg["save_interval"] == 0):
                    self._save_in_log_dir()
                    if save and self._save_error is None:
                        print(f"[INFO] SIGUSR1: saved {self.last_saved}", flush=True)
            self._finish()

    def _start(self, num_iterations: int, init_at_random_ep_len: bool) -> tuple[int, int]:
        """Get everything ready for :meth:`learn`; return its first iteration, and the one that it ends before."""
        if self.last_iteration is not None:
            self.current_learning_iteration = self.last_iteration + 1
        start_it = self.current_learning_iteration
        self._total_it = start_it + self.alg.ranks.of_first(num_iterations)
        self.stopped_by, self._sound_episodes, self._save_error = 0, None, None
        if init_at_random_ep_len and not self.logger.continues_episodes:
            ages = torch.randint_like(self.env.episode_length_buf, high=int(self.env.max_episode_length))
            self.env.episode_length_buf = ages
        share = self.cfg.get("not_finite_share", 0.01)
        self._steps = FiniteSteps(self.env, self.env_state, self.alg.layout, share, self.cfg["num_steps_per_env"])
        self.alg.train_mode()
        if self.is_distributed:
            print(f"Synchronizing parameters for rank {self.gpu_global_rank}...")
            with lost_rank_errors():
                self.alg.broadcast_parameters()
        self.logger.init_logging_writer()
        return start_it, self._total_it

    def _collect(self, obs: TensorDict) -> TensorDict | None:
        """Fill the storage by T steps of the policy; return the last observations, group -> [N, D].

        Returns None if a signal asked for a stop and the rollout takes too long.
        """
        for _ in range(self.cfg["num_steps_per_env"]):
            actions = self.alg.act(obs).to(self.env.device)
            if self.alg.check_finite:
                self.env_state.note_episodes()  # which a dump of the next step needs
                step = self._steps.after_step(actions, self.env.step(actions))
            else:
                step = self.env.step(actions)
                if self.cfg.get("check_for_nan", True):
                    check_nan(*step[:3])
            obs, rewards, dones = (values.to(self.device) for values in step[:3])
            extras = step[3]
            self.alg.process_env_step(obs, rewards, dones, extras)
            self.logger.process_env_step(rewards, dones, extras)
            if self._signals.waiting_for > GRACE:
                if not self.is_distributed:
                    return None
                self.save_last_iteration()  # the others wait for this process; but whoever kills it finds that
        return obs

    def _agree(self, it: int, losses: dict[str, float]) -> tuple[int, bool]:
        """Return the signal that asks for a stop, or 0, and whether a checkpoint is asked for: the same in all ranks.

        Raises:
            DivergedError: If a guard was told to stop.
        """
        noise = getattr(self.alg.actor.distribution, "std_param", None)  # where it is clamped, it can go negative
        diverged = self._guards.report(it, losses, noise, self._steps, self.logger.writer)
        stop, save, diverged = self.alg.ranks.largest(self._signals.stop, int(self._signals.save), int(diverged))
        if diverged:
            raise DivergedError("; ".join(self._guards.tripped.values()) or "another process has diverged")
        if save:
            self._signals.save = False
        return stop, bool(save)

    def _finish(self) -> None:
        """Save what was learnt last, and end the log."""
        name = signal.Signals(self.stopped_by).name if self.stopped_by else ""
        if self.stopped_by:
            self._is_learning = False  # a checkpoint that cannot be written is an error now
            self.alg.storage.clear()  # half a rollout, maybe
        if self.logger.writer is not None:
            if self.last_iteration is None:
                print(f"[INFO] {name}: no iteration was completed, nothing to save", flush=True)
            else:
                if self.last_saved != self._path_of_last():
                    self._save_in_log_dir()
                if name:
                    print(f"[INFO] {name}: saved {self.last_saved}", flush=True)
            self.logger.stop_logging_writer()
        if self.stopped_by:
            self.alg.ranks.largest(0)  # waits for all: nobody ends before what all have learnt is on the disk
        if self._save_error is not None:
            raise self._save_error

    @contextlib.contextmanager
    def _explained_errors(self) -> Iterator[None]:
        """Let errors of a training say where its last good checkpoint is, and save what can be saved."""
        self._is_learning = True
        try:
            yield
        except (NotFiniteError, DivergedError, LostRankError) as error:
            notes = [str(error)]
            if isinstance(error, LostRankError):
                self.alg.storage.clear()  # half a rollout, maybe
                self.save_last_iteration()
            if self.logger.log_dir is not None:
                if isinstance(error, BrokenSimulationError):
                    notes.append(self._dump_step(error))
                if not self.logger.disable_logs:  # only the first process writes any
                    good = f"the last good checkpoint is {self.last_saved}"
                    notes.append("no checkpoint was saved yet" if self.last_saved is None else good)
            error.args = ("; ".join(notes),)
            raise
        finally:
            self._is_learning = False

    def _dump_step(self, error: BrokenSimulationError) -> str:
        """Save the networks, which are as good as after the last iteration, and the broken step; say where it is."""
        self.alg.storage.clear()
        if self.logger.writer is not None and self.last_iteration is not None:
            self._sound_episodes = error.dump["state"]  # what the robots are after the step must not be resumed
            self._save_in_log_dir()
        iteration = 0 if self.last_iteration is None else self.last_iteration + 1
        path = Path(str(self.logger.log_dir)) / f"not_finite_{iteration}.pt"
        origin = {"iteration": iteration, "made_with": self.made_with, "layout": self.alg.layout.as_record()}
        try:
            write_checkpoint(path, error.dump | origin)
        except OSError as reason:
            return f"the step could not be written to {path} ({reason.strerror})"
        return f"{path} holds the step, for scripts/replay.py"

    # Checkpoints -----------------------------------------------------------------------------------------------------

    def save(self, path: str, infos: dict | None = None) -> None:
        """Write a checkpoint, whole or not at all; in the middle of a training one that fails is a warning only.

        It keeps *infos* beside the rest: numbers, strings and tensors, in dictionaries and lists.

        Raises:
            NotFiniteError: If the networks hold NaN or infinity.
            OSError: If it cannot be written.
        """
        iteration = self.current_learning_iteration if self.last_iteration is None else self.last_iteration
        checkpoint = {
            **self.alg.save(),
            "iter": iteration,
            "infos": infos,
            "logger_state": self.logger.state_dict(),
            "environment_state": self.env_state.state_dict(self._sound_episodes),
            "random_state": contents.random_state_dict(),
            "layout": self.alg.layout.as_record(),
            "total_iterations": self._total_it,
            "made_with": self.made_with,
        }
        contents.require_plain(checkpoint)
        contents.require_finite(path, checkpoint)
        self.logger.flush()
        try:
            write_checkpoint(path, checkpoint)
        except OSError as error:
            good = self.last_saved or "none"
            message = f"cannot save {path} ({error.strerror or error}); the last good checkpoint is {good}"
            self._save_error = OSError(message)
            if not self._is_learning:
                raise self._save_error from error
            print(f"[WARNING] {message}; the training goes on", flush=True)
            return
        self._save_error, self.last_saved = None, Path(path)
        if self.logger.log_dir is not None and Path(path).parent == Path(self.logger.log_dir):
            remove_old(self.logger.log_dir, self.cfg.get("keep_checkpoints"), self.cfg.get("keep_every"))
        self.logger.save_model(path, iteration)

    def save_last_iteration(self) -> None:
        """Save what the last complete iteration learnt, unless that is done: this process may not come to its end."""
        if self.logger.writer is None or self.last_iteration in (None, self._secured):
            return
        path = self._path_of_last()
        if self.last_saved != path:
            self._save_in_log_dir()
            if self.last_saved == path:  # in the middle of a training it need not have worked
                print(f"[INFO] To be safe: saved {path}; --resume continues from it", flush=True)
        self._secured = self.last_iteration

    def load(
        self, path: str, load_cfg: dict | None = None, strict: bool = True, map_location: str | None = None
    ) -> dict:
        """Read a checkpoint of this runner or of rsl_rl's; arguments as in rsl_rl.

        One in this runner's own log folder continues that run: its curves continue after the checkpoint's iteration.

        Raises:
            CheckpointError: If the file is none, is damaged, or wants to run code.
        """
        checkpoint = read_checkpoint(path, map_location or self.device)
        require_parts(path, checkpoint)
        contents.require_sound(path, checkpoint, self.alg, load_cfg)
        if self.alg.load(checkpoint, load_cfg, strict):
            self.current_learning_iteration = self.last_iteration = checkpoint["iter"]
            self.last_saved = Path(path)
            if self.logger.log_dir is not None and Path(path).absolute().parent == Path(self.logger.log_dir).absolute():
                self.logger.cut_after = checkpoint["iter"]
            state = checkpoint.get("environment_state")
            self.logger.continues_episodes = bool(state) and self.env_state.load_state_dict(state)
            if "logger_state" in checkpoint:
                self.logger.load_state_dict(checkpoint["logger_state"])
            if "random_state" in checkpoint and self.gpu_global_rank == 0:
                contents.load_random_state_dict(checkpoint["random_state"])
            elif self.gpu_global_rank > 0:  # its own numbers, and not those of the run's beginning again
                torch.manual_seed(torch.initial_seed() + checkpoint["iter"] + 1)
        return checkpoint.get("infos") or {}

    def _path_of_last(self) -> Path:
        """Where the last complete iteration's checkpoint belongs, beside rsl_rl's."""
        return Path(str(self.logger.log_dir), f"model_{self.last_iteration}.pt")

    def _save_in_log_dir(self) -> None:
        """Write the last complete iteration's checkpoint."""
        self.save(str(self._path_of_last()))

    # Several processes -----------------------------------------------------------------------------------------------

    def _configure_multi_gpu(self) -> None:
        """Join the processes that torchrun started; rsl_rl would have them on GPUs only."""
        world_size = int(os.getenv("WORLD_SIZE", "1"))
        if world_size == 1:
            super()._configure_multi_gpu()
            return
        self.gpu_world_size, self.is_distributed = world_size, True
        self.gpu_local_rank = int(os.getenv("LOCAL_RANK", "0"))
        self.gpu_global_rank = int(os.getenv("RANK", "0"))
        ranks = {"global_rank": self.gpu_global_rank, "local_rank": self.gpu_local_rank}
        self.cfg["multi_gpu"] = {**ranks, "world_size": world_size}
        join(str(self.device), self.gpu_global_rank, self.gpu_local_rank, world_size)


@contextlib.contextmanager
def cpu_threads(number: int, device: str) -> Iterator[None]:
    """Let torch use so many threads while entered.

    A rollout on the CPU is thousands of operations on tensors of a few thousand numbers: handing them to a second
    thread takes longer than doing them, and the simulator wants that core. An update multiplies large matrices. Where
    torch computes on a GPU, nothing changes.
    """
    before = torch.get_num_threads()
    if torch.device(device).type == "cpu":
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
