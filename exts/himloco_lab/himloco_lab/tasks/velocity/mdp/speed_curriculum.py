# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A curriculum term: faster commands for robots that follow the slower ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import CurriculumTermCfg, ManagerTermBase

from .curriculums import tracking_share
from .ended_episodes import EndedEpisodes

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

    from .commands.heading_command import HeadingCommand


class forward_range_by_tracking(ManagerTermBase):
    """Let the fast robots run faster once both groups, the fast and the others, track well.

    Every ``interval`` environment steps the range grows by ``step`` if the episodes of each group that ended since then
    earned more than ``threshold`` of the best tracking reward on average. (HIMLoco looks only at the robots that happen
    to be reset in that very step, and at nothing when one of the groups has none among them; facts 4.9.)
    """

    _env: ManagerBasedRLEnv

    def __init__(self, cfg: CurriculumTermCfg, env: ManagerBasedRLEnv) -> None:
        """Start with no finished episode.

        Args:
            cfg: The configuration of the term.
            env: The environment.
        """
        super().__init__(cfg, env)
        self._fast, self._others = EndedEpisodes(env), EndedEpisodes(env)

    def __call__(
        self,
        env: ManagerBasedRLEnv,
        env_ids: torch.Tensor | slice,
        command_name: str,
        reward_term: str,
        threshold: float = 0.8,
        step: float = 0.2,
        interval: int = 1000,
    ) -> float:
        """Collect the ended episodes and, when it is time, widen the range.

        Args:
            env: The environment.
            env_ids: The environments that are about to be reset.
            command_name: The command with the range.
            reward_term: The tracking reward.
            threshold: Share of the best reward, averaged over episodes.
            step: What is added at both ends [m/s].
            interval: Environment steps between two checks.

        Returns:
            The upper end of the range [m/s].
        """
        command = cast("HeadingCommand", env.command_manager.get_term(command_name))
        share = tracking_share(env, env_ids, reward_term)
        is_fast = command.is_fast[env_ids]
        groups = ((self._fast, is_fast), (self._others, ~is_fast))
        for episodes, mine in groups:
            episodes.add(share[mine])
        if all(episodes.is_due(interval) for episodes, _ in groups):
            means = [episodes.mean_every(interval) or 0.0 for episodes, _ in groups]
            if min(means) > threshold:
                command.widen(step)
        return command.forward_range[1]

    def state_dict(self) -> dict[str, dict[str, float | int]]:
        """Return what a resumed run needs; the range itself belongs to the command."""
        return {"fast": self._fast.state_dict(), "others": self._others.state_dict()}

    def load_state_dict(self, state: dict[str, dict[str, float | int]]) -> None:
        """Continue from :meth:`state_dict`.

        Args:
            state: What :meth:`state_dict` returned.
        """
        self._fast.load_state_dict(state["fast"])
        self._others.load_state_dict(state["others"])
