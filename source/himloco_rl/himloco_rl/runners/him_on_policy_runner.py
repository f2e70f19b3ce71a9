# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Runner of HIM: rsl_rl's, with whole checkpoints, runs that continue, and one line per iteration."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rsl_rl.env import VecEnv

from himloco_rl.algorithms import HIMPPO
from himloco_rl.checkpoints.contents import require_sound
from himloco_rl.checkpoints.files import read_checkpoint, require_parts, thin, write_checkpoint
from himloco_rl.checkpoints.random_state import load_random_state_dict, random_state_dict, versions
from himloco_rl.distributed import LostRankError
from himloco_rl.guards.finite_steps import BrokenSimulationError, FiniteSteps
from himloco_rl.guards.learning_guards import DivergedError, GuardSettings, LearningGuards
from himloco_rl.guards.stop_signals import StopSignals
from himloco_rl.observations import NotFiniteError
from himloco_rl.sim_state.environment_state import environment_state_dict, load_environment_state_dict, require_plain

from .cpu_threads import one_thread_but_for
from .progress_logger import ProgressLogger
from .rank_runner import RankRunner

GRACE = 10.0
"""Seconds that an iteration may take to its end after a stop was asked for; its rollout is given up after them."""


class TrainingStopped(Exception):  # noqa: N818 - no error: somebody wanted it
    """Leaves rsl_rl's loop."""


