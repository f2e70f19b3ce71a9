# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Optimizers by name, and steps in which some parameters hold still."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from rsl_rl.utils import resolve_optimizer
from torch import nn


def make_optimizer(name: str, parameters: list[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """An optimizer by rsl_rl's name for it; one fused kernel per step where the class has one."""
    optimizer_class: Any = resolve_optimizer(name)
    fused = {} if optimizer_class is torch.optim.RMSprop else {"fused": True}
    return optimizer_class(parameters, lr=learning_rate, **fused)


@contextlib.contextmanager
def holding(parameters: Iterable[nn.Parameter], is_held: bool) -> Iterator[None]:
    """Undo what an optimizer's step in the block does to *parameters*; its moments know of their gradients then.

    Without, the first steps after a time of rest would have the full learning rate in every parameter.

    Args:
        parameters: What is to stay as it is.
        is_held: Otherwise nothing is undone.
    """
    held = [*parameters] if is_held else []
    kept = [parameter.detach().clone() for parameter in held]
    yield
    with torch.no_grad():
        for parameter, value in zip(held, kept, strict=True):
            parameter.copy_(value)
