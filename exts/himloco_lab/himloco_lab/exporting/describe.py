# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What whoever runs a policy must know, read off the environment it was trained in."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from himloco_lab.deployment.manifest import (
    Action,
    Command,
    Manifest,
    Observation,
    Tensor,
    Term,
    Timing,
    describe_joint,
)
from himloco_lab.deployment.robot.robots import describe_hardware
from himloco_lab.robots.description import find_description
from himloco_lab.robots.urdf import load_model
from himloco_rl.observations import ObservationLayout, ObservationTerm


def describe_policy(
    env: Any, groups: list[str], clip_actions: float | None, task: str = "none", source: Mapping[str, Any] | None = None
) -> Manifest:
    """Return the manifest of a policy, without the names of its files.

    Args:
        env: The environment, unwrapped.
        groups: Observation groups that the policy reads, in order; the first may be a history.
        clip_actions: Half-width that raw actions are clipped to, or None.
        task: Registered name.
        source: Where the policy was trained; free form.

    Raises:
        ValueError: If the policy's actions are not targets of joint positions, or the parts do not fit together
            (:class:`.ManifestError`).
    """
    cfg = env.cfg
    layout = ObservationLayout.from_env(env)
    history = layout.group(groups[0])
    action = _action(env, clip_actions)
    robot = find_description(cfg.scene.robot.spawn.robot)
    joints = load_model(robot).joints
    ranges = env.command_manager.get_term("base_velocity").cfg.ranges
    height = tuple(ranges.height)
    standing = (0.0, 0.0, 0.0, height[1])
    return Manifest(
        task=task,
        source=dict(source or {}),
        robot=str(cfg.scene.robot.spawn.robot),
        input=Tensor("obs", sum(layout.group(name).dim for name in groups), "float32"),
        output=Tensor("actions", len(action.joints)),
        timing=Timing(float(cfg.sim.dt), int(cfg.decimation), float(cfg.sim.dt * cfg.decimation)),
        observation=Observation(
            history_length=history.history_length,
            terms=tuple(_term(env, history.name, term) for term in history.terms),
            # what follows the history, one frame each (the scan of the perceptive task)
            extra=tuple(_term(env, name, term) for name in groups[1:] for term in layout.group(name).terms),
        ),
        action=action,
        joints=tuple(describe_joint(robot, joints[name], name in action.joints) for name in robot.joints),
        command=Command(tuple(ranges.lin_vel_x), tuple(ranges.lin_vel_y), tuple(ranges.ang_vel_z), height, standing),
        spawn_height=float(cfg.scene.robot.init_state.pos[2]),
        hardware=describe_hardware(cfg.scene.robot.spawn.robot),
    )


def _term(env: Any, group: str, term: ObservationTerm) -> Term:
    """One observation term of a frame: value = scale * clip(raw), as Isaac Lab's manager computes it."""
    manager = env.observation_manager
    cfg = manager._group_obs_term_cfgs[group][manager.active_terms[group].index(term.name)]
    return Term(
        term.name,
        term.dim,
        term.scale,
        clip=None if cfg.clip is None else (float(cfg.clip[0]), float(cfg.clip[1])),
        joints=None if term.joint_names is None or term.name == "actions" else tuple(term.joint_names),
        points=term.points,
        offset=None if term.points is None else _scan_offset(term.name, cfg),
    )


def _scan_offset(name: str, cfg: Any) -> float:
    """What a scan takes off the height of the base above the ground [m]: as configured, or its function's default."""
    parameter = inspect.signature(cfg.func).parameters.get("offset")
    if parameter is None:
        raise ValueError(f"The scan {name!r} has no parameter 'offset'; a policy can be exported with one that has.")
    return float(cfg.params.get("offset", parameter.default))


def _action(env: Any, clip_actions: float | None) -> Action:
    """The action term: target = offset + scale * clip(raw)."""
    terms = [env.action_manager.get_term(name) for name in env.action_manager.active_terms]
    acting = [term for term in terms if term.action_dim > 0]
    if len(acting) != 1 or not hasattr(acting[0], "_offset"):
        raise ValueError(
            f"The task has the action terms {env.action_manager.active_terms}; a policy can be exported if one of them"
            " takes actions and turns them into joint positions."
        )
    term = acting[0]
    names = tuple(term._joint_names)
    scale, offset = (_per_joint(value, len(names)) for value in (term._scale, term._offset))
    fewest, most = getattr(term.cfg, "delay_range", (0, 0))
    return Action(names, scale, offset, clip_actions, (fewest, most))


def _per_joint(value: Any, joints: int) -> float | tuple[float, ...]:
    """A number for all joints, or one for each: Isaac Lab keeps both as rows that are equal for all environments."""
    if not isinstance(value, torch.Tensor):
        return float(value)
    row = tuple(round(float(number), 7) for number in value.reshape(-1, joints)[0])
    return row[0] if len(set(row)) == 1 and row[0] != 0.0 else row
