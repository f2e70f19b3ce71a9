# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What whoever runs a policy must know, read off the environment it was trained in."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import Any

import torch

from himloco_lab.deployment.untrained import describe_joint
from himloco_lab.robots.description import find_description
from himloco_lab.robots.urdf import load_model
from himloco_rl.observations import ObservationLayout, ObservationTerm

FORMAT = "himloco-policy/1"
"""Name and version of the manifest's layout."""


def describe_policy(env: Any, groups: list[str], clip_actions: float | None) -> dict[str, Any]:
    """Return the part of a manifest that does not depend on the weights: plain numbers, strings, lists.

    Args:
        env: The environment, unwrapped.
        groups: Observation groups that the policy reads, in order; the first may be a history.
        clip_actions: Half-width that raw actions are clipped to, or None.

    Raises:
        ValueError: If the policy's actions are not targets of joint positions.
    """
    cfg = env.cfg
    layout = ObservationLayout.from_env(env)
    history = layout.group(groups[0])
    action = _action(env, clip_actions)
    return {
        "robot": str(cfg.scene.robot.spawn.robot),
        "input": {"name": "obs", "width": sum(layout.group(name).dim for name in groups), "dtype": "float32"},
        "output": {"name": "actions", "width": len(action["joints"])},
        "timing": {
            "physics_dt": float(cfg.sim.dt),
            "decimation": int(cfg.decimation),
            "policy_dt": float(cfg.sim.dt * cfg.decimation),
        },
        "observation": {
            "history_length": history.history_length,
            "history_order": "oldest-first",
            "terms": [_term(env, history.name, term) for term in history.terms],
            # what follows the history, one frame each (the scan of the perceptive task)
            "extra": [_term(env, name, term) for name in groups[1:] for term in layout.group(name).terms],
        },
        "action": action,
        "joints": _joints(cfg.scene.robot.spawn.robot, action["joints"]),
        "command": _command(env),
        "spawn_height": float(cfg.scene.robot.init_state.pos[2]),
    }


def _term(env: Any, group: str, term: ObservationTerm) -> dict[str, Any]:
    """One observation term of a frame: value = scale * clip(raw), as Isaac Lab's manager computes it."""
    manager = env.observation_manager
    cfg = manager._group_obs_term_cfgs[group][manager.active_terms[group].index(term.name)]
    entry: dict[str, Any] = {"name": term.name, "width": term.dim, "scale": _plain(term.scale)}
    entry["clip"] = None if cfg.clip is None else [float(bound) for bound in cfg.clip]
    if term.joint_names is not None and term.name != "actions":
        entry["joints"] = list(term.joint_names)
    if term.points is not None:
        entry["points"] = [list(point) for point in term.points]
        entry["offset"] = _scan_offset(term.name, cfg)
    return entry


def _scan_offset(name: str, cfg: Any) -> float:
    """What a scan takes off the height of the base above the ground [m]: as configured, or its function's default."""
    parameter = inspect.signature(cfg.func).parameters.get("offset")
    if parameter is None:
        raise ValueError(f"The scan {name!r} has no parameter 'offset'; a policy can be exported with one that has.")
    return float(cfg.params.get("offset", parameter.default))


def _action(env: Any, clip_actions: float | None) -> dict[str, Any]:
    """The action term: target = offset + scale * clip(raw)."""
    terms = [env.action_manager.get_term(name) for name in env.action_manager.active_terms]
    acting = [term for term in terms if term.action_dim > 0]
    if len(acting) != 1 or not hasattr(acting[0], "_offset"):
        raise ValueError(
            f"The task has the action terms {env.action_manager.active_terms}; a policy can be exported if one of them"
            " takes actions and turns them into joint positions."
        )
    term = acting[0]
    names = list(term._joint_names)
    return {
        "joints": names,
        "scale": _per_joint(term._scale, len(names)),
        "offset": _per_joint(term._offset, len(names)),
        "clip": clip_actions,
        "delay_steps": list(getattr(term.cfg, "delay_range", (0, 0))),
    }


def _joints(robot: str, driven: list[str]) -> list[dict[str, Any]]:
    """Gains and limits of all joints, in the description's order."""
    description = find_description(robot)
    joints = load_model(description).joints
    return [asdict(describe_joint(description, joints[name], name in driven)) for name in description.joints]


def _command(env: Any) -> dict[str, Any]:
    """Ranges of the velocity command, and the one that means standing."""
    ranges = env.command_manager.get_term("base_velocity").cfg.ranges
    names = ("lin_vel_x", "lin_vel_y", "ang_vel_z", "height")
    command: dict[str, Any] = {name: list(getattr(ranges, name)) for name in names if hasattr(ranges, name)}
    command["standing"] = [0.0, 0.0, 0.0, *command.get("height", [])[1:]]
    return command


def _per_joint(value: Any, joints: int) -> float | list[float]:
    """A number for all joints, or one for each: Isaac Lab keeps both as rows that are equal for all environments."""
    if not isinstance(value, torch.Tensor):
        return float(value)
    row = [round(float(number), 7) for number in value.reshape(-1, joints)[0]]
    return row[0] if len(set(row)) == 1 and row[0] != 0.0 else row


def _plain(scale: float | tuple[float, ...]) -> float | list[float]:
    return list(scale) if isinstance(scale, tuple) else scale
