# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's runner in several processes, on CPUs too, that come to the same decisions."""

from __future__ import annotations

import os

import torch
from rsl_rl.runners import OnPolicyRunner


class RankRunner(OnPolicyRunner):
    """One of the processes that learn together, or the only one."""

    def largest(self, *values: int) -> list[int]:
        """Return the largest of each value over all processes."""
        numbers = torch.tensor(values, device=self.device)
        if self.is_distributed:
            torch.distributed.all_reduce(numbers, torch.distributed.ReduceOp.MAX)
        return numbers.tolist()

    def of_first(self, value: int) -> int:
        """Return the first process's value."""
        if not self.is_distributed:
            return value
        number = torch.tensor([value], device=self.device)
        torch.distributed.broadcast(number, 0)
        return int(number)

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
        ranks = {"global_rank": self.gpu_global_rank, "local_rank": self.gpu_local_rank}
        self.cfg["multi_gpu"] = {**ranks, "world_size": world_size}
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group("gloo", rank=self.gpu_global_rank, world_size=world_size)
