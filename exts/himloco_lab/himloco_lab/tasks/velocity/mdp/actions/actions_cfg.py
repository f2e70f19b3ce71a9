# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# MISSING is Isaac Lab's mark for what a user must give.
# pyright: reportAssignmentType=false

"""Configurations of the action terms."""

from dataclasses import MISSING

from isaaclab.envs.mdp.actions.actions_cfg import JointPositionActionCfg
from isaaclab.managers import ActionTermCfg
from isaaclab.utils import configclass


@configclass
class DelayedJointPositionActionCfg(JointPositionActionCfg):
    """Joint position targets that reach the joints some physics steps late."""

    class_type: str = "{DIR}.joint_actions:DelayedJointPositionAction"

    delay_range: tuple[int, int] = (0, 3)
    """Fewest and most physics steps of delay; drawn per environment at every policy step."""

    torque_offset: float = 0.0
    """Half-width of a constant torque per joint and episode, as a share of the effort limit."""

    torque_noise: float = 0.0
    """Half-width of a torque drawn per joint at every policy step, as a share of the effort limit."""


@configclass
class CommandedJointPositionActionCfg(ActionTermCfg):
    """Joints that follow a command term; the policy has no say in them."""

    class_type: str = "{DIR}.joint_actions:CommandedJointPositionAction"

    command_name: str = MISSING
    """A command term with ``joint_ids`` whose command is joint positions [rad]."""
