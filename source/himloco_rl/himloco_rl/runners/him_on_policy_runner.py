# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Runner of HIM: rsl_rl's, with whole checkpoints, runs that continue, and one line per iteration."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner

from himloco_rl.algorithms import HIMPPO

from .cpu_threads import one_thread_but_for
from .environment_state import environment_state_dict, load_environment_state_dict, require_plain
from .progress_logger import ProgressLogger


class HIMOnPolicyRunner(OnPolicyRunner):
    """rsl_rl's runner for :class:`himloco_rl.algorithms.HIMPPO`.

    Beyond rsl_rl's keys, the configuration may hold ``console`` ("line", the default, or "block" for rsl_rl's).

    A checkpoint holds the models, both optimizers and learning rates, the iteration, total steps and time, and the
    environment's curricula (see :mod:`.environment_state`). It is written beside its place and renamed, so that an
    interruption leaves no half of one, and read without running code from the file.
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
        # HIMPPO looks for NaN itself and names the term, where rsl_rl's check names the group
        if train_cfg["algorithm"].get("check_finite", True):
            train_cfg["check_for_nan"] = False
        super().__init__(env, train_cfg, log_dir, device)
        self._env_state_dict, self._load_env_state_dict = env_state_dict, load_env_state_dict
        self._completed = False
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

    def learn(self, num_learning_iterations: int, init_at_random_ep_len: bool = False) -> None:
        """Run the learning loop; a further call, or one after :meth:`load`, goes on with the next iteration."""
        if num_learning_iterations < 1:
            raise ValueError(f"num_learning_iterations is {num_learning_iterations}; it must be at least 1.")
        if self._completed:
            self.current_learning_iteration += 1
        with one_thread_but_for(self.alg, "update", self.device):
            super().learn(num_learning_iterations, init_at_random_ep_len)
        self._completed = True

    def save(self, path: str, infos: dict | None = None) -> None:
        """Write a checkpoint, whole or not at all.

        Args:
            path: The file.
            infos: Anything else to keep: numbers, strings, tensors, in dictionaries and lists.
        """
        checkpoint = self.alg.save()
        checkpoint["iter"] = self.current_learning_iteration
        checkpoint["infos"] = infos
        checkpoint["logger_state"] = self.logger.state_dict()
        checkpoint["environment_state"] = self._env_state_dict(self.env)
        require_plain(checkpoint)
        beside = f"{path}.{os.getpid()}.tmp"
        try:
            with open(beside, "wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        finally:
            if os.path.exists(beside):
                os.remove(beside)
        self.logger.save_model(path, self.current_learning_iteration)

    def load(
        self, path: str, load_cfg: dict | None = None, strict: bool = True, map_location: str | None = None
    ) -> dict:
        """Read a checkpoint of this runner or of rsl_rl's; arguments as in rsl_rl."""
        checkpoint = torch.load(path, weights_only=True, map_location=map_location or self.device)
        if self.alg.load(checkpoint, load_cfg, strict):
            self.current_learning_iteration = checkpoint["iter"]
            self._completed = True
            if "logger_state" in checkpoint:
                self.logger.load_state_dict(checkpoint["logger_state"])
            if "environment_state" in checkpoint:
                self._load_env_state_dict(self.env, checkpoint["environment_state"])
        return checkpoint["infos"]

    def _configure_multi_gpu(self) -> None:
        """Join the processes that torchrun started; on CPUs they talk by gloo, which rsl_rl does not offer."""
        world_size = int(os.getenv("WORLD_SIZE", "1"))
        if world_size == 1 or str(self.device).startswith("cuda"):
            super()._configure_multi_gpu()
            return
        self.gpu_world_size, self.is_distributed = world_size, True
        self.gpu_local_rank = int(os.getenv("LOCAL_RANK", "0"))
        self.gpu_global_rank = int(os.getenv("RANK", "0"))
        if self.gpu_global_rank >= world_size:
            raise ValueError(f"RANK is {self.gpu_global_rank} of WORLD_SIZE {world_size}; start the run with torchrun.")
        self.cfg["multi_gpu"] = {
            "global_rank": self.gpu_global_rank,
            "local_rank": self.gpu_local_rank,
            "world_size": world_size,
        }
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group("gloo", rank=self.gpu_global_rank, world_size=world_size)
