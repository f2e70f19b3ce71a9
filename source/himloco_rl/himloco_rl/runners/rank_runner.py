# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's runner in several processes, on CPUs too, that come to the same decisions."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from rsl_rl.runners import OnPolicyRunner

from himloco_rl.distributed.process_group import join
from himloco_rl.distributed.ranks import noticing_loss


class RankRunner(OnPolicyRunner):
    """One of the processes that learn together, or the only one."""

    last_iteration: int | None = None
    """The last one that was completed, here or in the run that was loaded."""
    last_saved: Path | None = None
    """The newest checkpoint that this runner wrote or read."""
    _rescued: int | None = None

    def largest(self, *values: int) -> list[int]:
        """Return the largest of each value over all processes."""
        numbers = torch.tensor(values, device=self.device)
        if self.is_distributed:
            with noticing_loss():
                torch.distributed.all_reduce(numbers, torch.distributed.ReduceOp.MAX)
        return numbers.tolist()

    def of_first(self, value: int) -> int:
        """Return the first process's value."""
        if not self.is_distributed:
            return value
        number = torch.tensor([value], device=self.device)
        with noticing_loss():
            torch.distributed.broadcast(number, 0)
        return int(number)

    def bytes_of_first(self, data: bytes) -> bytes:
        """Return the first process's bytes: a file that the other machines need not have."""
        if not self.is_distributed:
            return data
        size = self.of_first(len(data))
        if size == 0:
            return b""
        content = torch.empty(size, dtype=torch.uint8, device=self.device)
        if self.gpu_global_rank == 0:
            content.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        with noticing_loss():
            torch.distributed.broadcast(content, 0)
        return content.cpu().numpy().tobytes()

    def wait_for_all(self) -> None:
        """Return when all processes have come here."""
        self.largest(0)

    def rescue(self) -> None:
        """Save what the last complete iteration learnt, unless that is done: this process may not come to its end."""
        if self.logger.writer is None or self.last_iteration in (None, self._rescued):
            return
        if self.last_saved != self._path_of_last():
            path = self._save_in_log_dir()
            if self.last_saved == Path(path):  # in the middle of a training it need not have worked
                print(f"[INFO] To be safe: saved {path}; --resume continues from it", flush=True)
        self._rescued = self.last_iteration

    def _path_of_last(self) -> Path:
        """Where the last complete iteration's checkpoint belongs, beside rsl_rl's."""
        return Path(str(self.logger.log_dir), f"model_{self.last_iteration}.pt")

    def _save_in_log_dir(self) -> str:
        """Write the last complete iteration's checkpoint; return the path."""
        path = str(self._path_of_last())
        self.save(path)
        return path

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
