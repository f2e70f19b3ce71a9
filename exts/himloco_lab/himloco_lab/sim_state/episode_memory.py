# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What managers as Isaac Lab has them remember of the steps before, robot by robot.

A resumed run continues with it where its robots continue their episodes. Otherwise its first iteration would differ
from the others: all frames of an observation would be the same one, the last action zero, the joints would be commanded
to the default pose for a moment, commands would be new, and sums over an episode would begin in its middle.

Remembered are, of any task, the last actions, the histories of the observations, when the next command and the next
event are due, the commands' metrics, and what the episodes that ended last have logged. A term of the task names what
it remembers itself in ``remembers``: its attributes that hold a tensor of shape ``[N, ...]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import torch

ACTIONS = ("_raw_actions", "_processed_actions")
"""What Isaac Lab's action terms have."""


def memory_state_dict(base: Any) -> dict[str, Any]:
    """What is remembered now, as copies.

    Args:
        base: The environment.
    """
    log = getattr(base, "extras", {}).get("log", {})
    numbers = {name: float(value) for name, value in log.items() if _is_number(value)}
    return {"tensors": {name: tensor.clone() for name, tensor in _remembered(base)}, "log": numbers}


def load_memory_state_dict(base: Any, state: Any) -> None:
    """Remember what :func:`memory_state_dict` returned, and observe anew.

    What is gone, new, or of another shape is left as it is.

    Args:
        base: The environment, with as many robots as there were.
        state: What that returned; an empty one, or anything else, only forgets what a reset has logged.
    """
    tensors, log = (_dictionary(_dictionary(state).get(part)) for part in ("tensors", "log"))
    for name, tensor in _remembered(base):
        saved = tensors.get(name)
        if isinstance(saved, torch.Tensor) and saved.shape == tensor.shape and saved.dtype == tensor.dtype:
            tensor[:] = saved.to(tensor.device)
    base.extras["log"] = {name: value for name, value in log.items() if isinstance(value, float)}
    base.obs_buf = base.observation_manager.compute()


def _remembered(base: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and the tensors themselves, which are written to."""
    actions = base.action_manager
    yield "actions/last", actions._action
    yield "actions/before", actions._prev_action
    for name in actions.active_terms:
        term = actions.get_term(name)
        yield from _of_term(f"action/{name}", term, tuple(own for own in ACTIONS if hasattr(term, own)))
    for group, buffers in base.observation_manager._group_obs_term_history_buffer.items():
        for name, frames in buffers.items():
            if frames._buffer is None:
                continue
            yield f"frames/{group}/{name}", frames.buffer
            yield f"frames/{group}/{name}/number", frames._num_pushes
    for name in base.command_manager.active_terms:
        term = base.command_manager.get_term(name)
        yield from _of_term(f"command/{name}", term, ("time_left", "command_counter"))
        yield from ((f"command/{name}/{metric}", values) for metric, values in term.metrics.items())
    for name in base.reward_manager.active_terms:
        yield from _of_term(f"reward/{name}", base.reward_manager.get_term_cfg(name).func)
    names = base.event_manager.active_terms.get("interval", [])
    for name, time_left in zip(names, base.event_manager._interval_term_time_left, strict=False):
        yield f"event/{name}", time_left
        yield from _of_term(f"event/{name}", base.event_manager.get_term_cfg(name).func)


def _of_term(name: str, term: Any, known: tuple[str, ...] = ()) -> Iterator[tuple[str, torch.Tensor]]:
    """What a term has in these attributes and in those that it names."""
    for attribute in (*known, *getattr(term, "remembers", ())):
        yield f"{name}/{attribute}", attrgetter(attribute)(term)


def _dictionary(value: Any) -> dict[Any, Any]:
    """The value, if it is a dictionary, or an empty one."""
    return value if isinstance(value, dict) else {}


def _is_number(value: Any) -> bool:
    """Whether a log's value is one number."""
    return isinstance(value, int | float) or (isinstance(value, torch.Tensor) and value.numel() == 1)
