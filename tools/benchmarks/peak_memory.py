# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How much memory a rollout and an update hold at most, at sizes that need not fit into this machine.

All of it but the networks is proportional to the number of samples. So two small updates are run, every tensor that is
alive is counted, and the line through the two peaks is drawn to the full size.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from himloco_lab.tasks import load_config

from . import subject
from .dummy_rollouts import DummyRollouts
from .learner import EAGER, Learner, build_learner, collect

_REFERENCE = "ablations.reference_ppo:ReferencePPO"
_MIRRORED_ROWS = Learner(True, {"use_mirror_loss": True, "mirror_estimator": True}, {"class_name": _REFERENCE})


class LiveMemory(TorchDispatchMode):
    """Counts the bytes of all tensors that operations return while it is entered, until they are freed."""

    def __init__(self) -> None:
        """Start at nothing."""
        super().__init__()
        self.live = 0
        """Bytes alive now."""
        self.peak = 0
        """The most there were."""
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and count the memory of its results; views and in-place results have none of their own."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self._known.add(key)
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._free, key, size).atexit = False

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


def update_peaks(num_envs: int, num_steps: int, small: tuple[int, int] = (64, 128)) -> dict[str, int]:
    """Bytes that storage, networks, optimizers and one update hold at most, with the Rough task's sizes.

    Args:
        num_envs: Environments.
        num_steps: Steps per environment.
        small: Environments of the two updates that are run.

    Returns:
        Bytes of HIM without symmetry and of HIMLoco, which has none; of HIM as it is trained and of HomieRL, which
        mirrors too; and of rsl_rl's PPO without symmetry, which lacks what HIM needs. The two public codes are this
        repository's learner with their rows and columns: every row of rollout and minibatch also holds the rest of
        the critic's next observation, and HomieRL's rollout has a mirrored row beside each real one.
    """
    layout = subject.observation_layout(True)
    rest = (layout.group("critic").dim - layout.group("estimator").dim) * torch.float32.itemsize
    agent = _agent()
    rows = num_envs * num_steps
    rows += rows // agent.algorithm.num_mini_batches

    def peak(case: Learner) -> int:
        one, other = (measure_peak(case, envs, num_steps) for envs in small)
        return round(one + (other - one) / (small[1] - small[0]) * (num_envs - small[0]))

    plain = peak(EAGER["HIM"])
    return {
        "HIM, without symmetry": plain,
        "HIMLoco (no symmetry)": plain + rest * rows,
        "HIM, as trained": peak(EAGER["HIM, as trained"]),
        "HomieRL (with symmetry)": peak(_MIRRORED_ROWS) + 2 * rest * rows,
        "rsl_rl's PPO, without symmetry": peak(EAGER["PPO"]),
    }


def _agent() -> Any:
    """The learner of the rough task."""
    return load_config(subject.ROUGH, "rsl_rl_cfg_entry_point")


def measure_peak(case: Learner, num_envs: int, num_steps: int) -> int:
    """Bytes that a learner holds at most, from its construction to the end of its first update.

    Args:
        case: Which learner.
        num_envs: Environments.
        num_steps: Steps per environment.
    """
    with LiveMemory() as memory:
        env = DummyRollouts(num_envs, height_scan=True)
        settings = {"num_learning_epochs": 1}  # later epochs hold nothing more
        learner = build_learner(case, env, num_steps, _agent(), **settings)
        collect(learner, env, num_steps)
        learner.update()
    return memory.peak