class HIMOnPolicyRunner(RankRunner):
    """rsl_rl's runner for :class:`himloco_rl.algorithms.HIMPPO`, which survives what happens to long runs.

    Beyond rsl_rl's keys, the configuration may hold ``console`` ("line", the default, or "block" for rsl_rl's),
    ``keep_checkpoints`` and ``keep_every`` (see :func:`.checkpoint_files.thin`), ``not_finite_share`` (see
    :mod:`.finite_steps`; 0.01) and ``guards`` (see :class:`.learning_guards.GuardSettings`).

    A checkpoint holds the models, both optimizers and learning rates, the iteration, total steps and time, the random
    states, the environment's curricula (see :mod:`.environment_state`), the layout of the observations and versions.

    SIGTERM and SIGINT end :meth:`learn` after the iteration, with a checkpoint; SIGUSR1 asks for one and goes on. With
    several processes a signal to any of them counts for all.
    """

    alg: HIMPPO
    logger: ProgressLogger

    def __init__(
        self,
        env: VecEnv,
        train_cfg: dict[str, Any],
        log_dir: str | None = None,
        device: str = "cpu",
        env_state_dict: Callable[[VecEnv], dict[str, Any]] = environment_state_dict,
        load_env_state_dict: Callable[[VecEnv, dict[str, Any]], None] = load_environment_state_dict,
    ) -> None:
        """Construct the runner.

        Args:
            env: The environment.
            train_cfg: Configuration, see :mod:`himloco_rl.algorithms.him_setup`; completed in place.
            log_dir: Where logs and checkpoints go; None writes nothing.
            device: Where to learn.
            env_state_dict: Returns what a checkpoint keeps of the environment.
            load_env_state_dict: Restores it.
        """
        console = train_cfg.get("console", "line")
        if console not in ("line", "block"):
            raise ValueError(f"console is {console!r}; use 'line' or 'block'.")
        for name in ("keep_checkpoints", "keep_every"):
            if train_cfg.get(name) is not None and train_cfg[name] < 1:
                raise ValueError(f"{name} is {train_cfg[name]}; it must be at least 1, or None.")
        self._guards = LearningGuards(GuardSettings.from_cfg(train_cfg.get("guards")))
        # HIMPPO looks for NaN itself and names the term, where rsl_rl's check names the group
        if train_cfg["algorithm"].get("check_finite", True):
            train_cfg["check_for_nan"] = False
        super().__init__(env, train_cfg, log_dir, device)
        self._env_state_dict, self._load_env_state_dict = env_state_dict, load_env_state_dict
        self.stopped_by = 0
        """The signal that ended :meth:`learn`, or 0 if it came to its end."""
        self.aborts: Callable[[], bool] | None = None
        """Tells whether SIGINT is to raise KeyboardInterrupt as ever: agreeing on a stop needs all processes."""
        self.made_with: dict[str, Any] = versions()
        """What else a checkpoint says about its origin: numbers and strings."""
        self._total_it = 0
        self._is_learning = False
        self._save_error: OSError | None = None
        self._sound_state: dict[str, Any] = {}
        self._steps: FiniteSteps | None = None
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
        self.logger.after_iteration, self.logger.after_step = self._after_iteration, self._after_step

    def learn(self, num_learning_iterations: int, init_at_random_ep_len: bool = False) -> None:
        """Run the learning loop; a further call, or one after :meth:`load`, goes on with the next iteration.

        Raises:
            NotFiniteError: If the simulation or the learning is broken; the message names the last good checkpoint.
            DivergedError: If a guard was told to stop.
            LostRankError: If another process of the run is gone; what was learnt is saved.
            OSError: If the last checkpoint cannot be written.
        """
        if num_learning_iterations < 1:
            raise ValueError(f"num_learning_iterations is {num_learning_iterations}; it must be at least 1.")
        if self.last_iteration is not None:
            self.current_learning_iteration = self.last_iteration + 1
        num_learning_iterations = self.of_first(num_learning_iterations)
        self._total_it = self.current_learning_iteration + num_learning_iterations
        self.stopped_by, self._sound_state = 0, {}
        self._signals = StopSignals(self.aborts)
        share = self.cfg.get("not_finite_share", 0.01)
        self._steps = FiniteSteps(self.env, self.alg.layout, share, self.cfg["num_steps_per_env"])
        random_lengths = init_at_random_ep_len and not self.logger.continues_episodes
        self._save_error, self._is_learning = None, True
        with self._signals, one_thread_but_for(self.alg, "update", self.device):
            try:
                with self._steps if self.alg.check_finite else contextlib.nullcontext():
                    super().learn(num_learning_iterations, random_lengths)
            except TrainingStopped:
                self._stop()
            except (NotFiniteError, DivergedError, LostRankError) as error:
                if isinstance(error, LostRankError):
                    self.alg.storage.clear()  # half a rollout, maybe
                    self.rescue()
                self._explain(error)
                raise
            finally:
                self._is_learning = False
        if self._save_error is not None:
            raise self._save_error

    def _after_iteration(self, it: int, total_it: int, losses: dict[str, float]) -> None:
        """Look for what has gone wrong and for wishes; all processes come to the same answer."""
        self.last_iteration = it
        assert self._steps is not None
        noise = getattr(self.alg.actor.distribution, "std_param", None)  # where it is clamped, it can go negative
        diverged = self._guards.report(it, losses, noise, self._steps, self.logger.writer)
        stop, save, diverged = self.largest(self._signals.stop, int(self._signals.save), int(diverged))
        if diverged:
            raise DivergedError("; ".join(self._guards.tripped.values()) or "another process has diverged")
        if stop and it + 1 < total_it:
            self.stopped_by = stop
            raise TrainingStopped
        if save:
            self._signals.save = False
            if self.logger.writer is not None:
                path = self._save_in_log_dir()
                if self._save_error is None:
                    print(f"[INFO] SIGUSR1: saved {path}", flush=True)

    def _after_step(self) -> None:
        """Give up a rollout that takes too long to wait for.

        With others it must go on, as they would wait for this process; but whoever kills it finds what it has learnt.
        """
        if self._signals.waiting_for > GRACE:
            if self.is_distributed:
                self.rescue()
                return
            self.stopped_by = self._signals.stop
            raise TrainingStopped

    def _explain(self, error: NotFiniteError | DivergedError | LostRankError) -> None:
        """Add to an error where the last good checkpoint is, and what a broken simulation leaves behind."""
        folder = self.logger.log_dir
        if folder is None:
            return
        notes = [str(error)]
        if isinstance(error, BrokenSimulationError):  # the networks are as good as after the last iteration
            self.alg.storage.clear()
            if self.logger.writer is not None and self.last_iteration is not None:
                state = error.dump["state"]  # of before the step: what the robots are now must not be resumed
                self._sound_state = state if "custom" in state else {"episodes": state, "memory": {}}
                self._save_in_log_dir()
            now = 0 if self.last_iteration is None else self.last_iteration + 1
            dump = Path(folder) / f"not_finite_{now}.pt"
            origin = {"iteration": now, "made_with": self.made_with, "layout": self.alg.layout.as_record()}
            try:
                write_checkpoint(dump, error.dump | origin)
                notes.append(f"{dump} holds the step, for himloco_rl.runners.replay() and scripts/replay.py")
            except OSError as reason:
                notes.append(f"the step could not be written to {dump} ({reason.strerror})")
        good = self.last_saved
        if not self.logger.disable_logs:  # only the first process writes any
            notes.append("no checkpoint was saved yet" if good is None else f"the last good checkpoint is {good}")
        error.args = ("; ".join(notes),)

    def _stop(self) -> None:
        """Save what the last complete iteration learnt."""
        self._is_learning = False  # a checkpoint that cannot be written is an error now
        self.alg.storage.clear()  # half a rollout, maybe
        name = signal.Signals(self.stopped_by).name
        if self.logger.writer is not None:
            if self.last_iteration is None:
                print(f"[INFO] {name}: no iteration was completed, nothing to save", flush=True)
            else:
                print(f"[INFO] {name}: saved {self._save_in_log_dir()}", flush=True)
            self.logger.stop_logging_writer()
        self.wait_for_all()  # nobody ends before what all have learnt is on the disk

    def save(self, path: str, infos: dict | None = None) -> None:
        """Write a checkpoint, whole or not at all; in the middle of a training one that fails is a warning only.

        Args:
            path: The file.
            infos: Anything else to keep: numbers, strings, tensors, in dictionaries and lists.

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
            "environment_state": self._env_state_dict(self.env) | self._sound_state,
            "random_state": random_state_dict(),
            "layout": self.alg.layout.as_record(),
            "total_iterations": self._total_it,
            "made_with": self.made_with,
        }
        require_plain(checkpoint)
        for part in ("actor_state_dict", "critic_state_dict"):
            for name, values in checkpoint[part].items():
                if not bool(torch.isfinite(values).all()):
                    raise NotFiniteError(
                        f"{part}['{name}'] is not finite after iteration {iteration}: {path} not saved"
                    )
        flush = getattr(self.logger.writer, "flush", None)
        if flush is not None:
            flush()  # a run that is killed and resumed has no gap in its curves
        try:
            write_checkpoint(path, checkpoint)
        except OSError as error:
            good = "none" if self.last_saved is None else str(self.last_saved)
            message = f"cannot save {path} ({error.strerror or error}); the last good checkpoint is {good}"
            self._save_error = OSError(message)
            if not self._is_learning:
                raise self._save_error from error
            print(f"[WARNING] {message}; the training goes on", flush=True)
            return
        self._save_error, self.last_saved = None, Path(path)
        if self.logger.log_dir is not None and Path(path).parent == Path(self.logger.log_dir):
            thin(self.logger.log_dir, self.cfg.get("keep_checkpoints"), self.cfg.get("keep_every"))
        self.logger.save_model(path, iteration)

    def load(
        self, path: str, load_cfg: dict | None = None, strict: bool = True, map_location: str | None = None
    ) -> dict:
        """Read a checkpoint of this runner or of rsl_rl's; arguments as in rsl_rl.

        One in this runner's own log folder continues that run: its curves go on after the checkpoint's iteration.

        Raises:
            CheckpointError: If the file is none, is damaged, or wants to run code.
        """
        checkpoint = read_checkpoint(path, map_location or self.device)
        require_parts(path, checkpoint)
        require_sound(path, checkpoint, self.alg, load_cfg)
        if self.alg.load(checkpoint, load_cfg, strict):
            self.current_learning_iteration = self.last_iteration = checkpoint["iter"]
            self.last_saved = Path(path)
            if self.logger.log_dir is not None and Path(path).absolute().parent == Path(self.logger.log_dir).absolute():
                self.logger.cut_after = checkpoint["iter"]
            state = checkpoint.get("environment_state", {})
            lengths = state.get("episodes", {}).get("lengths", ())
            self.logger.continues_episodes = "custom" in state or len(lengths) == self.env.num_envs
            if "logger_state" in checkpoint:
                self.logger.load_state_dict(checkpoint["logger_state"])
            if state:
                self._load_env_state_dict(self.env, state)
            if "random_state" in checkpoint and self.gpu_global_rank == 0:
                load_random_state_dict(checkpoint["random_state"])
            elif self.gpu_global_rank > 0:  # its own numbers, and not those of the run's beginning again
                torch.manual_seed(torch.initial_seed() + checkpoint["iter"] + 1)
        return checkpoint.get("infos") or {}
