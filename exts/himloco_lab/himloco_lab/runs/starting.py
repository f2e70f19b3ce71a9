# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Training that starts from an exported policy: an ONNX file holds the actor, and nothing else of a run."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from himloco_lab.errors import FAILURE, CliError

if TYPE_CHECKING:
    import torch

    from himloco_rl.models import HIMActor

ASSUMED_SAMPLES = 5_000_000
"""Observations that the file's statistics are taken to come from; it does not say, and those of a new run are few."""

PARTS = {"encoder.": "estimator.encoder.", "mlp.": "mlp.", "terrain_encoder.": "terrain_encoder."}
"""Beginnings of names in the file -> in the actor."""


def is_exported(path: Path | str) -> bool:
    """Return whether *path* has the name of an exported policy, ``*.onnx``."""
    return Path(path).suffix == ".onnx"


def layers_differ(found: dict[str, Any], wanted: dict[str, torch.Tensor], part: str = "") -> str | None:
    """Return how the layers *found* in a file differ from those *wanted* of a *part*, such as " of the actor"."""
    for key in dict.fromkeys([*wanted, *found]):
        layer = f"layer {key}{part}"
        if key not in found or key not in wanted:
            return f"{layer} is only {'here' if key in wanted else 'there'}"
        if not hasattr(found[key], "shape"):
            return f"{layer} is a {type(found[key]).__name__} there"
        there, here = list(found[key].shape), list(wanted[key].shape)
        if there != here:
            return f"{layer} has shape {there} there and {here} here"
    return None


def check_start(path: Path, task: str, env_cfg: Any, settings: dict[str, Any]) -> None:
    """Refuse an ONNX file that the task's learner of these *settings* cannot start from, before a simulation is built.

    Raises:
        CliError: Naming what differs.
    """
    import torch
    from rsl_rl.utils import resolve_class
    from tensordict import TensorDict

    from himloco_lab.deployment.manifest import ManifestError
    from himloco_lab.deployment.policy import load_manifest
    from himloco_lab.runs.loading import terms_differ
    from himloco_rl.observations import ObservationGroup, ObservationLayout, ObservationTerm

    try:
        manifest = load_manifest(path)
    except ManifestError as error:
        raise CliError(f"--checkpoint {error}", FAILURE) from None
    groups, observation = settings["obs_groups"], manifest.observation
    history = groups["actor"][0]
    terms = tuple(ObservationTerm(term.name, term.width) for term in observation.terms)
    frames = ObservationGroup(history, terms, observation.history_length, "time")
    layout = ObservationLayout({history: frames}, tuple(manifest.action.joints))
    difference = terms_differ(layout, env_cfg, {"actor": [history]})
    if difference:
        raise _misfit(str(path), task, difference)
    # the estimator's targets, which the file has nothing of, may have any width
    widths = {**dict.fromkeys(groups["estimator"], 1), history: frames.dim}
    widths |= dict.fromkeys(groups["actor"][1:], sum(term.width for term in observation.extra))
    obs = TensorDict({name: torch.zeros(1, width) for name, width in widths.items()}, batch_size=[1])
    actor_class, arguments = resolve_class(copy.deepcopy(settings["actor"]))
    arguments["history_length"] = observation.history_length
    try:
        actor = actor_class(obs, groups, "actor", len(manifest.action.joints), **arguments)
    except (ValueError, TypeError, KeyError, RuntimeError):  # said better when the learner is built
        return
    start_from(actor, path.read_bytes(), str(path), task)


def start_from(actor: HIMActor, data: bytes, name: str, task: str) -> None:
    """Give an actor the weights in an ONNX file's *data*; its noise and the target encoder stay new.

    The names of the file and of the task are for the message.

    Raises:
        CliError: If it is no HIM policy, or one of other sizes.
    """
    found = _read_weights(data, name, getattr(actor.obs_normalizer, "eps", None))
    state = actor.state_dict()
    wanted = {key: state[key] for key in state if key.startswith((*PARTS.values(), "obs_normalizer."))}
    difference = layers_differ(found, wanted)
    if difference:
        raise _misfit(name, task, difference)
    for key, values in found.items():
        if not bool(values.isfinite().all()):
            raise CliError(f"{name} cannot be used: layer {key} is not finite; choose another", FAILURE)
    actor.load_state_dict({**state, **found})


def _misfit(name: str, task: str, reason: str) -> CliError:
    remedy = "name a policy of this task, and the sizes of its networks"
    return CliError(f"{name} does not fit {task}: {reason}; {remedy}", FAILURE)


def _read_weights(data: bytes, name: str, eps: float | None) -> dict[str, torch.Tensor]:
    """Return the actor's state as far as the ONNX file has it, by the actor's names; *name* is for the message.

    The actor's normalizer adds *eps* to the standard deviation; None without one.

    Raises:
        CliError: If the file is no ONNX model, or has no weights of a HIM actor.
    """
    import numpy as np
    import onnx
    import torch
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load_model_from_string(data).graph
    except DecodeError:
        raise CliError(f"{name} is not an ONNX model: export it again", FAILURE) from None
    constants = {tensor.name: tensor for tensor in graph.initializer}

    def read(key: str) -> torch.Tensor:
        return torch.from_numpy(np.array(onnx.numpy_helper.to_array(constants[key])))

    found = {
        part + key.removeprefix(prefix): read(key)
        for key in constants
        for prefix, part in PARTS.items()
        if key.startswith(prefix)
    }
    if not any(key.startswith(PARTS["encoder."]) for key in found):
        raise CliError(f"{name} holds no HIM policy of this project, so training cannot start from it", FAILURE)
    # (x - mean) / (std + eps) comes first, where there is a normalizer
    users = {
        node.input[0]: node for node in graph.node if node.op_type in ("Sub", "Div") and node.input[1] in constants
    }
    minus = users.get(graph.input[0].name)
    if minus is not None:
        deviation = read(users[minus.output[0]].input[1]) - (eps or 0.0)
        found |= {
            "obs_normalizer._mean": read(minus.input[1]),
            "obs_normalizer._std": deviation,
            "obs_normalizer._var": deviation.square(),
            "obs_normalizer.count": torch.tensor(ASSUMED_SAMPLES),
        }
    return found
