# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's logger with one line per iteration instead of its block."""

from __future__ import annotations

import contextlib
import datetime
import io
import statistics
from typing import Any

from rsl_rl.utils.logger import Logger


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
        self._run_time = 0.0

    def log(self, it: int, start_it: int, total_it: int, *args: Any, **kwargs: Any) -> None:
        """Log an iteration; arguments as in rsl_rl's Logger."""
        if it == start_it:
            self._run_time = 0.0
        self._run_time += kwargs["collect_time"] + kwargs["learn_time"]
        with contextlib.nullcontext() if self.block else contextlib.redirect_stdout(io.StringIO()):
            super().log(it, start_it, total_it, *args, **kwargs)
        if not self.block and not self.disable_logs:
            print(self.progress_line(it, start_it, total_it, kwargs), flush=True)

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
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the totals and means of :meth:`state_dict`."""
        self.tot_timesteps = state["tot_timesteps"]
        self.tot_time = state["tot_time"]
        self.rewbuffer.extend(state["returns"])
        self.lenbuffer.extend(state["lengths"])
