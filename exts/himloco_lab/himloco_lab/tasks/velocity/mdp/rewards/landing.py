# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""When a foot lands, judged once a policy step."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class LandingDetector:
    """Times the flights of bodies and says when they end.

    Like the reference it looks at the contact once a policy step and lets a body count as touching for one more step,
    so a foot that bounces when it lands has landed once. The contact sensor's own timers count physics steps: there
    the bounce replaces the flight before it, and the landing is missed.
    """

    def __init__(self, num_envs: int, num_bodies: int, step_dt: float, device: str):
        """Start with no flight in progress.

        Args:
            num_envs: Number of environments N.
            num_bodies: Number of bodies B.
            step_dt: Policy step [s].
            device: Device of the buffers.
        """
        self._step_dt = step_dt
        self._flight = torch.full((num_envs, num_bodies), -torch.inf, device=device)
        self._touched = torch.zeros(num_envs, num_bodies, dtype=torch.bool, device=device)

    def reset(self, env_ids: Sequence[int] | torch.Tensor | slice | None = None) -> None:
        """Forget the flights of environments. The first touch of an episode ends none."""
        ids = slice(None) if env_ids is None else env_ids
        self._flight[ids] = -torch.inf
        self._touched[ids] = False

    def update(self, contact: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Advance one policy step.

        Args:
            contact: Whether the bodies touch something now, shape ``[N, B]``; is kept.

        Returns:
            Whether a flight ended in this step, and how long the flights have been [s], both ``[N, B]``. A flight
            time means nothing where none ended.
        """
        touching = contact | self._touched
        landed = touching & (self._flight > 0.0)
        air_time = self._flight + self._step_dt
        self._flight = air_time.masked_fill(touching, 0.0)
        self._touched = contact
        return landed, air_time
