# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How targets get to the joints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from isaaclab.envs.mdp.actions.joint_actions import JointPositionAction
from isaaclab.managers import ActionTerm

if TYPE_CHECKING:
    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedRLEnv

    from ..commands.upper_body_command import UpperBodyCommand
    from .actions_cfg import CommandedJointPositionActionCfg, DelayedJointPositionActionCfg


class DelayedJointPositionAction(JointPositionAction):
    """Joint position targets that arrive late, with torques that the policy did not ask for.

    At each policy step a delay of d physics steps is drawn per environment: the joints keep the previous target for
    d physics steps and then get the new one (HIMLoco's delay, which HomieRL computes and does not use).
    """

    cfg: DelayedJointPositionActionCfg
    remembers = ("_torque_offset",)

    def __init__(self, cfg: DelayedJointPositionActionCfg, env: ManagerBasedRLEnv) -> None:
        """Create the buffers.

        Raises:
            ValueError: If the delay is negative, or longer than a policy step.
        """
        super().__init__(cfg, env)
        low, high = cfg.delay_range
        if not 0 <= low <= high < env.cfg.decimation:
            raise ValueError(
                f"DelayedJointPositionAction: delay_range={cfg.delay_range} must lie in 0 <= low <= high <"
                f" {env.cfg.decimation} physics steps (the decimation), so that an action acts before the next one."
            )
        self._previous_targets = self._offset_tensor().clone()
        self._delay = torch.zeros(self.num_envs, 1, dtype=torch.long, device=self.device)
        self._is_delay_held = False
        self._substep = 0
        self._disturbs = cfg.torque_offset > 0.0 or cfg.torque_noise > 0.0
        self._torque_offset = torch.zeros_like(self._raw_actions)
        self._effort_limit = self._asset.data.joint_effort_limits.torch[:, self._joint_ids]

    def process_actions(self, actions: torch.Tensor) -> None:
        """Take the policy's actions, shape ``[N, J]``; draw their delay and the torque noise."""
        self._previous_targets.copy_(self._processed_actions)
        super().process_actions(actions)
        self._substep = 0
        if not self._is_delay_held:
            low, high = self.cfg.delay_range
            self._delay.random_(low, high + 1)
        if self._disturbs:
            noise = self.cfg.torque_noise * (2.0 * torch.rand_like(self._torque_offset) - 1.0)
            torque = (self._torque_offset + noise) * self._effort_limit
            self._asset.actuators.target_command.effort.torch[:, self._joint_ids] = torque

    def hold_delay(self, steps: torch.Tensor | int | None) -> None:
        """Delay every action by so many physics steps, for all or for each robot, shape ``[N]``; None draws again.

        Raises:
            ValueError: If one is beyond the range that the task draws from.
        """
        self._is_delay_held = steps is not None
        if steps is not None:
            self._delay[:] = torch.as_tensor(steps, device=self.device).reshape(-1, 1)
            low, high = self.cfg.delay_range
            if not low <= int(self._delay.min()) <= int(self._delay.max()) <= high:
                raise ValueError(f"A delay of {steps} physics steps is beyond delay_range={self.cfg.delay_range}.")

    def apply_actions(self) -> None:
        """Send the target that is due in this physics step."""
        if self._substep <= self.cfg.delay_range[1]:
            targets = torch.where(self._delay <= self._substep, self._processed_actions, self._previous_targets)
            # Into the buffer: the setter would also send all joints to the engine, which write_data_to_sim does anyway.
            self._asset.actuators.target_command.position.torch[:, self._joint_ids] = targets
        self._substep += 1

    def reset(self, env_ids: Sequence[int] | slice | None = None) -> None:
        """Forget the last episode's target and draw a new torque offset."""
        super().reset(env_ids)  # pyright: ignore[reportArgumentType]  # Isaac Lab passes slices, too
        ids = slice(None) if env_ids is None else env_ids
        self._processed_actions[ids] = self._offset_tensor()[ids]
        offset = 2.0 * torch.rand_like(self._torque_offset[ids]) - 1.0
        self._torque_offset[ids] = self.cfg.torque_offset * offset

    def _offset_tensor(self) -> torch.Tensor:
        """Return the target of a zero action [rad], shape ``[N, J]``."""
        return torch.zeros_like(self._raw_actions) + self._offset


class CommandedJointPositionAction(ActionTerm):
    """Sends a command term's joint positions to the joints. It takes no part of the action."""

    cfg: CommandedJointPositionActionCfg
    _asset: Articulation

    def __init__(self, cfg: CommandedJointPositionActionCfg, env: ManagerBasedRLEnv) -> None:
        """Look up the command."""
        super().__init__(cfg, env)
        self._command = cast("UpperBodyCommand", env.command_manager.get_term(cfg.command_name))
        self._none = torch.zeros(self.num_envs, 0, device=self.device)
        self._is_due = True

    @property
    def action_dim(self) -> int:
        """0: the policy does not act on these joints."""
        return 0

    @property
    def raw_actions(self) -> torch.Tensor:
        """Nothing, shape ``[N, 0]``."""
        return self._none

    @property
    def processed_actions(self) -> torch.Tensor:
        """Joint position targets [rad], shape ``[N, J]``."""
        return self._command.command

    def process_actions(self, actions: torch.Tensor) -> None:
        """Note that a policy step begins."""
        self._is_due = True

    def apply_actions(self) -> None:
        """Send the targets, once a policy step: the buffer keeps them."""
        if self._is_due:
            targets = self._asset.actuators.target_command.position.torch
            targets[:, self._command.joint_ids] = self._command.command
            self._is_due = False
