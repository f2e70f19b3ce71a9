# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Means of metrics over minibatches, with one transfer from the device at the end."""

from __future__ import annotations

import math

import torch

from himloco_rl.observations import NotFiniteError


class MetricMeans:
    """Adds metrics up on the device."""

    def __init__(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, **metrics: torch.Tensor) -> None:
        """Count scalar tensors in."""
        for name, value in metrics.items():
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def means(self, check_finite: bool = False) -> dict[str, float]:
        """Mean of every metric over as often as it was added.

        Args:
            check_finite: Raise an error that names the first metric that is not finite.
        """
        if not self._sums:
            return {}
        values = torch.stack([value.float() for value in self._sums.values()]).tolist()
        means = {name: value / self._counts[name] for name, value in zip(self._sums, values, strict=True)}
        for name, value in means.items():
            if check_finite and not math.isfinite(value):
                raise NotFiniteError(
                    f"Loss '{name}' is {value} after this update: learning has diverged; lower the learning rates or"
                    " max_grad_norm, or look for unbounded rewards and observations."
                )
        return means
