# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What several training processes ("ranks") compute together; with one process, nothing but the local value."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator

import torch
import torch.nn as nn
from rsl_rl.utils import reduce_gradients_in_buckets


class LostRankError(RuntimeError):
    """A process of the group has ended, hangs, or its machine cannot be reached: nothing can be agreed on any more."""


@contextlib.contextmanager
def lost_rank_errors(has_others: bool = True) -> Iterator[None]:
    """Around an operation of all processes, if there are others: turn its failure into one that says what it means.

    Raises:
        LostRankError: If the others are not there any more.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # gloo's own are no more than that
        if not has_others:
            raise
        lines = re.sub(r"^\[[^\]]*\.cc:\d+\]\s*", "", str(error)).splitlines() or [type(error).__name__]
        reason = lines[0].partition(". This may")[0]
        raise LostRankError(f"another process of this run is gone or does not answer ({reason})") from error


class Ranks:
    """What the processes of ``torch.distributed`` compute together or agree on.

    All processes must call a method together; each raises :class:`LostRankError` if another process is gone.
    """

    def __init__(self, world_size: int = 1, bucket_mb: float = 25.0, device: str = "cpu") -> None:
        """Describe the group: gradients are reduced in blocks [MB], numbers and bytes exchanged on the device."""
        self.world_size = world_size
        self.bucket_mb = bucket_mb
        self.device = device

    def sum(self, value: torch.Tensor) -> torch.Tensor:
        """Sum over all processes, without gradients, any shape."""
        if self.world_size == 1:
            return value.detach()
        total = value.detach().clone()
        with lost_rank_errors():
            torch.distributed.all_reduce(total)
        return total

    def mean_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their mean over all processes."""
        if self.world_size > 1:
            with lost_rank_errors():
                reduce_gradients_in_buckets(parameters, self.world_size, self.bucket_mb)

    def standardize(self, values: torch.Tensor) -> torch.Tensor:
        """Zero mean and unit (unbiased) deviation over the values of all processes, any shape."""
        count = values.numel() * self.world_size
        mean = self.sum(values.sum()) / count
        variance = self.sum((values - mean).square().sum()) / max(count - 1, 1)
        return (values - mean) / (variance.sqrt() + 1.0e-8)

    def largest(self, *values: int) -> list[int]:
        """Return the largest of each value over all processes."""
        if self.world_size == 1:
            return [*values]
        numbers = torch.tensor(values, device=self.device)
        with lost_rank_errors():
            torch.distributed.all_reduce(numbers, torch.distributed.ReduceOp.MAX)
        return numbers.tolist()

    def of_first(self, value: int) -> int:
        """Return the first process's value."""
        if self.world_size == 1:
            return value
        number = torch.tensor([value], device=self.device)
        with lost_rank_errors():
            torch.distributed.broadcast(number, 0)
        return int(number)

    def bytes_of_first(self, data: bytes) -> bytes:
        """Return the first process's bytes: a file that the other machines need not have."""
        size = self.of_first(len(data))
        if self.world_size == 1 or size == 0:
            return data[:size]
        content = torch.empty(size, dtype=torch.uint8, device=self.device)
        if torch.distributed.get_rank() == 0:
            content.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        with lost_rank_errors():
            torch.distributed.broadcast(content, 0)
        return content.cpu().numpy().tobytes()
