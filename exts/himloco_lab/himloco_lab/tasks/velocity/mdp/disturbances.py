# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A curriculum term: how hard an episode is to survive, and what a beginner is paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from isaaclab.envs.mdp import reset_root_state_uniform
from isaaclab.managers import CurriculumTermCfg, ManagerTermBase

from .ended_episodes import EndedEpisodes
from .events import push_by_replacing_velocity, reset_joints_around_default
from .punches import punch_links

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

    from .commands.gait_command import GaitCommand


class disturbances_by_survival(ManagerTermBase):
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

    _env: ManagerBasedRLEnv

    def __init__(self, cfg: CurriculumTermCfg, env: ManagerBasedRLEnv) -> None:
        """Note the task's own ranges and start with the gentlest.

        Args:
            cfg: The configuration of the term.
            env: The environment.

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
        self._lasted = EndedEpisodes(env)
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
        """Collect the ended episodes and, when it is time, move the ratio.

        Args:
            env: The environment.
            env_ids: The environments that are about to be reset.
            command_name: The gait command, whose squats get deeper and whose walks get faster.
            up_share: Share of a full episode above which the ratio grows.
            down_share: Share below which it shrinks.
            step: What is added or taken.
            interval: Environment steps between two checks.
            slowest_share: Share of the task's speeds that is drawn at r = 0.
            first_weights: Reward term -> its weight at r = 0.

        Returns:
            The ratio r.
        """
        self._lasted.add((env.common_step_counter - self._born[env_ids]) / env.max_episode_length)
        self._born[env_ids] = env.common_step_counter
        share = self._lasted.mean_every(interval)
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
        return {"ratio": self.ratio, "ages": ages, **self._lasted.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`; with another number of robots all episodes begin now.

        Args:
            state: What :meth:`state_dict` returned.
        """
        self.ratio = float(state["ratio"])
        self._lasted.load_state_dict(state)
        self._born.fill_(self._env.common_step_counter)
        ages = state.get("ages")
        if ages is not None and len(ages) == len(self._born):
            self._born -= ages.to(self._born)
        self._apply()
