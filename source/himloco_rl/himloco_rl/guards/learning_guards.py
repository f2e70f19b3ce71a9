# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Signs of a training that has gone wrong and will not come back: seen, logged, and stopped if that is asked for."""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass
from typing import Any

import torch

from .finite_steps import FiniteSteps

SIGNS = ("value_loss", "estimator", "action_noise")
"""What is looked at."""


class DivergedError(ValueError):
    """A guard ended the training; the message says which and why."""


@dataclass(frozen=True)
class GuardSettings:
    """What counts as gone wrong; the runner's configuration may name any of these under ``guards``."""

    stop: bool = False
    """End the training, rather than warn."""
    patience: int = 3
    """Iterations in a row after which it counts."""
    value_loss_factor: float = 100.0
    """The value loss has exploded above this many times its median over the last 50 good iterations."""
    least_perplexity: float = 1.05
    """The estimator has collapsed when it uses this many prototypes or fewer; 1 is a single one for everything."""

    @classmethod
    def from_cfg(cls, cfg: dict[str, Any] | None) -> GuardSettings:
        """Read a configuration.

        Raises:
            ValueError: If it names something else, or a number that makes no sense.
        """
        known = sorted(cls.__dataclass_fields__)
        unknown = sorted(set(cfg or {}) - set(known))
        if unknown:
            raise ValueError(f"guards has {unknown}, which it does not know; it knows {known}.")
        settings = cls(**(cfg or {}))
        if settings.patience < 1 or not settings.value_loss_factor > 1.0:
            raise ValueError(
                f"guards.patience is {settings.patience} and guards.value_loss_factor {settings.value_loss_factor};"
                " they must be at least 1, and above 1."
            )
        return settings


class LearningGuards:
    """Looks at every iteration's losses and noise."""

    def __init__(self, settings: GuardSettings) -> None:
        """Start with nothing seen."""
        self.settings = settings
        self._value_losses: deque[float] = deque(maxlen=50)
        self._streaks: dict[str, int] = {}
        self.tripped: dict[str, str] = {}
        """What has gone wrong, and how it shows."""

    def report(
        self, it: int, losses: dict[str, float], noise: torch.Tensor | None, steps: FiniteSteps, writer: Any | None
    ) -> bool:
        """Look at an iteration, print what is new, log it all, and return whether the training is to end.

        Losses and noise [A] are as in :meth:`look`; the count of the iteration's steps starts anew.
        """
        for news in self.look(losses, None if noise is None else noise.tolist()):
            print(f"[WARNING] {news}", flush=True)
        if steps.count:
            print(f"[WARNING] {steps.count} step(s) were not finite and were reset: {steps.message}", flush=True)
        if writer is not None:
            for name in SIGNS:
                writer.add_scalar(f"Guard/{name}", float(name in self.tripped), it)
            writer.add_scalar("Guard/not_finite_steps", float(steps.count), it)
        steps.count = 0
        return self.settings.stop and bool(self.tripped)

    def look(self, losses: dict[str, float], noise: list[float] | None) -> list[str]:
        """Say in words what has gone wrong since the last iteration.

        Args:
            losses: What the update returned.
            noise: The policy's learnt deviations before they are clamped, or None where they cannot be negative.
        """
        signs, news = self._signs(losses, noise), []
        for name in SIGNS:
            self._streaks[name] = self._streaks.get(name, 0) + 1 if name in signs else 0
            if self._streaks[name] < self.settings.patience:
                self.tripped.pop(name, None)
                continue
            if name not in self.tripped:
                news.append(signs[name])
            self.tripped[name] = signs[name]
        return news

    def _signs(self, losses: dict[str, float], noise: list[float] | None) -> dict[str, str]:
        """What looks wrong in this iteration alone, and how it shows."""
        signs = {}
        loss, perplexity = losses.get("value"), losses.get("estimator_prototype_perplexity")
        if loss is not None:
            median = statistics.median(self._value_losses) if len(self._value_losses) >= 10 else math.inf
            if loss > self.settings.value_loss_factor * median:
                signs["value_loss"] = (
                    f"the value loss explodes: {loss:.3g}, and {median:.3g} before; lower the learning rate, or bound"
                    " the rewards"
                )
            else:
                self._value_losses.append(loss)
        if perplexity is not None and not perplexity > self.settings.least_perplexity:
            signs["estimator"] = (
                f"the estimator has collapsed: it uses {perplexity:.2f} prototypes; raise its temperature, or lower"
                " algorithm.estimator_learning_rate"
            )
        if noise and not min(noise) > 0.0:  # where its gradient ends, and it never returns
            index = noise.index(min(noise))
            signs["action_noise"] = (
                f"the action noise of action {index} is negative ({noise[index]:.3g}): no noise, and no way back; raise"
                " algorithm.entropy_coef, or set actor.distribution_cfg.std_type='log'"
            )
        return signs
