# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's logger with one line per iteration instead of its block, and with totals that a resumed run continues."""

from __future__ import annotations

import contextlib
import datetime
import os
import statistics
import threading
from pathlib import Path
from typing import Any

import torch
from rsl_rl.utils.log_writer import LogWriter
from rsl_rl.utils.logger import Logger

from .curves import TolerantWriter, cut_curves

PATIENCE = {"start": 20, "end": 10}
"""Seconds for which a logging service is waited for; W&B alone waits 90 at the start, and at the end for ever."""


class ProgressLogger(Logger):
    """Writes every curve that rsl_rl writes, and prints how far the run is and how long it still takes.

    It carries its totals from run to run, so that curves over time and steps join where a run is resumed. A log that
    cannot be written does not end a training.
    """

    writer: TolerantWriter | None

    def __init__(self, *args: Any, block: bool = False, **kwargs: Any) -> None:
        """Initialize the logger.

        Args:
            args: See rsl_rl's Logger.
            block: Print rsl_rl's block instead of the line.
            kwargs: See rsl_rl's Logger.
        """
        super().__init__(*args, **kwargs)
        self.block = block
        self.cut_after: int | None = None
        """Iteration after which the curves that are in the folder already are written anew; None to leave them."""
        self.continues_episodes = False
        """Whether the environment continues the episodes of the state that was loaded."""
        self.abandoned = False
        """Whether a service was given up that still waits for its network, and would keep this process from ending."""
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
        self.writer = None if self.writer is None else TolerantWriter(self.writer)
        self._has_ended = False

    def log(
        self,
        it: int,
        start_it: int,
        total_it: int,
        collect_time: float,
        learn_time: float,
        loss_dict: dict[str, float],
        learning_rate: float,
        action_std: torch.Tensor,
        **block: Any,
    ) -> None:
        """Write an iteration's curves, and print its line or block.

        Args:
            it: The iteration.
            start_it: The first one of this run.
            total_it: Where the run ends.
            collect_time: Seconds of the rollout [s].
            learn_time: Seconds of returns and update [s].
            loss_dict: What the update returned.
            learning_rate: The policy's.
            action_std: Standard deviations of the action noise, any shape.
            block: See rsl_rl's Logger.
        """
        self._run_time = collect_time + learn_time + (0.0 if it == start_it else self._run_time)
        if self.writer is not None and self.writer.failure is not None:
            self._reopen()
        values = {"collect_time": collect_time, "learn_time": learn_time, "loss_dict": loss_dict}
        values |= {"learning_rate": learning_rate, "action_std": action_std}
        if self.block:
            super().log(it, start_it, total_it, **values, **{"rnd_weight": None, **block})
            return
        if self.writer is not None:
            self._write_curves(self.writer, it, **values)
        if not self.disable_logs:
            print(self.progress_line(it, start_it, total_it, values), flush=True)

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

    def flush(self) -> None:
        """Bring all curves to the disk, so that a run that is killed and resumed has no gap in them."""
        if self.writer is not None:
            self.writer.flush()

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

    def _write_curves(
        self,
        writer: TolerantWriter,
        it: int,
        collect_time: float,
        learn_time: float,
        loss_dict: dict[str, float],
        learning_rate: float,
        action_std: torch.Tensor,
    ) -> None:
        """Write what rsl_rl's ``log`` writes, under the same tags; that one prints its block, too."""
        seconds = collect_time + learn_time
        steps = self.cfg["num_steps_per_env"] * self.num_envs * self.gpu_world_size
        self.tot_timesteps += steps
        self.tot_time += seconds
        for name in dict.fromkeys(name for episode in self.ep_extras for name in episode):
            values = [episode[name] for episode in self.ep_extras if name in episode]
            tensors = [torch.as_tensor(value, device=self.device).reshape(-1) for value in values]
            mean = torch.cat([torch.empty(0, device=self.device), *tensors]).mean()
            writer.add_scalar(name if "/" in name else f"Episode/{name}", mean.item(), it)
        self.ep_extras.clear()
        for name, value in loss_dict.items():
            writer.add_scalar(f"Loss/{name}", value, it)
        writer.add_scalar("Loss/learning_rate", learning_rate, it)
        writer.add_scalar("Policy/mean_std", action_std.mean().item(), it)
        writer.add_scalar("Perf/total_fps", int(steps / seconds), it)
        writer.add_scalar("Perf/collection_time", collect_time, it)
        writer.add_scalar("Perf/learning_time", learn_time, it)
        if self.rewbuffer:
            means = {"mean_reward": self.rewbuffer, "mean_episode_length": self.lenbuffer}
            means = {f"Train/{name}": statistics.mean(values) for name, values in means.items()}
            for name, value in means.items():
                writer.add_scalar(name, value, it)
            for name, value in means.items():
                writer.add_scalar(f"{name}/time", value, int(self.tot_time))
        if isinstance(writer.writer, LogWriter):  # a service: TensorBoard's files hold no videos
            for video in Path(str(self.log_dir)).rglob("*.mp4"):
                writer.save_video(video, it)

    def _is_service(self) -> bool:
        """Whether curves go somewhere else than into TensorBoard's files alone."""
        return self.cfg.get("logger", "tensorboard") != "tensorboard"

    def _reopen(self) -> None:
        """Write TensorBoard's files in place of a writer that failed, if they can be written."""
        from torch.utils.tensorboard import SummaryWriter

        with contextlib.suppress(Exception):
            files = SummaryWriter(log_dir=str(self.log_dir), flush_secs=10)
            files.flush()  # which shows whether it works
            self.writer = TolerantWriter(files)
            print("[INFO] Curves are written again", flush=True)
            if self._is_service():
                self.abandoned = True
                print(
                    f"[WARNING] Logger {self.cfg['logger']} is given up; TensorBoard's files take its place", flush=True
                )
                self.cfg["logger"] = "tensorboard"
