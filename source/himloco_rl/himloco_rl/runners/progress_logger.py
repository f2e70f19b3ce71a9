# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's logger with one line per iteration instead of its block."""

from __future__ import annotations

import contextlib
import datetime
import io
import os
import statistics
import threading
from collections.abc import Callable
from typing import Any

from rsl_rl.utils.logger import Logger

from .curves import TolerantWriter, cut_curves

PATIENCE = {"start": 20, "end": 10}
"""Seconds for which a logging service is waited for; W&B alone waits 90 at the start, and at the end for ever."""


class ProgressLogger(Logger):
    """Writes everything rsl_rl writes, and prints how far the run is and how long it still takes.

    It carries its totals from run to run, so that curves over time and steps join where a run is resumed.
    """

    def __init__(self, *args: Any, block: bool = False, **kwargs: Any) -> None:
        """Initialize the logger.

        Args:
            args: See rsl_rl's Logger.
            block: Print rsl_rl's block instead of the line.
            kwargs: See rsl_rl's Logger.
        """
        super().__init__(*args, **kwargs)
        self.block = block
        self.after_iteration: Callable[[int, int, dict[str, Any]], None] | None = None
        """Called when an iteration is complete and logged: its number, that of the run's end, the losses."""
        self.after_step: Callable[[], None] | None = None
        """Called after every step of the environment."""
        self.cut_after: int | None = None
        """Iteration after which the curves that are in the folder already are written anew; None to leave them."""
        self.continues_episodes = False
        """Whether the environment goes on with the episodes of the state that was loaded."""
        self.abandoned = False
        """Whether a service was given up that still waits for its network, and would keep this process from ending."""
        self._tolerance = TolerantWriter()
        self._run_time = 0.0
        self._has_ended = False

    def init_logging_writer(self) -> None:
        """Open the log; where a service cannot be reached, TensorBoard's files take its place."""
        if self.cut_after is not None and self.log_dir is not None and not self.disable_logs:
            cut_curves(self.log_dir, self.cut_after)
            self.cut_after = None
        os.environ.setdefault("WANDB_INIT_TIMEOUT", str(PATIENCE["start"]))
        try:
            super().init_logging_writer()
        except Exception as error:  # a service's client may raise anything
            if not self._is_service():
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            print(
                f"[WARNING] Logger {self.cfg['logger']} cannot be used ({reason}); writing TensorBoard's files instead"
            )
            self.cfg["logger"], self.abandoned = "tensorboard", True
            super().init_logging_writer()
        if self.writer is not None:
            self.writer = self._tolerance.protect(self.writer)
        self._has_ended = False

    def process_env_step(self, *args: Any, **kwargs: Any) -> None:
        """Count a step; arguments as in rsl_rl's Logger."""
        super().process_env_step(*args, **kwargs)
        if self.after_step is not None:
            self.after_step()

    def log(self, it: int, start_it: int, total_it: int, *args: Any, **kwargs: Any) -> None:
        """Log an iteration; arguments as in rsl_rl's Logger."""
        if it == start_it:
            self._run_time = 0.0
        if self._tolerance.failure is not None:
            self._take_files()
        self._run_time += kwargs["collect_time"] + kwargs["learn_time"]
        block = io.StringIO()
        with contextlib.nullcontext() if self.block else contextlib.redirect_stdout(block):
            super().log(it, start_it, total_it, *args, **kwargs)
        for line in block.getvalue().splitlines():  # what the writer has to say is no part of rsl_rl's block
            if line.startswith("[WARNING]"):
                print(line, flush=True)
        if not self.block and not self.disable_logs:
            print(self.progress_line(it, start_it, total_it, kwargs), flush=True)
        if self.after_iteration is not None:
            self.after_iteration(it, total_it, kwargs["loss_dict"])

    def stop_logging_writer(self) -> None:
        """End the log, once; a service that cannot be reached is not waited for longer than :data:`PATIENCE`."""
        if self._has_ended:
            return
        self._has_ended = True
        ending = threading.Thread(target=super().stop_logging_writer, daemon=True)
        ending.start()
        ending.join(PATIENCE["end"])
        if ending.is_alive():
            self.abandoned = True
            print(
                f"[WARNING] Logger {self.cfg['logger']} has not taken everything within {PATIENCE['end']} s and is"
                " given up; what it kept on this disk can be sent later (wandb sync); TensorBoard's files are whole",
                flush=True,
            )

    def _is_service(self) -> bool:
        """Whether curves go somewhere else than into TensorBoard's files alone."""
        return self.cfg.get("logger", "tensorboard") != "tensorboard"

    def _take_files(self) -> None:
        """Write TensorBoard's files in place of a writer that failed, if they can be written."""
        writer = self._tolerance.reopen(self._tensorboard)
        if writer is None:
            return
        if self._is_service():
            self.abandoned = True
            print(f"[WARNING] Logger {self.cfg['logger']} is given up; TensorBoard's files take its place", flush=True)
            self.cfg["logger"] = "tensorboard"
        self.writer = writer

    def _tensorboard(self) -> Any:
        """A writer of TensorBoard's files that has proved to work."""
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(log_dir=str(self.log_dir), flush_secs=10)
        writer.flush()
        return writer

    def progress_line(self, it: int, start_it: int, total_it: int, values: dict[str, Any]) -> str:
        """One line: iteration, return, episode length, the estimator's error, speed, time left."""
        seconds = values["collect_time"] + values["learn_time"]
        steps = self.cfg["num_steps_per_env"] * self.num_envs * self.gpu_world_size
        left = self._run_time / (it + 1 - start_it) * (total_it - it - 1)
        parts = [f"it {it + 1}/{total_it}"]
        if self.rewbuffer:
            parts.append(f"return {statistics.mean(self.rewbuffer):.2f}")
            parts.append(f"length {statistics.mean(self.lenbuffer):.0f}")
        error = values["loss_dict"].get("estimator_velocity_error")
        if error is not None:
            parts.append(f"velocity error {error:.3f} m/s")
        parts.append(f"std {values['action_std'].detach().mean().item():.2f}")
        parts.append(f"{steps / seconds:.0f} steps/s (collect {values['collect_time']:.2f} s,")
        parts[-1] += f" learn {values['learn_time']:.2f} s)"
        parts.append(f"ETA {datetime.timedelta(seconds=int(left))}")
        return " | ".join(parts)

    def state_dict(self) -> dict[str, Any]:
        """Totals and the last episodes."""
        return {
            "tot_timesteps": self.tot_timesteps,
            "tot_time": self.tot_time,
            "returns": list(self.rewbuffer),
            "lengths": list(self.lenbuffer),
            "running_returns": self.cur_reward_sum.clone(),
            "running_lengths": self.cur_episode_length.clone(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the totals and means of :meth:`state_dict`."""
        self.tot_timesteps = state["tot_timesteps"]
        self.tot_time = state["tot_time"]
        self.rewbuffer.extend(state["returns"])
        self.lenbuffer.extend(state["lengths"])
        if self.continues_episodes and len(state.get("running_returns", ())) == self.num_envs:
            self.cur_reward_sum[:] = state["running_returns"]
            self.cur_episode_length[:] = state["running_lengths"]
