# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Optimizers by name, the learning rate that keeps to a divergence, and steps in which parameters hold still."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from rsl_rl.utils import resolve_optimizer
from torch import nn

LOWEST, HIGHEST, FACTOR = 1.0e-5, 1.0e-2, 1.5
"""Bounds of the learning rate and its change per minibatch; rsl_rl's and legged_gym's."""


def make_optimizer(name: str, parameters: list[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """An optimizer by rsl_rl's name for it; one fused kernel per step where the class has one."""
    optimizer_class: Any = resolve_optimizer(name)
    fused = {} if optimizer_class is torch.optim.RMSprop else {"fused": True}
    return optimizer_class(parameters, lr=learning_rate, **fused)


@contextlib.contextmanager
def holding(parameters: Iterable[nn.Parameter], is_held: bool) -> Iterator[None]:
    """Undo what an optimizer's step in the block does to *parameters*; its moments know of their gradients then.

    Without, the first steps after a time of rest would have the full learning rate in every parameter. Unless
    *is_held*, nothing is undone.
    """
    held = [*parameters] if is_held else []
    kept = [parameter.detach().clone() for parameter in held]
    yield
    with torch.no_grad():
        for parameter, value in zip(held, kept, strict=True):
            parameter.copy_(value)


class KLTarget:
    """δ, the divergence KL(π_old ‖ π) that the learning rate aims at.

    It may shrink from update to update, δ_u = δ_0 (δ_end / δ_0)^min(u / U, 1): bold steps find out how to stand at all
    within few samples, and small ones are needed to stand long (docs/training.md).
    """

    def __init__(self, start: float | None, end: float | None = None, num_updates: int = 1, warmup: int = 0) -> None:
        """Initialize the target.

        Args:
            start, end: δ_0, None for a fixed learning rate; δ_end, None for δ_0 throughout.
            num_updates: U, updates until δ_end is reached.
            warmup: Updates at first in which the policy is to hold still.

        Raises:
            ValueError: If a divergence is not positive, num_updates is less than 1, or warmup is negative.
        """
        for name, value in (("desired_kl", start), ("final_desired_kl", end)):
            if value is not None and not value > 0.0:
                raise ValueError(f"algorithm.{name} is {value}; it must be positive, or None.")
        if num_updates < 1:
            raise ValueError(f"algorithm.desired_kl_updates is {num_updates}; it must be at least 1.")
        if warmup < 0:
            raise ValueError(f"algorithm.critic_warmup_updates is {warmup}; it must be at least 0.")
        if end is not None and start is None:
            raise ValueError("algorithm.final_desired_kl needs desired_kl and schedule='adaptive'.")
        self._start, self._end, self._num_updates = start, end, num_updates
        self._warmup = warmup
        self.updates = 0
        """u, the updates that are done."""

    @property
    def holds_still(self) -> bool:
        """Whether this update belongs to the critic alone."""
        return self.updates < self._warmup

    @property
    def value(self) -> float | None:
        """δ_u; None for a fixed learning rate."""
        if self._start is None or self._end is None:
            return self._start
        return self._start * (self._end / self._start) ** min(self.updates / self._num_updates, 1.0)

    def count_update(self, learning_rate: float) -> float:
        """Return the learning rate for the next update: the smallest where the policy's first one follows its rest."""
        self.updates += 1
        return LOWEST if self._warmup == self.updates else learning_rate

    def adapt(self, learning_rate: float, divergence: torch.Tensor) -> float:
        """Return the learning rate for the next step: ÷ 1.5 above 2 δ_u, × 1.5 below ½ δ_u, within bounds."""
        target = self.value
        if target is None or self.holds_still:
            return learning_rate  # without waiting for the divergence
        measured = divergence.item()
        if measured > 2.0 * target:
            return max(LOWEST, learning_rate / FACTOR)
        if 0.0 < measured < 0.5 * target:
            return min(HIGHEST, learning_rate * FACTOR)
        return learning_rate
