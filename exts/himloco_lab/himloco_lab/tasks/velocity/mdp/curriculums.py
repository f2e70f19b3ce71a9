# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Curriculum terms: terrain levels, and the upper body's reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import CurriculumTermCfg, ManagerTermBase

from .ended_episodes import EndedEpisodes

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab.terrains import TerrainImporter

    from .commands.gait_command import GaitCommand
    from .commands.upper_body_command import UpperBodyCommand


def tracking_share(env: ManagerBasedRLEnv, env_ids: torch.Tensor | slice, reward_term: str) -> torch.Tensor:
    """Return which share of a full episode's best tracking reward the ending episodes earned.

    A robot that falls early earns less than one that tracks badly for the full time.

    Args:
        env: The environment.
        env_ids: The environments that are about to be reset.
        reward_term: Name of a reward whose best value is 1 a step before weighting.

    Returns:
        Shares in [0, 1], shape ``[n]``.

    Raises:
        ValueError: If the task does without that reward.
    """
    if reward_term not in env.reward_manager.active_terms or not env.reward_manager.get_term_cfg(reward_term).weight:
        raise ValueError(
            f"The curricula follow the reward '{reward_term}', which this task has not got or gives no weight; set"
            " env.curriculum.terrain_levels=null and env.curriculum.upper_body_ratio=null, or bring the reward back."
        )
    weight = env.reward_manager.get_term_cfg(reward_term).weight
    earned = env.reward_manager._episode_sums[reward_term][env_ids]
    return earned / (weight * env.max_episode_length_s)


class terrain_levels_by_tracking(ManagerTermBase):
    """Harder ground for robots that track well, easier ground for those that do not.

    The HIM paper promotes at 80 % of the tracking reward (facts 1.2). Isaac Lab's distance rule multiplies the last
    command by the whole episode, which is wrong for commands that change every four seconds. A robot that was hardly
    asked to walk never left its level square, so it is not promoted.
    """

    def __call__(
        self,
        env: ManagerBasedRLEnv,
        env_ids: torch.Tensor | slice,
        reward_term: str,
        command_name: str,
        up_share: float = 0.8,
        down_share: float = 0.4,
        min_distance: float = 2.0,
    ) -> torch.Tensor:
        """Move the robots that are about to be reset.

        Args:
            env: The environment.
            env_ids: The environments that are about to be reset.
            reward_term: The tracking reward.
            command_name: The gait command.
            up_share: Share of the best reward above which the level goes up.
            down_share: Share of the best reward below which it goes down.
            min_distance: Commanded path [m] that a promotion needs.

        Returns:
            The mean terrain level.
        """
        terrain = cast("TerrainImporter", env.scene.terrain)
        command = cast("GaitCommand", env.command_manager.get_term(command_name))
        share = tracking_share(env, env_ids, reward_term)
        move_up = (share > up_share) & (command.commanded_distance[env_ids] > min_distance)
        # An episode that never ran (the very first reset) says nothing.
        move_down = (share < down_share) & (env.episode_length_buf[env_ids] > 0)
        terrain.update_env_origins(env_ids, move_up, move_down)  # pyright: ignore[reportArgumentType]  # slices work
        return terrain.terrain_levels.float().mean()

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the levels of all robots, shape ``[N]``."""
        return {"levels": cast("TerrainImporter", self._env.scene.terrain).terrain_levels.clone()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Continue on the levels of :meth:`state_dict`; another number of robots repeats or cuts them.

        Args:
            state: What :meth:`state_dict` returned.
        """
        terrain = cast("TerrainImporter", self._env.scene.terrain)
        levels = state["levels"].to(terrain.terrain_levels)
        robots = torch.arange(self._env.num_envs, device=levels.device) * len(levels) // self._env.num_envs
        terrain.terrain_levels[:] = levels[robots].clamp(max=terrain.max_terrain_level - 1)
        origins = cast("torch.Tensor", terrain.terrain_origins)
        terrain.env_origins[:] = origins[terrain.terrain_levels, terrain.terrain_types]


class upper_body_ratio(ManagerTermBase):
    """Let the arms reach further once the robot tracks well.

    Every ``interval`` environment steps, r_a grows by ``step`` if the episodes that ended since then earned more than
    ``threshold`` of the best tracking reward on average. (HOMIE looks only at the robots that happen to be reset in
    that very step; facts 2.)
    """

    _env: ManagerBasedRLEnv

    def __init__(self, cfg: CurriculumTermCfg, env: ManagerBasedRLEnv) -> None:
        """Start with no finished episode.

        Args:
            cfg: The configuration of the term.
            env: The environment.
        """
        super().__init__(cfg, env)
        self._shares = EndedEpisodes(env)

    def __call__(
        self,
        env: ManagerBasedRLEnv,
        env_ids: torch.Tensor | slice,
        command_name: str,
        reward_term: str,
        threshold: float = 0.8,
        step: float = 0.05,
        interval: int = 1000,
    ) -> float:
        """Collect the ended episodes and, when it is time, move the ratio.

        Args:
            env: The environment.
            env_ids: The environments that are about to be reset.
            command_name: The upper-body command.
            reward_term: The tracking reward.
            threshold: Share of the best reward, averaged over episodes.
            step: What is added to the ratio.
            interval: Environment steps between two checks.

        Returns:
            The ratio r_a.
        """
        command = cast("UpperBodyCommand", env.command_manager.get_term(command_name))
        self._shares.add(tracking_share(env, env_ids, reward_term))
        share = self._shares.mean_every(interval)
        if share is not None and share > threshold:
            command.ratio = min(1.0, command.ratio + step)
        return command.ratio

    def state_dict(self) -> dict[str, float | int]:
        """Return what a resumed run needs; the ratio itself belongs to the command."""
        return self._shares.state_dict()

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        """Continue from :meth:`state_dict`.

        Args:
            state: What :meth:`state_dict` returned.
        """
        self._shares.load_state_dict(state)
