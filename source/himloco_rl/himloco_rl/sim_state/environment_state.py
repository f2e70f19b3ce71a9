# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a checkpoint keeps of the environment, so that a resumed run continues its curricula.

The protocol, found by duck typing on ``env.unwrapped``:

1. ``himloco_state_dict()`` and ``himloco_load_state_dict(state)``, if offered, say everything.
2. Otherwise, for managers as Isaac Lab has them: ``common_step_counter``, every curriculum and command term that
   offers ``state_dict()`` and ``load_state_dict(state)``, where the robots are in their episodes, and what the managers
   remember of them (see :mod:`.episode_memory`).

A state holds numbers, strings, booleans, None and tensors, in dictionaries, lists and tuples: what ``torch.load`` reads
back with ``weights_only=True``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from .episode_memory import load_memory_state_dict, memory_state_dict


def environment_state_dict(env: Any) -> dict[str, Any]:
    """State of an environment's curricula and episodes; empty if it has none."""
    base = getattr(env, "unwrapped", env)
    if hasattr(base, "himloco_state_dict"):
        return {"custom": base.himloco_state_dict()}
    state: dict[str, Any] = {}
    if hasattr(base, "common_step_counter"):
        state["common_step_counter"] = int(base.common_step_counter)
    state["terms"] = {name: term.state_dict() for name, term in _stateful_terms(base)}
    state["episodes"] = episodes_state_dict(env)
    if state["episodes"]:
        state["memory"] = memory_state_dict(base)
    return state


def load_environment_state_dict(env: Any, state: dict[str, Any]) -> None:
    """Restore what :func:`environment_state_dict` returned; terms that are gone or new are left alone.

    Robots go on where they were if there are as many as there were; else all of them start new episodes.
    """
    base = getattr(env, "unwrapped", env)
    if "custom" in state:
        if not hasattr(base, "himloco_load_state_dict"):
            raise ValueError(
                f"The checkpoint has an environment state, but {type(base).__name__} has no himloco_load_state_dict();"
                " resume with the task that wrote it."
            )
        base.himloco_load_state_dict(state["custom"])
        return
    if "common_step_counter" in state and hasattr(base, "common_step_counter"):
        base.common_step_counter = state["common_step_counter"]
    with torch.inference_mode():  # as rsl_rl steps it: what that made cannot be written to outside
        _load_terms(base, state)
        if hasattr(base, "reset_to"):
            # On the levels just loaded; and once more the terms, for which this is the end of episodes that never were
            # (and before it, episodes that never ran: what they earned here must not move anybody to another level)
            episodes = state.get("episodes") or {}
            base.episode_length_buf[:] = 0
            for sums in base.reward_manager._episode_sums.values():
                sums.zero_()
            goes_on = len(episodes.get("lengths", ())) == base.num_envs
            if goes_on:
                load_episodes_state_dict(env, episodes)
            else:
                base.reset()
            _load_terms(base, state)
            load_memory_state_dict(base, state.get("memory") if goes_on else None)


def episodes_state_dict(env: Any) -> dict[str, Any]:
    """Where the robots are, how long already, and what they earned; empty if the environment does not tell."""
    base = getattr(env, "unwrapped", env)
    if hasattr(base, "himloco_state_dict"):
        return {"custom": base.himloco_state_dict()}
    if not hasattr(base, "reset_to"):
        return {}
    return {
        "scene": base.scene.get_state(is_relative=True),
        "origins": base.scene.env_origins.clone(),
        "lengths": base.episode_length_buf.clone(),
        "reward_sums": {name: sums.clone() for name, sums in base.reward_manager._episode_sums.items()},
    }


def load_episodes_state_dict(env: Any, state: dict[str, Any], rows: torch.Tensor | None = None) -> None:
    """Put robots where :func:`episodes_state_dict` saw them.

    Args:
        env: The environment.
        state: What that returned.
        rows: Numbers [M] of the robots there that the first M robots here take over; None for all.
    """
    base = getattr(env, "unwrapped", env)
    if "custom" in state:
        base.himloco_load_state_dict(state["custom"])
        return
    elsewhere = rows is not None and "origins" in state
    rows = torch.arange(base.num_envs) if rows is None else rows.cpu()
    ids = torch.arange(len(rows), device=base.device)
    scene = _select(state["scene"], rows, base.device)
    if elsewhere:  # on the ground where they were, and not where the first robots here are at home
        origins = _select(state["origins"], rows, base.device)
        for entity in (*scene["articulation"].values(), *scene["rigid_object"].values()):
            entity["root_pose"][:, :3] += origins
        base.reset_to(scene, ids, is_relative=False)
        base.scene.env_origins[ids] = origins
    else:
        base.reset_to(scene, ids, is_relative=True)
    for articulation in base.scene.articulations.values():
        # Isaac Lab asks the joints to keep the velocity they had, and no action on positions ever takes that back
        articulation.actuators.target_command.velocity.torch[ids] = 0.0
    base.episode_length_buf[ids] = state["lengths"].to(base.device)[rows]
    for name, sums in base.reward_manager._episode_sums.items():
        if name in state["reward_sums"]:
            sums[ids] = state["reward_sums"][name].to(base.device)[rows]


def _select(value: Any, rows: torch.Tensor, device: Any) -> Any:
    """Some rows of every tensor in nested dictionaries."""
    if isinstance(value, dict):
        return {name: _select(item, rows, device) for name, item in value.items()}
    return value.cpu()[rows].to(device)


def _load_terms(base: Any, state: dict[str, Any]) -> None:
    """Restore the curriculum and command terms that are here and in the state."""
    for name, term in _stateful_terms(base):
        if name in state.get("terms", {}):
            term.load_state_dict(state["terms"][name])


def require_plain(value: Any, path: str = "checkpoint") -> None:
    """Refuse what ``torch.load(weights_only=True)`` would not read back, before it is written."""
    if value is None or isinstance(value, bool | int | float | str | torch.Tensor):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            require_plain(item, f"{path}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            require_plain(item, f"{path}[{index}]")
    else:
        raise TypeError(
            f"{path} is a {type(value).__name__}, which a checkpoint cannot hold; return numbers, strings or tensors"
            " from state_dict()."
        )


def _stateful_terms(base: Any) -> Iterator[tuple[str, Any]]:
    """Curriculum and command terms with a state."""
    curriculum = getattr(base, "curriculum_manager", None)
    if curriculum is not None:
        for name, cfg in zip(curriculum.active_terms, getattr(curriculum, "_term_cfgs", ()), strict=False):
            yield from _if_stateful(f"curriculum/{name}", cfg.func)
    commands = getattr(base, "command_manager", None)
    if commands is not None:
        for name in commands.active_terms:
            yield from _if_stateful(f"command/{name}", commands.get_term(name))


def _if_stateful(name: str, term: Any) -> Iterator[tuple[str, Any]]:
    """The term, if it offers the protocol."""
    if hasattr(term, "state_dict") and hasattr(term, "load_state_dict"):
        yield name, term
