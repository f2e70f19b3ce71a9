# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""An event term: blows on single links, as in the tour on which policies are ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import EventTermCfg, ManagerTermBase, SceneEntityCfg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedEnv


class punch_links(ManagerTermBase):
    """Hit each robot now and then: a random link, a random direction, a constant force for a moment.

    An interval event that is called after every step: a force set now acts in the next one. A push that sets the
    velocity of the base moves the whole robot at once; a blow on a shin or a wrist turns it as well.
    """

    remembers = ("_until_next", "_until_end", "_forces")

    def __init__(self, cfg: EventTermCfg, env: ManagerBasedEnv) -> None:
        """Draw when each robot is hit first.

        Args:
            cfg: The configuration of the term.
            env: The environment.
        """
        super().__init__(cfg, env)
        self._robot: Articulation = env.scene[cast("SceneEntityCfg", cfg.params["asset_cfg"]).name]
        self._forces = torch.zeros(env.num_envs, self._robot.num_bodies, 3, device=env.device)
        self._torques = torch.zeros_like(self._forces)
        self._until_next = torch.zeros(env.num_envs, dtype=torch.long, device=env.device)
        self._until_end = torch.zeros_like(self._until_next)
        self.reset()

    def reset(self, env_ids: Sequence[int] | torch.Tensor | slice | None = None) -> None:
        """End the blows of these robots, and draw when they are hit next.

        Args:
            env_ids: The robots; all if None.
        """
        ids = slice(None) if env_ids is None else env_ids
        self._forces[ids] = 0.0
        self._until_end[ids] = 0
        interval = cast("tuple[float, float]", self.cfg.params["interval_s"])
        self._until_next[ids] = self._draw_wait(interval, len(self._until_next[ids]))

    def __call__(
        self,
        env: ManagerBasedEnv,
        env_ids: torch.Tensor | None,
        asset_cfg: SceneEntityCfg,
        limit: float,
        duration_s: float,
        interval_s: tuple[float, float],
        strength: float = 1.0,
    ) -> None:
        """Begin and end the blows whose time has come.

        Args:
            env: The environment.
            env_ids: Not used: every robot has a clock of its own.
            asset_cfg: The links that may be hit, at their centres of mass.
            limit: Largest force [N]; each one's size is drawn uniformly below it.
            duration_s: Of a blow [s].
            interval_s: Range of the time from one blow's end to the next [s].
            strength: Share of ``limit`` in use.
        """
        self._until_next -= 1
        self._until_end -= 1
        begin = (self._until_next <= 0).nonzero().squeeze(-1)
        end = (self._until_end == 0).nonzero().squeeze(-1)
        if not len(begin) and not len(end):
            return
        self._forces[end] = 0.0
        if len(begin):
            steps = max(round(duration_s / env.step_dt), 1)
            body_ids = torch.arange(self._robot.num_bodies, device=env.device)[asset_cfg.body_ids]
            direction = torch.nn.functional.normalize(torch.randn(len(begin), 3, device=env.device), dim=-1)
            size = strength * limit * torch.rand(len(begin), 1, device=env.device)
            links = body_ids[torch.randint(len(body_ids), (len(begin),), device=env.device)]
            self._forces[begin, links] = size * direction
            self._until_end[begin] = steps
            self._until_next[begin] = steps + self._draw_wait(interval_s, len(begin))
        composer = self._robot.permanent_wrench_composer
        composer.set_forces_and_torques_index(forces=self._forces, torques=self._torques, is_global=True)

    def _draw_wait(self, interval_s: tuple[float, float], count: int) -> torch.Tensor:
        """Steps until the next blow, at least one, shape ``[count]``."""
        low, high = interval_s
        seconds = low + (high - low) * torch.rand(count, device=self._until_next.device)
        return (seconds / self._env.step_dt).round().long().clamp(min=1)
