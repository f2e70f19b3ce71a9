# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Memory of a rollout, from the shapes that the storages allocate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from himloco_rl.storage import HIMRolloutStorage

from . import subject
from .dummy_rollouts import observations


def storage_sizes(num_envs: int, num_steps: int) -> dict[str, int]:
    """Bytes of a rollout with the Rough task's observations; nothing is allocated.

    Args:
        num_envs: Environments.
        num_steps: Steps per environment.

    Returns:
        Bytes of ``himloco_rl``; of ``rsl_rl``, which lacks what HIM needs beyond PPO; and of ``HIMLoco``, whose storage
        holds the critic's observation of this step and of the next one as a whole.
    """
    layout = subject.observation_layout(True)
    obs, actions = observations(layout, num_envs, "meta"), len(layout.action_joint_names)
    him = HIMRolloutStorage(num_envs, num_steps, obs, ["estimator"], ["policy", "critic"], [actions], device="meta")
    seen = obs.select("policy", "critic")
    stock = RolloutStorage("rl", num_envs, num_steps, seen, [actions], "meta")
    # rsl_rl allocates the distribution's parameters (mean, standard deviation) with the first transition
    late = 2 * num_envs * num_steps * actions * torch.float32.itemsize
    # HIMLoco: both observations, the critic's next one, action, mean, deviation, five scalars, and a byte for done
    policy, critic = (seen[group].shape[-1] for group in ("policy", "critic"))
    reference = policy + 2 * critic + 3 * actions + 5
    return {
        "himloco_rl": him.nbytes,
        "rsl_rl": _bytes_held(stock) + late,
        "HIMLoco": num_envs * num_steps * (reference * torch.float32.itemsize + 1),
    }


def _bytes_held(storage: Any) -> int:
    return sum(tensor.nbytes for value in vars(storage).values() for tensor in _tensors(value))


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, TensorDict):
        yield from (value[key] for key in value.keys())  # noqa: SIM118
