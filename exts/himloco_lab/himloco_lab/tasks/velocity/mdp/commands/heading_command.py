# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Walk in a direction and look in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from isaaclab.utils.math import wrap_to_pi

from .gait_command import GaitCommand

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

    from .commands_cfg import HeadingCommandCfg


class HeadingCommand(GaitCommand):
    """Draws a velocity and a heading; the commanded yaw rate turns the robot towards the heading.

    The first robots, a share of all, take their forward velocity from :attr:`forward_range`, which starts at the
    ranges' own and which a curriculum widens (HIMLoco, facts 4.9). The commanded height is one for all.
    """

    cfg: HeadingCommandCfg
    remembers = (*GaitCommand.remembers, "_heading")

    def __init__(self, cfg: HeadingCommandCfg, env: ManagerBasedRLEnv) -> None:
        """Create the buffers.

        Args:
            cfg: The configuration of the term.
            env: The environment.
        """
        super().__init__(cfg, env)
        self._heading = torch.zeros(self.num_envs, device=self.device)
        self.is_fast = torch.arange(self.num_envs, device=self.device) < cfg.fast_share * self.num_envs
        """Robots that draw from :attr:`forward_range`, shape ``[N]``."""

        self.forward_range = (float(cfg.ranges.lin_vel_x[0]), float(cfg.ranges.lin_vel_x[1]))
        """Least and largest forward velocity of the fast robots [m/s]."""

    def widen(self, step: float) -> None:
        """Let the fast robots run faster by *step* [m/s], both ways, up to :attr:`HeadingCommandCfg.max_speed`."""
        low, high = self.forward_range
        self.forward_range = (max(low - step, -self.cfg.max_speed), min(high + step, self.cfg.max_speed))

    def state_dict(self) -> dict[str, list[float]]:
        """Return what a resumed run needs: the fast robots' range."""
        return {"forward_range": list(self.forward_range)}

    def load_state_dict(self, state: dict[str, list[float]]) -> None:
        """Continue with the range of :meth:`state_dict`.

        Args:
            state: What :meth:`state_dict` returned.
        """
        low, high = state["forward_range"]
        self.forward_range = (float(low), float(high))

    def _resample_command(self, env_ids: Sequence[int] | slice) -> None:
        super()._resample_command(env_ids)
        if self._held is not None:
            return
        command = self._command[env_ids]
        low, high = self.forward_range
        fast = self.is_fast[env_ids]
        forward = low + (high - low) * torch.rand(len(command), device=self.device)
        command[:, 0] = torch.where(fast, forward, command[:, 0])
        command[:, 1] *= ~(fast & (command[:, 0].abs() >= self.cfg.straight_speed))
        command[:, :2] *= (command[:, :2].norm(dim=1) > self.cfg.least_speed).unsqueeze(-1)
        self._command[env_ids] = command
        self._heading[env_ids] = torch.pi * (2.0 * torch.rand(len(command), device=self.device) - 1.0)

    def _update_command(self) -> None:
        if self._held is None:
            error = wrap_to_pi(self._heading - self.robot.data.heading_w.torch)
            low, high = self.cfg.ranges.ang_vel_z
            self._command[:, 2] = (self.cfg.heading_stiffness * error).clamp(low, high)
        super()._update_command()
