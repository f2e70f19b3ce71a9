# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A curriculum term: slow commands at first, for all robots."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import CurriculumTermCfg, ManagerTermBase

from .curriculums import tracking_share
from .ended_episodes import EndedEpisodes

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

    from .commands.gait_command import GaitCommand
    from .commands.heading_command import HeadingCommand


class speed_share_by_tracking(ManagerTermBase):
    """Command a share of the task's linear velocities, and more of them once the robots track well.

    exp(-e²/0.25) is flat for a robot that stands while 1 m/s is asked for: it is told that it is wrong, but not that
    a little faster is better. At half of the speeds it is, and a few hundred robots find their first steps within
    minutes (docs/training.md). Every ``interval`` environment steps the share grows by ``step`` if the episodes that
    ended since then earned more than ``threshold`` of the best tracking reward on average. HIMLoco has no such term:
    it begins with the full ranges and 4096 robots.
    """

    _env: ManagerBasedRLEnv

    def __init__(self, cfg: CurriculumTermCfg, env: ManagerBasedRLEnv) -> None:
        """Note the task's own ranges and start with the slowest.

        Args:
            cfg: The configuration of the term.
            env: The environment.

        Raises:
            ValueError: If the share to start with is not above 0 and at most 1.
        """
        super().__init__(cfg, env)
        self._command = cast("GaitCommand", env.command_manager.get_term(str(cfg.params["command_name"])))
        ranges = self._command.cfg.ranges
        self._full = {name: getattr(ranges, name) for name in ("lin_vel_x", "lin_vel_y")}
        self._shares = EndedEpisodes(env)
        self.share = float(cfg.params.get("slowest_share", 0.5))  # pyright: ignore[reportArgumentType]
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"speed_share_by_tracking: slowest_share={self.share} must be above 0 and at most 1")
        self._apply()

    def __call__(
        self,
        env: ManagerBasedRLEnv,
        env_ids: torch.Tensor | slice,
        command_name: str,
        reward_term: str,
        slowest_share: float = 0.5,
        threshold: float = 0.8,
        step: float = 0.1,
        interval: int = 400,
    ) -> float:
        """Collect the ended episodes and, when it is time, command more.

        Args:
            env: The environment.
            env_ids: The environments that are about to be reset.
            command_name: The command whose ranges grow.
            reward_term: The tracking reward.
            slowest_share: The share to start with.
            threshold: Share of the best reward, averaged over episodes.
            step: What is added to the share.
            interval: Environment steps between two checks.

        Returns:
            The share.
        """
        self._shares.add(tracking_share(env, env_ids, reward_term))
        tracked = self._shares.mean_every(interval)
        if tracked is not None and tracked > threshold and self.share < 1.0:
            self.share = min(self.share + step, 1.0)
            self._apply()
        return self.share

    def _apply(self) -> None:
        """Scale the ranges; fast robots have no range of their own before the task's is reached."""
        for name, (low, high) in self._full.items():
            setattr(self._command.cfg.ranges, name, (self.share * low, self.share * high))
        if hasattr(self._command, "forward_range"):
            low, high = self._full["lin_vel_x"]
            cast("HeadingCommand", self._command).forward_range = (self.share * low, self.share * high)

    def state_dict(self) -> dict[str, float | int]:
        """Return what a resumed run needs."""
        return {"share": self.share, **self._shares.state_dict()}

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        """Continue from :meth:`state_dict`.

        Args:
            state: What :meth:`state_dict` returned.
        """
        self._shares.load_state_dict(state)
        self.share = float(state["share"])
        self._apply()
