# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Walk, stand or squat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import CommandTerm

if TYPE_CHECKING:
    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedRLEnv

    from .commands_cfg import GaitCommandCfg


class GaitCommand(CommandTerm):
    """Samples one of three modes: squat, stand, walk.

    With u ~ U(0, 1): u < 1/3 squats (zero velocity, height from the range), 1/3 <= u < 1/2 stands (zero velocity,
    full height), u >= 1/2 walks (velocities from the ranges, full height). HOMIE, facts 4.4.
    """

    cfg: GaitCommandCfg
    remembers: tuple[str, ...] = ("_command", "commanded_distance", "_error_sums", "_steps")

    def __init__(self, cfg: GaitCommandCfg, env: ManagerBasedRLEnv) -> None:
        """Create the buffers.

        Args:
            cfg: The configuration of the term.
            env: The environment.

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

        Args:
            command: vx, vy [m/s], yaw rate [rad/s], base height [m] for all, shape ``[4]``, or for each robot, shape
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
        """Log the episode's mean errors and draw new commands.

        Args:
            env_ids: The environments to reset; all if None.

        Returns:
            Mean errors of the ended episodes: ``error_vel_xy`` [m/s], ``error_vel_yaw`` [rad/s],
            ``error_height`` [m].
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
        command[:, :3] *= walks.unsqueeze(-1)
        command[:, 3] = torch.where(squats, command[:, 3], ranges.height[1])
        self._command[env_ids] = command

    def _update_command(self) -> None:
        self.commanded_distance += self._command[:, :2].norm(dim=1) * self._env.step_dt

    def _update_metrics(self) -> None:
        data = self.robot.data
        self._error_sums[:, 0] += (self._command[:, :2] - data.root_lin_vel_b.torch[:, :2]).norm(dim=1)
        self._error_sums[:, 1] += (self._command[:, 2] - data.root_ang_vel_b.torch[:, 2]).abs()
        self._error_sums[:, 2] += (self._command[:, 3] - self.base_height()).abs()
        self._steps += 1.0
