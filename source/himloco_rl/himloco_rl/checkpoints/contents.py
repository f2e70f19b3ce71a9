# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a checkpoint holds: the random generators' states and versions, and what can be read back and continued.

PyTorch's optimizers load anything, and break at their next step.
"""

from __future__ import annotations

import importlib.metadata
import math
import platform
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from himloco_rl.algorithms import HIMPPO
from himloco_rl.observations import NotFiniteError

from .files import CheckpointError

TOTALS: dict[str, tuple[type, ...]] = {
    "tot_timesteps": (int,),
    "tot_time": (int, float),
    "returns": (list,),
    "lengths": (list,),
    "running_returns": (torch.Tensor,),
    "running_lengths": (torch.Tensor,),
}
"""What the logger keeps."""


def random_state_dict() -> dict[str, Any]:
    """State of Python's, NumPy's and PyTorch's generators, the GPUs' included."""
    version, numbers, gauss = random.getstate()
    kind, key, position, has_gauss, cached = np.random.get_state()  # Isaac Lab draws from this one
    state = {
        "python": [version, list(numbers), gauss],
        "numpy": [kind, torch.from_numpy(np.asarray(key).astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def load_random_state_dict(state: dict[str, Any]) -> None:
    """Draw on as from :func:`random_state_dict`; GPUs only if there are as many as there were."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, key, *rest = state["numpy"]
    np.random.set_state((kind, key.cpu().numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"].cpu())
    cuda = state.get("cuda", [])
    if cuda and torch.cuda.is_available() and torch.cuda.device_count() == len(cuda):
        torch.cuda.set_rng_state_all([one.cpu() for one in cuda])


def versions() -> dict[str, Any]:
    """Versions of what learns, name -> version."""
    found = {"python": platform.python_version(), "torch": str(torch.__version__)}
    for name in ("himloco_rl", "rsl-rl-lib", "isaaclab"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # used from its sources, or not there
            continue
    return found


def require_plain(value: Any, path: str = "checkpoint") -> None:
    """Refuse what ``torch.load(weights_only=True)`` would not read back, before it is written.

    Raises:
        TypeError: Naming the part.
    """
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


def require_finite(path: str | Path, checkpoint: dict[str, Any]) -> None:
    """Refuse networks that hold NaN or infinity, before they are written.

    Raises:
        NotFiniteError: Naming the layer.
    """
    for part in ("actor_state_dict", "critic_state_dict"):
        problem = _network_problem(part, checkpoint)
        if problem is not None:
            raise NotFiniteError(f"{problem} after iteration {checkpoint['iter']}: {path} not saved")


def require_sound(path: str | Path, checkpoint: dict[str, Any], alg: HIMPPO, load_cfg: dict[str, bool] | None) -> None:
    """Refuse what would load and then break: NaN, and optimizers, totals and counts of another kind.

    Parts that are missing are left to those who need them. *load_cfg* names parts to load as in rsl_rl; None for all.

    Raises:
        CheckpointError: Naming the part, and what is wrong with it.
    """
    wanted = dict.fromkeys(("actor", "critic", "optimizer", "iteration"), True) if load_cfg is None else load_cfg
    problems = [_network_problem(f"{name}_state_dict", checkpoint) for name in ("actor", "critic") if wanted.get(name)]
    if wanted.get("optimizer"):
        optimizers = {"optimizer_state_dict": alg.optimizer, "estimator_optimizer_state_dict": alg.estimator.optimizer}
        for name, optimizer in optimizers.items():
            problem = _optimizer_problem(checkpoint[name], optimizer) if name in checkpoint else None
            problems.append(problem and f"{name} {problem}")
        updates = checkpoint.get("num_updates", 0)
        problems.append(None if type(updates) is int and updates >= 0 else f"num_updates is {updates!r:.40}")
    if wanted.get("iteration") and "logger_state" in checkpoint:
        problems.append(_totals_problem(checkpoint["logger_state"]))
    problem = next(filter(None, problems), None)
    if problem is not None:
        raise CheckpointError(f"{path} cannot be used: {problem}; choose another")


def _network_problem(name: str, checkpoint: dict[str, Any]) -> str | None:
    """What is not finite; shapes and names are compared when they are loaded."""
    for layer, values in checkpoint[name].items():
        if not isinstance(values, torch.Tensor):
            return f"{name}[{layer!r:.60}] is a {type(values).__name__}"
        if not bool(torch.isfinite(values).all()):
            return f"{name}[{layer!r:.60}] is not finite"
    return None


def _optimizer_problem(saved: Any, optimizer: torch.optim.Optimizer) -> str | None:
    """What another optimizer, or a damaged one, has otherwise, in words."""
    groups, states = (saved.get("param_groups"), saved.get("state")) if isinstance(saved, dict) else (None, None)
    if not isinstance(groups, list) or not isinstance(states, dict):
        return "is no optimizer's state"
    if len(groups) != len(optimizer.param_groups):
        return f"has {len(groups)} groups of parameters, and here are {len(optimizer.param_groups)}"
    parameters: dict[Any, torch.Tensor] = {}
    for there, here in zip(groups, optimizer.param_groups, strict=True):
        numbers = there.get("params") if isinstance(there, dict) else None
        if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
            return "does not say which parameters it is of"
        if len(numbers) != len(here["params"]):
            return f"is of {len(numbers)} parameters, and here are {len(here['params'])}"
        parameters |= dict(zip(numbers, here["params"], strict=True))
        for name, mine in here.items():  # PyTorch itself adds switches that older files do not have
            if name == "params" or (name not in there and (isinstance(mine, bool) or mine is None)):
                continue
            if name not in there or _differs(there[name], mine):
                return f"has {name} {there.get(name)!r:.40}, which is {mine!r:.40} here"
    return _moments_problem(states, parameters)


def _differs(theirs: Any, mine: Any) -> bool:
    """Whether a setting is of another kind; numbers may be others, as learning rates are."""
    if isinstance(mine, tuple):
        return type(theirs) is not tuple or len(theirs) != len(mine) or any(map(_differs, theirs, mine))
    if isinstance(mine, bool) or mine is None:
        return theirs is not mine
    if isinstance(mine, int | float):
        is_number = isinstance(theirs, int | float) and not isinstance(theirs, bool)
        return not (is_number and math.isfinite(theirs) and theirs >= 0.0)
    return type(theirs) is not type(mine)


def _moments_problem(states: dict[Any, Any], parameters: dict[Any, torch.Tensor]) -> str | None:
    """What cannot be the averages of these parameters' gradients."""
    if states.keys() - parameters.keys():
        return "has averages of parameters that are not there"
    names = {frozenset(state) if isinstance(state, dict) else None for state in states.values()}
    if None in names or len(names) > 1 or (states and len(states) != len(parameters)):
        return "lacks averages of some parameters"
    for number, state in states.items():
        for name, values in state.items():
            if not isinstance(values, torch.Tensor) or values.shape not in (parameters[number].shape, torch.Size([])):
                kind = list(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
                return f"has {name!r:.40} of {kind} for parameter {number} of {list(parameters[number].shape)}"
            if not values.is_floating_point() or not bool(torch.isfinite(values).all()):
                return f"has {name!r:.40} of parameter {number} that is not finite"
    return None


def _totals_problem(totals: Any) -> str | None:
    """What cannot be counted on from."""
    if not isinstance(totals, dict):
        return f"logger_state is a {type(totals).__name__}"
    for name, kinds in TOTALS.items():
        if name not in totals:
            return f"logger_state has no {name}"
        value = totals[name]
        numbers = value if isinstance(value, list) else [0.0 if isinstance(value, torch.Tensor) else value]
        good = isinstance(value, kinds) and all(type(one) in (int, float) and math.isfinite(one) for one in numbers)
        if not good:
            return f"logger_state has {name} {value!r:.40}"
    return None
