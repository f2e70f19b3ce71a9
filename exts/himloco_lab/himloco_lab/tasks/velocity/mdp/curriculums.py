# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Curriculum terms: terrain levels, the upper body's reach, speeds, and how hard an episode is to survive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from isaaclab.envs.mdp import reset_root_state_uniform
from isaaclab.managers import CurriculumTermCfg, ManagerTermBase

from .events import punch_links, push_by_replacing_velocity, reset_joints_around_default

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab.terrains import TerrainImporter

    from .commands.gait_command import GaitCommand, HeadingCommand
    from .commands.upper_body_command import UpperBodyCommand


def tracking_share(env: ManagerBasedRLEnv, env_ids: torch.Tensor | slice, reward_term: str) -> torch.Tensor:
    """Return which share of a full episode's best tracking reward the ending episodes earned, in [0, 1], shape ``[n]``.

    A robot that falls early earns less than one that tracks badly for the full time. The best value of the reward is
    1 a step before weighting.

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


class EndedEpisodes:
    """Mean of a figure over the episodes that ended since it was last asked for, every so many environment steps."""

    def __init__(self, env: ManagerBasedRLEnv) -> None:
        """Start with no episode, at the environment's present step."""
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


class EndedEpisodesCurriculum(ManagerTermBase):
    """A curriculum that goes by the episodes which ended since it was moved last."""

    _env: ManagerBasedRLEnv

    def __init__(self, cfg: CurriculumTermCfg, env: ManagerBasedRLEnv) -> None:
        """Start with no ended episode."""
        super().__init__(cfg, env)
        self._ended = EndedEpisodes(env)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs; what a command knows itself belongs to the command."""
        return self._ended.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self._ended.load_state_dict(state)


class terrain_levels_by_tracking(ManagerTermBase):
    """Harder ground for robots that track well, easier ground for those that do not.

    The HIM paper promotes at 80 % of the tracking reward. Isaac Lab's distance rule multiplies the last
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
        """Move the robots that are about to be reset, and return the mean level.

        The level goes up above ``up_share`` of the best reward if the commanded path was longer than ``min_distance``
        [m], and down below ``down_share``.
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
        """Continue on the levels of :meth:`state_dict`; another number of robots repeats or cuts them."""
        terrain = cast("TerrainImporter", self._env.scene.terrain)
        levels = state["levels"].to(terrain.terrain_levels)
        robots = torch.arange(self._env.num_envs, device=levels.device) * len(levels) // self._env.num_envs
        terrain.terrain_levels[:] = levels[robots].clamp(max=terrain.max_terrain_level - 1)
        origins = cast("torch.Tensor", terrain.terrain_origins)
        terrain.env_origins[:] = origins[terrain.terrain_levels, terrain.terrain_types]


class upper_body_ratio(EndedEpisodesCurriculum):
    """Let the arms reach further once the robot tracks well.

    Every ``interval`` environment steps, r_a grows by ``step`` if the episodes that ended since then earned more than
    ``threshold`` of the best tracking reward on average. (HomieRL looks only at the robots that happen to be reset
    in that very step.)
    """

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
        """Collect the ended episodes and, when it is time, move the ratio; return it."""
        command = cast("UpperBodyCommand", env.command_manager.get_term(command_name))
        self._ended.add(tracking_share(env, env_ids, reward_term))
        share = self._ended.mean_every(interval)
        if share is not None and share > threshold:
            command.ratio = min(1.0, command.ratio + step)
        return command.ratio


class forward_range_by_tracking(EndedEpisodesCurriculum):
    """Let the fast robots run faster once both groups, the fast and the others, track well.

    Every ``interval`` environment steps the range grows by ``step`` if the episodes of each group that ended since then
    earned more than ``threshold`` of the best tracking reward on average. (HIMLoco looks only at the robots that happen
    to be reset in that very step, and at nothing when one of the groups has none among them.)
    """

    def __init__(self, cfg: CurriculumTermCfg, env: ManagerBasedRLEnv) -> None:
        """Start with no ended episode of either group."""
        super().__init__(cfg, env)
        self._others = EndedEpisodes(env)

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
        """Collect the ended episodes and, when it is time, widen the range; return its upper end [m/s]."""
        command = cast("HeadingCommand", env.command_manager.get_term(command_name))
        share = tracking_share(env, env_ids, reward_term)
        is_fast = command.is_fast[env_ids]
        groups = ((self._ended, is_fast), (self._others, ~is_fast))
        for episodes, mine in groups:
            episodes.add(share[mine])
        if all(episodes.is_due(interval) for episodes, _ in groups):
            means = [episodes.mean_every(interval) or 0.0 for episodes, _ in groups]
            if min(means) > threshold:
                command.widen(step)
        return command.forward_range[1]

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs; the range itself belongs to the command."""
        return {"fast": self._ended.state_dict(), "others": self._others.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self._ended.load_state_dict(state["fast"])
        self._others.load_state_dict(state["others"])


class speed_share_by_tracking(EndedEpisodesCurriculum):
    """Command a share of the task's linear velocities, and more of them once the robots track well.

    exp(-e²/0.25) is flat for a robot that stands while 1 m/s is asked for: it is told that it is wrong, but not that
    a little faster is better. At half of the speeds it is, and a few hundred robots find their first steps within
    minutes (docs/training.md). Every ``interval`` environment steps the share grows by ``step`` if the episodes that
    ended since then earned more than ``threshold`` of the best tracking reward on average. HIMLoco has no such term:
    it begins with the full ranges and 4096 robots.
    """

    def __init__(self, cfg: CurriculumTermCfg, env: ManagerBasedRLEnv) -> None:
        """Note the task's own ranges and start with the slowest.

        Raises:
            ValueError: If the share to start with is not above 0 and at most 1.
        """
        super().__init__(cfg, env)
        self._command = cast("GaitCommand", env.command_manager.get_term(str(cfg.params["command_name"])))
        ranges = self._command.cfg.ranges
        self._full = {name: getattr(ranges, name) for name in ("lin_vel_x", "lin_vel_y")}
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
        """Collect the ended episodes and, when it is time, command more; return the share."""
        self._ended.add(tracking_share(env, env_ids, reward_term))
        tracked = self._ended.mean_every(interval)
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

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"share": self.share, **super().state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        super().load_state_dict(state)
        self.share = float(state["share"])
        self._apply()


class disturbances_by_survival(EndedEpisodesCurriculum):
    """Start episodes gently, and the rougher the longer they last.

    A ratio r from 0 to 1 scales what the task's events and commands throw at a robot: the random velocity and joint
    positions at a reset, the pushes, how often and how deep it squats, and how fast it may be told to move, from
    ``slowest_share`` of the task's ranges on. Rewards named in ``first_weights`` have that weight at r = 0. At r = 1
    everything is the task's own. Every ``interval`` environment steps r grows by ``step`` if the episodes that ended
    since then lasted longer than ``up_share`` of a full one on average, and shrinks if they lasted less than
    ``down_share``.

    HOMIE has no such curriculum: its 4096 robots see enough lucky starts among the hard ones, and find out in
    billions of samples that stepping pays. A few hundred stand instead (docs/training.md).
    """

    def __init__(self, cfg: CurriculumTermCfg, env: ManagerBasedRLEnv) -> None:
        """Note the task's own ranges and start with the gentlest.

        Raises:
            ValueError: If ``first_weights`` names what the task has no reward for.
        """
        super().__init__(cfg, env)
        self._command = cast("GaitCommand", env.command_manager.get_term(str(cfg.params["command_name"])))
        ranges = self._command.cfg.ranges
        self._lowest, self._upright = ranges.height
        self._squat_share = self._command.cfg.rel_squat_envs
        self._slowest_share = cast("float", cfg.params.get("slowest_share", 0.25))
        self._speeds = {name: getattr(ranges, name) for name in ("lin_vel_x", "lin_vel_y", "ang_vel_z")}
        events = env.event_manager
        names = [name for mode in ("reset", "interval") for name in events.active_terms.get(mode, [])]
        self._events = {name: events.get_term_cfg(name) for name in names}
        self._full: dict[str, dict[str, Any]] = {name: dict(term.params) for name, term in self._events.items()}
        first = cast("dict[str, float]", cfg.params.get("first_weights") or {})
        unknown = sorted(name for name in first if not hasattr(env.cfg.rewards, name))
        if unknown:
            raise ValueError(
                f"disturbances_by_survival: first_weights names {', '.join(unknown)}, which is no reward of this task"
            )
        # A reward that was switched off stays off
        self._first_weights = {name: first[name] for name in first if name in env.reward_manager.active_terms}
        self._weights = {name: env.reward_manager.get_term_cfg(name).weight for name in self._first_weights}
        # Steps since the reset: the environment's own counter starts at random so that time-outs spread out
        self._born = torch.zeros(env.num_envs, dtype=torch.long, device=env.device)
        self.ratio = 0.0
        self._apply()

    def __call__(
        self,
        env: ManagerBasedRLEnv,
        env_ids: torch.Tensor | slice,
        command_name: str,
        up_share: float = 0.85,
        down_share: float = 0.7,
        step: float = 0.05,
        interval: int = 400,
        slowest_share: float = 0.25,
        first_weights: dict[str, float] | None = None,
    ) -> float:
        """Collect the ended episodes and, when it is time, move the ratio; return it."""
        self._ended.add((env.common_step_counter - self._born[env_ids]) / env.max_episode_length)
        self._born[env_ids] = env.common_step_counter
        share = self._ended.mean_every(interval)
        if share is not None:
            change = step if share > up_share else -step if share < down_share else 0.0
            self.ratio = min(max(self.ratio + change, 0.0), 1.0)
            self._apply()
        return self.ratio

    def _apply(self) -> None:
        """Scale the events' and the command's ranges, and the weights, by the ratio."""
        self._command.cfg.rel_squat_envs = self.ratio * self._squat_share
        for name, first in self._first_weights.items():
            weight = first + self.ratio * (self._weights[name] - first)
            self._env.reward_manager.get_term_cfg(name).weight = weight
        self._command.cfg.ranges.height = (
            self._upright - self.ratio * (self._upright - self._lowest),
            self._upright,
        )
        share = self._slowest_share + (1.0 - self._slowest_share) * self.ratio
        for name, (low, high) in self._speeds.items():
            setattr(self._command.cfg.ranges, name, (share * low, share * high))
        for name, term in self._events.items():
            full = self._full[name]
            if term.func is push_by_replacing_velocity or isinstance(term.func, punch_links):
                term.params["strength"] = self.ratio * full.get("strength", 1.0)
            elif term.func is reset_joints_around_default:
                term.params["scale_range"] = tuple(1.0 + self.ratio * (bound - 1.0) for bound in full["scale_range"])
                term.params["offset_range"] = tuple(self.ratio * bound for bound in full["offset_range"])
            elif isinstance(term.func, reset_root_state_uniform):
                ranges = full["velocity_range"].items()
                term.params["velocity_range"] = {
                    axis: tuple(self.ratio * bound for bound in ends) for axis, ends in ranges
                }

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs; the ages of the running episodes in steps, shape ``[N]``."""
        ages = self._env.common_step_counter - self._born
        return {"ratio": self.ratio, "ages": ages, **super().state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`; with another number of robots all episodes begin now."""
        self.ratio = float(state["ratio"])
        super().load_state_dict(state)
        self._born.fill_(self._env.common_step_counter)
        ages = state.get("ages")
        if ages is not None and len(ages) == len(self._born):
            self._born -= ages.to(self._born)
        self._apply()
