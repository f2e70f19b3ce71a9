# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The random generators' states, and what a checkpoint was made with, as plain data."""

from __future__ import annotations

import importlib.metadata
import platform
import random
from typing import Any

import numpy as np
import torch


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
