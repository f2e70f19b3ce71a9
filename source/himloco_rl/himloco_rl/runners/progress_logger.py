# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's logger: a line per iteration, totals and curves that a resumed run continues, and a log that may fail."""

from __future__ import annotations

import contextlib
import datetime
import os
import statistics
import struct
import threading
from pathlib import Path
from typing import Any

import torch
from rsl_rl.utils.log_writer import LogWriter
from rsl_rl.utils.logger import Logger
from rsl_rl.utils.wandb_log_writer import WandbLogWriter
from tensorboard.compat.proto import event_pb2

from himloco_rl.checkpoints.files import write_atomically

_EVENT: Any = event_pb2.Event  # pyright: ignore[reportAttributeAccessIssue]
_HEADER, _CHECKSUM = struct.Struct("<Q4x"), 4
"""A record's length and its checksum, and the checksum that follows the record, as TensorFlow writes them."""
OVER_SECONDS = "/time"
"""End of the tags whose steps are seconds, not iterations."""
PATIENCE = {"start": 20, "end": 10}
"""Seconds for which a logging service is waited for; W&B alone waits 90 at the start, and at the end for ever."""


def cut_curves(folder: str | Path, iteration: int) -> None:
    """Take from a run's TensorBoard files whatever came after an iteration, which a resumed run will write again.

    TensorBoard's own way, ``purge_step``, would also hide curves whose steps are seconds.
    """
    for left in Path(folder).glob("events.out.tfevents.*.tmp"):  # by a process that was killed while it did this
        left.unlink(missing_ok=True)
    for path in sorted(Path(folder).glob("events.out.tfevents.*")):
        data = path.read_bytes()
        end = _end_of(data, iteration)
        if end is not None:
            write_atomically(path, data[:end])


def _end_of(data: bytes, iteration: int) -> int | None:
    """Where the first event of a later iteration begins, or half a record that a kill left; None if all may stay."""
    start = 0
    while start < len(data):
        body = start + _HEADER.size
        length = _HEADER.unpack_from(data, start)[0] if body <= len(data) else len(data)
        if body + length + _CHECKSUM > len(data):
            return start
        try:
            event = _EVENT.FromString(data[body : body + length])
        except Exception:  # protobuf's own errors differ from build to build
            return start
        late = event.step > iteration
        if late and any(not value.tag.endswith(OVER_SECONDS) for value in event.summary.value):
            return start
        start = body + length + _CHECKSUM
    return None


class TolerantWriter(LogWriter):
    """Passes on to a log writer, which may fail: says so once, and leaves it alone from then on.

    What may fail is a file on a full disk, or a service behind a broken network.
    """

    def __init__(self, writer: Any) -> None:
        """Take a writer that has not failed yet: TensorBoard's, or one of rsl_rl's."""
        self.writer = writer
        self.failure: str | None = None
        """Why nothing is logged any more, or None."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Write a value; curves over seconds go nowhere in W&B, where steps must not fall."""
        if not (isinstance(self.writer, WandbLogWriter) and tag.endswith(OVER_SECONDS)):
            self._call("add_scalar", tag, scalar_value, global_step)

    def save_model(self, model_path: str, it: int) -> None:
        """Pass a checkpoint on."""
        self._call("save_model", model_path, it)

    def save_video(self, video: Path, it: int) -> None:
        """Pass a video on."""
        self._call("save_video", video, it)

    def flush(self) -> None:
        """Bring to the disk what TensorBoard keeps in memory."""
        self._call("flush")

    def stop(self) -> None:
        """End the log; TensorBoard's files need no end."""
        self._call("stop")

    def _call(self, method: str, *args: Any) -> None:
        """Call a method that the writer has, unless it has failed before."""
        call = getattr(self.writer, method, None)
        if call is None or self.failure is not None:
            return
        try:
            call(*args)
        except Exception as error:  # a service's client may raise anything
            self.failure = f"{error or type(error).__name__}"
            print(f"[WARNING] Curves are not written ({self.failure}); the training goes on", flush=True)


class ProgressLogger(Logger):
    """Writes every curve that rsl_rl writes, and prints how far the run is and how long it still takes.

    It carries its totals from run to run, so that curves over time and steps join where a run is resumed. A log that
    cannot be written does not end a training.
    """

    writer: TolerantWriter | None

    def __init__(self, *args: Any, block: bool = False, **kwargs: Any) -> None:
        """Initialize rsl_rl's logger, or with *block* let it print its block instead of the line."""
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

    def log(self, it: int, start_it: int, total_it: int, **values: Any) -> None:
        """Write an iteration's curves, and print its line or block.

        Args:
            it, start_it, total_it: The iteration, the first one of this run, and where the run ends.
            values: As rsl_rl's Logger has them: the seconds ``collect_time`` of the rollout and ``learn_time`` of
                returns and update, the update's ``loss_dict``, the policy's ``learning_rate`` and ``action_std``.
        """
        seconds = values["collect_time"] + values["learn_time"]
        self._run_time = seconds + (0.0 if it == start_it else self._run_time)
        if self.writer is not None and self.writer.failure is not None:
            self._reopen()
        if self.block:
            super().log(it, start_it, total_it, **values, rnd_weight=None)
            return
        if self.writer is not None:
            self._write_curves(self.writer, it, values)
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
        times = f"collect {values['collect_time']:.2f} s, learn {values['learn_time']:.2f} s"
        parts.append(f"{steps / seconds:.0f} steps/s ({times})")
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

    def _write_curves(self, writer: TolerantWriter, it: int, values: dict[str, Any]) -> None:
        """Write what rsl_rl's ``log`` writes, under the same tags; that one prints its block, too."""
        seconds = values["collect_time"] + values["learn_time"]
        steps = self.cfg["num_steps_per_env"] * self.num_envs * self.gpu_world_size
        self.tot_timesteps += steps
        self.tot_time += seconds
        for name in dict.fromkeys(name for episode in self.ep_extras for name in episode):
            found = [episode[name] for episode in self.ep_extras if name in episode]
            tensors = [torch.as_tensor(value, device=self.device).reshape(-1) for value in found]
            mean = torch.cat([torch.empty(0, device=self.device), *tensors]).mean()
            writer.add_scalar(name if "/" in name else f"Episode/{name}", mean.item(), it)
        self.ep_extras.clear()
        for name, value in values["loss_dict"].items():
            writer.add_scalar(f"Loss/{name}", value, it)
        writer.add_scalar("Loss/learning_rate", values["learning_rate"], it)
        writer.add_scalar("Policy/mean_std", values["action_std"].mean().item(), it)
        writer.add_scalar("Perf/total_fps", int(steps / seconds), it)
        writer.add_scalar("Perf/collection_time", values["collect_time"], it)
        writer.add_scalar("Perf/learning_time", values["learn_time"], it)
        if self.rewbuffer:
            means = {"mean_reward": self.rewbuffer, "mean_episode_length": self.lenbuffer}
            means = {f"Train/{name}": statistics.mean(episodes) for name, episodes in means.items()}
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
