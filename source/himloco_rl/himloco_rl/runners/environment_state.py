# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a checkpoint keeps of the environment, so that a resumed run continues its curricula.

The protocol, found by duck typing on ``env.unwrapped``:

1. ``himloco_state_dict()`` and ``himloco_load_state_dict(state)``, if offered, say everything.
2. Otherwise, for managers as Isaac Lab has them: ``common_step_counter``, and every curriculum and command term that
   offers ``state_dict()`` and ``load_state_dict(state)``.

A state holds numbers, strings, booleans, None and tensors, in dictionaries, lists and tuples: what ``torch.load`` reads
back with ``weights_only=True``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch


def environment_state_dict(env: Any) -> dict[str, Any]:
    """State of an environment's curricula; empty if it has none."""
    base = getattr(env, "unwrapped", env)
    if hasattr(base, "himloco_state_dict"):
        return {"custom": base.himloco_state_dict()}
    state: dict[str, Any] = {}
    if hasattr(base, "common_step_counter"):
        state["common_step_counter"] = int(base.common_step_counter)
    state["terms"] = {name: term.state_dict() for name, term in _stateful_terms(base)}
    return state


def load_environment_state_dict(env: Any, state: dict[str, Any]) -> None:
    """Restore what :func:`environment_state_dict` returned; terms that are gone or new are left alone."""
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
