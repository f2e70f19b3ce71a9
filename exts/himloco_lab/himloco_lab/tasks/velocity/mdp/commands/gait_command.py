# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Velocity and base height: walk, stand or squat; or walk in a direction and look in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import CommandTerm
from isaaclab.utils.math import wrap_to_pi

from himloco_lab.robots.policy_layout import HEIGHT, VELOCITY, VX, VY, YAW_RATE

if TYPE_CHECKING:
    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedRLEnv

    from .commands_cfg import GaitCommandCfg, HeadingCommandCfg


class GaitCommand(CommandTerm):
    """Samples one of three modes: squat, stand, walk.

    With u ~ U(0, 1): u < 1/3 squats (zero velocity, height from the range), 1/3 <= u < 1/2 stands (zero velocity,
    full height), u >= 1/2 walks (velocities from the ranges, full height). These are HOMIE's shares.
    """

    cfg: GaitCommandCfg
    remembers: tuple[str, ...] = ("_command", "commanded_distance", "_error_sums", "_steps")

    def __init__(self, cfg: GaitCommandCfg, env: ManagerBasedRLEnv) -> None:
        """Create the buffers.

        Raises:
            ValueError: If the shares of squatting and standing do not fit into [0, 1].
        """
        super().__init__(cfg, env)
        if cfg.rel_squat_envs < 0 or cfg.rel_standing_envs < 0 or cfg.rel_squat_envs + cfg.rel_standing_envs > 1:
            raise ValueError(
                f"GaitCommand: rel_squat_envs={cfg.rel_squat_envs} and rel_standing_envs={cfg.rel_standing_envs} must"
                " not be negative and must add up to 1 at most; the rest walks."
            )
        self.robot: Articulation = env.scene[cfg.asset_name]
        self._foot_ids = cast("list[int]", self.robot.find_bodies(cfg.foot_body_names, preserve_order=True)[0])
        self._command = torch.zeros(self.num_envs, 4, device=self.device)
        self.commanded_distance = torch.zeros(self.num_envs, device=self.device)
        """Length of the commanded path in this episode [m], shape ``[N]``; the terrain curriculum asks for it."""

        self._held: torch.Tensor | None = None
        self._error_sums = torch.zeros(self.num_envs, 3, device=self.device)
        self._steps = torch.zeros(self.num_envs, device=self.device)
        for name in ("error_vel_xy", "error_vel_yaw", "error_height"):
            self.metrics[name] = torch.zeros(self.num_envs, device=self.device)

    @property
    def command(self) -> torch.Tensor:
        """vx, vy [m/s], yaw rate [rad/s], base height [m]; shape ``[N, 4]``."""
        return self._command

    def hold(self, command: Sequence[float] | torch.Tensor | None) -> None:
        """Command this, at once and until told otherwise, instead of what would be drawn.

        It is vx, vy [m/s], yaw rate [rad/s], base height [m] for all, shape ``[4]``, or for each robot, shape
        ``[N, 4]``; None draws commands again, from the next time that one is due.
        """
        self._held = None
        if command is not None:
            self._held = torch.as_tensor(command, dtype=torch.float, device=self.device).expand(self.num_envs, 4)
            self._command[:] = self._held

    def base_height(self) -> torch.Tensor:
        """Return the height that is compared with the command [m], shape ``[N]``.

        It is the root above the lower foot's ankle, plus :attr:`GaitCommandCfg.foot_height_offset`.
        """
        feet_z = self.robot.data.body_pos_w.torch[:, self._foot_ids, 2]
        return self.robot.data.root_pos_w.torch[:, 2] - feet_z.amin(dim=1) + self.cfg.foot_height_offset

    def reset(self, env_ids: Sequence[int] | slice | None = None) -> dict[str, torch.Tensor]:
        """Draw new commands; return the mean errors of the ended episodes.

        They are ``error_vel_xy`` [m/s], ``error_vel_yaw`` [rad/s] and ``error_height`` [m].
        """
        ids = slice(None) if env_ids is None else env_ids
        means = self._error_sums[ids] / self._steps[ids].clamp(min=1.0).unsqueeze(-1)
        for name, mean in zip(("error_vel_xy", "error_vel_yaw", "error_height"), means.unbind(-1), strict=True):
            self.metrics[name][ids] = mean
        extras = super().reset(env_ids)
        self._error_sums[ids] = 0.0
        self._steps[ids] = 0.0
        self.commanded_distance[ids] = 0.0
        return extras

    def _resample_command(self, env_ids: Sequence[int] | slice) -> None:
        if self._held is not None:
            self._command[env_ids] = self._held[env_ids]
            return
        ranges = self.cfg.ranges
        count = self._command[env_ids].shape[0]
        low, high = torch.tensor(
            [ranges.lin_vel_x, ranges.lin_vel_y, ranges.ang_vel_z, ranges.height], device=self.device
        ).unbind(-1)
        command = low + (high - low) * torch.rand(count, 4, device=self.device)
        mode = torch.rand(count, device=self.device)
        squats = mode < self.cfg.rel_squat_envs
        walks = mode >= self.cfg.rel_squat_envs + self.cfg.rel_standing_envs
        command[:, VELOCITY] *= walks.unsqueeze(-1)
        command[:, HEIGHT] = torch.where(squats, command[:, HEIGHT], ranges.height[1])
        self._command[env_ids] = command

    def _update_command(self) -> None:
        self.commanded_distance += self._command[:, :2].norm(dim=1) * self._env.step_dt

    def _update_metrics(self) -> None:
        data = self.robot.data
        self._error_sums[:, 0] += (self._command[:, :2] - data.root_lin_vel_b.torch[:, :2]).norm(dim=1)
        self._error_sums[:, 1] += (self._command[:, YAW_RATE] - data.root_ang_vel_b.torch[:, 2]).abs()
        self._error_sums[:, 2] += (self._command[:, HEIGHT] - self.base_height()).abs()
        self._steps += 1.0


class HeadingCommand(GaitCommand):
    """Draws a velocity and a heading; the commanded yaw rate turns the robot towards the heading.

    The first robots, a share of all, take their forward velocity from :attr:`forward_range`, which starts at the
    ranges' own and which a curriculum widens (HIMLoco). The commanded height is one for all.
    """

    cfg: HeadingCommandCfg
    remembers = (*GaitCommand.remembers, "_heading")

    def __init__(self, cfg: HeadingCommandCfg, env: ManagerBasedRLEnv) -> None:
        """Create the buffers."""
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
        """Continue with the range of :meth:`state_dict`."""
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
        command[:, VX] = torch.where(fast, forward, command[:, VX])
        command[:, VY] *= ~(fast & (command[:, VX].abs() >= self.cfg.straight_speed))
        command[:, :2] *= (command[:, :2].norm(dim=1) > self.cfg.least_speed).unsqueeze(-1)
        self._command[env_ids] = command
        self._heading[env_ids] = torch.pi * (2.0 * torch.rand(len(command), device=self.device) - 1.0)

    def _update_command(self) -> None:
        if self._held is None:
            error = wrap_to_pi(self._heading - self.robot.data.heading_w.torch)
            low, high = self.cfg.ranges.ang_vel_z
            self._command[:, YAW_RATE] = (self.cfg.heading_stiffness * error).clamp(low, high)
        super()._update_command()
