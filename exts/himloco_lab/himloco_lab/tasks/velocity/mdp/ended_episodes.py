# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What curricula know of the episodes that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv


class EndedEpisodes:
    """Mean of a figure over the episodes that ended since it was last asked for, every so many environment steps."""

    def __init__(self, env: ManagerBasedRLEnv) -> None:
        """Start with no episode.

        Args:
            env: The environment, whose steps count.
        """
        self._env = env
        self._sum = torch.zeros((), device=env.device)
        self._count = 0
        self._last_check = 0

    def add(self, figures: torch.Tensor) -> None:
        """Count episodes, one figure each, shape ``[n]``; the very first reset ends none. NaN counts as 0."""
        if self._env.common_step_counter > 0:
            self._sum += torch.nan_to_num(figures, nan=0.0, posinf=0.0, neginf=0.0).sum()
            self._count += len(figures)

    def is_due(self, interval: int) -> bool:
        """Whether ``interval`` steps have passed since the last mean, and episodes have ended."""
        return self._env.common_step_counter - self._last_check >= interval and self._count > 0

    def mean_every(self, interval: int) -> float | None:
        """Return the mean and start anew if ``interval`` steps have passed and episodes have ended, else None."""
        if not self.is_due(interval):
            return None
        mean = float(self._sum) / self._count
        self._sum.zero_()
        self._count, self._last_check = 0, self._env.common_step_counter
        return mean

    def state_dict(self) -> dict[str, float | int]:
        """Return what a resumed run needs."""
        return {
            "sum": float(self._sum),
            "episodes": self._count,
            "steps_since_check": self._env.common_step_counter - self._last_check,
        }

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        """Continue from :meth:`state_dict`."""
        self._sum.fill_(state["sum"])
        self._count = int(state["episodes"])
        self._last_check = self._env.common_step_counter - int(state["steps_since_check"])
