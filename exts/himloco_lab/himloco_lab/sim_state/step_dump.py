# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A step whose outcome was not finite, as the learner writes it to a file, and the same step again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from himloco_rl.checkpoints.files import CheckpointError
from himloco_rl.observations import ObservationLayout

from .isaac_lab_state import IsaacLabState

PARTS: dict[str, type] = {
    "message": str,
    "environments": torch.Tensor,
    "state": dict,
    "observations": dict,
    "actions": torch.Tensor,
    "result": dict,
    "rewards": torch.Tensor,
}
"""What a dump holds: the words, numbers [M] of the environments that broke, the state of all N before the step, what
those M saw then, the actions [N, A], and what came back of the M."""


@dataclass(frozen=True)
class Replayed:
    """What became of a step that was made again."""

    broken: list[int]
    """Numbers of the environments, as in the dump, whose observations or reward are not finite this time."""
    message: str | None
    """What is not finite, in words, or None."""


def require_dump(path: str | Path, contents: dict[str, Any]) -> None:
    """Refuse contents of a file that are no dump, or none that holds together.

    Raises:
        CheckpointError: Naming the part.
    """
    missing = [name for name in PARTS if name not in contents]
    if missing:
        holds = ", ".join(sorted(map(str, contents))[:8]) or "nothing"
        raise CheckpointError(
            f"{path} holds no step to replay: it has {holds}, but no {' and no '.join(missing)}; name a"
            " not_finite_<iteration>.pt of a run"
        )
    for name, kind in PARTS.items():
        if not isinstance(contents[name], kind):
            raise CheckpointError(f"{path}: {name} is a {type(contents[name]).__name__}, not a {kind.__name__}")
    ids, actions = contents["environments"], contents["actions"]
    if actions.dim() != 2 or not actions.is_floating_point():
        raise CheckpointError(f"{path}: actions of shape {list(actions.shape)} ({actions.dtype}), not [N, A] of floats")
    whole = ids.dtype == torch.long and ids.dim() == 1 and len(ids) > 0
    if not whole or not 0 <= int(ids.min()) <= int(ids.max()) < len(actions):
        raise CheckpointError(f"{path}: its environments are not numbers of the {len(actions)} that actions tell of")


@torch.inference_mode()
def replay(env: Any, dump: dict[str, Any], layout: ObservationLayout) -> Replayed:
    """Do again what led to the dump that :class:`himloco_rl.guards.BrokenSimulationError` carried.

    The environment is of the same task; Isaac Lab's with as many robots as broke, or more: the first take their place.

    Raises:
        ValueError: If the state is not one of this environment.
    """
    ids, actions = dump["environments"].to(env.device), dump["actions"].to(env.device)
    mine = ids if "custom" in dump["state"] else torch.arange(len(ids), device=env.device)
    if len(mine) > env.num_envs:
        raise ValueError(f"the dump has {len(ids)} environments that broke, and here are {env.num_envs}")
    IsaacLabState(env).load_episodes(dump["state"], ids)
    asked = actions
    if "custom" not in dump["state"]:
        asked = actions.new_zeros(env.num_envs, actions.shape[1])
        asked[mine] = actions[ids]
    obs, rewards, dones, extras = env.step(asked)
    seen = [dict(obs.items())]
    fell = dones.reshape(-1, 1) > 0
    if bool(fell[mine].any()) and "final_obs" in extras:  # what they saw before their resets
        seen.append({name: torch.where(fell, values, 0.0) for name, values in extras["final_obs"].items()})
    rewards = rewards.reshape(-1)[mine]
    bad = ~torch.isfinite(rewards)
    message = None
    for group in seen:
        rows = {name: values[mine] for name, values in group.items()}
        for values in rows.values():
            bad |= ~torch.isfinite(values).all(dim=-1)
        placed = {  # in their old places of [N, D], so that they are called by their old numbers
            name: values.new_zeros(len(actions), values.shape[-1]).index_copy(0, ids, values)
            for name, values in rows.items()
        }
        message = message or layout.describe_not_finite(placed)
    broken = ids[bad].tolist()
    if broken and message is None:
        message = f"The reward of environment {broken[0]} is not finite"
    return Replayed(broken, message)
