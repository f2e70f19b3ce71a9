# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Memory of learning at the size of the published trainings: the rollout's, and the peak of a whole update.

The rollout's follows from its shapes. All of the peak but the networks is proportional to the number of samples, so two
small updates are run, every tensor that is alive is counted, and the line through the two peaks is drawn to full size.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from rsl_rl.storage import RolloutStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from himloco_lab.tasks import load_config
from himloco_rl.storage import HIMRolloutStorage

from . import ROUGH
from .dummy_rollouts import DummyRollouts, observation_layout, observations
from .learner import AS_TRAINED, EAGER, Learner, build_learner, collect

_MIRRORED_ROWS = Learner(
    True,
    {key: value for key, value in AS_TRAINED.items() if key != "use_data_augmentation"},
    {"class_name": "ablations.learners:ReferencePPO"},
)


def measure_full_size(num_envs: int, num_steps: int) -> dict[str, Any]:
    """``bytes`` of the rollout (:func:`storage_sizes`) and ``peaks`` of its update (:func:`update_peaks`) [B]."""
    return {"bytes": storage_sizes(num_envs, num_steps), "peaks": update_peaks(num_envs, num_steps)}


def storage_sizes(num_envs: int, num_steps: int) -> dict[str, int]:
    """Bytes of a rollout with the Rough task's observations; nothing is allocated.

    Returns:
        Bytes of ``himloco_rl``; of ``rsl_rl``, which lacks what HIM needs beyond PPO; and of ``HIMLoco``, whose storage
        holds the critic's observation of this step and of the next one as a whole.
    """
    layout = observation_layout(True)
    obs, actions = observations(layout, num_envs, "meta"), len(layout.action_joint_names)
    him = HIMRolloutStorage(num_envs, num_steps, obs, ["estimator"], ["policy", "critic"], [actions], device="meta")
    stock = RolloutStorage("rl", num_envs, num_steps, obs.select("policy", "critic"), [actions], "meta")
    held = sum(leaf.nbytes for leaf in tree_leaves(vars(stock)) if isinstance(leaf, torch.Tensor))
    # rsl_rl allocates the distribution's parameters (mean, standard deviation) with the first transition
    late = 2 * num_envs * num_steps * actions * torch.float32.itemsize
    # HIMLoco: both observations, the critic's next one, action, mean, deviation, five scalars, and a byte for done
    policy, critic = (obs[group].shape[-1] for group in ("policy", "critic"))
    reference = policy + 2 * critic + 3 * actions + 5
    return {
        "himloco_rl": him.nbytes,
        "rsl_rl": held + late,
        "HIMLoco": num_envs * num_steps * (reference * torch.float32.itemsize + 1),
    }


def update_peaks(num_envs: int, num_steps: int, small: tuple[int, int] = (64, 128)) -> dict[str, int]:
    """Bytes that storage, networks, optimizers and one update hold at most, with the Rough task's sizes.

    Args:
        num_envs: Environments.
        num_steps: Steps of each.
        small: Environments of the two updates that are run.

    Returns:
        Bytes of HIM without symmetry and of HIMLoco, which has none; of HIM as it is trained and of HomieRL, which
        mirrors too; and of rsl_rl's PPO without symmetry, which lacks what HIM needs. The two public codes are this
        repository's learner with their rows and columns: every row of rollout and minibatch also holds the rest of
        the critic's next observation, and HomieRL's rollout has a mirrored row beside each real one.
    """
    layout = observation_layout(True)
    rest = (layout.group("critic").dim - layout.group("estimator").dim) * torch.float32.itemsize
    rows = num_envs * num_steps
    rows += rows // load_config(ROUGH, "rsl_rl_cfg_entry_point").algorithm.num_mini_batches

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


def measure_peak(case: Learner, num_envs: int, num_steps: int) -> int:
    """Bytes that a learner holds at most, from its construction to the end of its first update."""
    with LiveMemory() as memory:
        env = DummyRollouts(num_envs, height_scan=True)
        agent = load_config(ROUGH, "rsl_rl_cfg_entry_point")
        learner = build_learner(case, env, num_steps, agent, num_learning_epochs=1)  # later epochs hold nothing more
        collect(learner, env, num_steps)
        learner.update()
    return memory.peak


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
