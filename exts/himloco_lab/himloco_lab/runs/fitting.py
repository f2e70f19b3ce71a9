# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether a checkpoint fits a task, told before a simulation is built: by names of observations, then by layers."""

from __future__ import annotations

import contextlib
import copy
import io
from pathlib import Path
from typing import Any, cast

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from himloco_lab.errors import FAILURE, CliError
from himloco_rl.algorithms.him_setup import build_parts
from himloco_rl.checkpoints import CheckpointError, require_parts
from himloco_rl.observations import ObservationLayout

PARTS = {"actor": "actor_state_dict", "critic": "critic_state_dict"}
"""Networks of a checkpoint."""


class _RecordedEnv(VecEnv):
    """As much of the environment that a checkpoint comes from as the networks are built from."""

    def __init__(self, layout: ObservationLayout) -> None:
        self.num_envs, self.num_actions, self.device = 1, len(layout.action_joint_names), "cpu"
        self.observation_layout = layout

    def get_observations(self) -> TensorDict:
        groups = {name: torch.zeros(1, group.dim) for name, group in self.observation_layout.groups.items()}
        return TensorDict(groups, batch_size=[1])

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        raise NotImplementedError


def check_fit(path: Path, checkpoint: dict[str, Any], task: str, env_cfg: Any, settings: dict[str, Any]) -> None:
    """Refuse a checkpoint that cannot be loaded, with what differs.

    One that does not say what its observations were (rsl_rl's own, or an older one) is judged when it is loaded.

    Args:
        path: The file.
        checkpoint: What it holds.
        task: Registered name of the task.
        env_cfg: Its configuration.
        settings: The learner's configuration as a dictionary.

    Raises:
        CliError: Naming the observation term, or the layer and both shapes.
    """
    try:
        require_parts(path, checkpoint)
    except CheckpointError as error:
        raise CliError(str(error), FAILURE) from None
    if "layout" not in checkpoint:
        return
    try:
        layout = ObservationLayout.from_record(checkpoint["layout"])
    except (TypeError, KeyError, AttributeError, ValueError):
        raise CliError(f"{path} is no checkpoint of this version: its layout cannot be read", FAILURE) from None
    difference = terms_differ(layout, env_cfg, settings["obs_groups"]) or _layers_differ(checkpoint, layout, settings)
    if difference:
        made_with = checkpoint.get("made_with")
        origin = made_with.get("task") if isinstance(made_with, dict) else None
        made = f" (it was made with {origin})" if origin else ""
        raise CliError(
            f"{path} does not fit {task}: {difference}{made}; name the task it was trained on, and the sizes of its"
            " networks",
            FAILURE,
        )


def terms_differ(layout: ObservationLayout, env_cfg: Any, obs_groups: dict[str, list[str]]) -> str | None:
    """What the task's observations have otherwise, by the names and frames that its configuration gives."""
    for name in dict.fromkeys(name for names in obs_groups.values() for name in names):
        there = layout.groups.get(name)
        group = getattr(env_cfg.observations, name, None)
        if there is None or group is None:
            return f"observation group '{name}' is missing {'there' if there is None else 'here'}"
        here = [key for key, term in vars(group).items() if hasattr(term, "func")]
        known = [term.name for term in there.terms]
        if here != known:
            only = [f"'{key}' only here" for key in here if key not in known]
            only += [f"'{key}' only there" for key in known if key not in here]
            return f"observation group '{name}' has {', '.join(only) or 'another order of terms'}"
        frames = group.history_length
        if frames is not None and max(frames, 1) != there.history_length:
            return f"observation group '{name}' has {there.history_length} frames there and {max(frames, 1)} here"
    return None


def _layers_differ(checkpoint: dict[str, Any], layout: ObservationLayout, settings: dict[str, Any]) -> str | None:
    """The first layer that the configuration's networks have otherwise, on the checkpoint's own observations."""
    env = _RecordedEnv(layout)
    cfg = copy.deepcopy(settings) | {"multi_gpu": None, "num_steps_per_env": 1}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            _, parts = build_parts(env.get_observations(), env, cfg, "cpu")
    except (ValueError, KeyError, TypeError):  # said better when the learner is built
        return None
    except RuntimeError:  # sizes that no memory holds
        return "its observations or actions are of a size that cannot be"
    for part, key in PARTS.items():
        wanted, found = cast("torch.nn.Module", parts[part]).state_dict(), checkpoint[key]
        for layer in dict.fromkeys([*wanted, *found]):
            if layer not in found or layer not in wanted:
                return f"layer {layer} of the {part} is only {'here' if layer in wanted else 'there'}"
            if not isinstance(found[layer], torch.Tensor):
                return f"layer {layer} of the {part} is a {type(found[layer]).__name__} there"
            here, there = list(wanted[layer].shape), list(found[layer].shape)
            if here != there:
                return f"layer {layer} of the {part} has shape {there} there and {here} here"
    return None
