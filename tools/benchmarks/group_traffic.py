# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the processes of a run tell each other in one iteration, counted from the learner itself."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from himloco_lab.tasks.default_robot import load_config

from .dummy_rollouts import DummyRollouts
from .learner import Learner, build_learner, collect

SYMMETRY = {"use_data_augmentation": True, "use_mirror_loss": True, "mirror_estimator": True}
"""As the tasks train."""
_ENVS, _STEPS = 4, 10
"""A small rollout: nothing that is reduced depends on its size."""


@dataclass(frozen=True)
class Traffic:
    """The reductions of one iteration."""

    calls: dict[int, int]
    """Size of a reduction [B] -> how many there are of it."""
    policy_parameters: int
    """Of actor and critic, without the estimator."""
    estimator_parameters: int
    """Of the estimator."""
    policy_steps: int
    """Steps of the policy's optimizer."""
    estimator_steps: int
    """Steps of the estimator's."""

    @property
    def bytes(self) -> int:
        """All of them together [B]."""
        return sum(size * count for size, count in self.calls.items())

    @property
    def number(self) -> int:
        """How many reductions there are."""
        return sum(self.calls.values())

    @property
    def gradient_bytes(self) -> int:
        """Parameters times steps, in float32 [B]: what is reduced apart from a few sums."""
        policy = self.policy_parameters * self.policy_steps
        return torch.float32.itemsize * (policy + self.estimator_parameters * self.estimator_steps)


@contextlib.contextmanager
def counted_reductions() -> Iterator[Counter[int]]:
    """Count ``torch.distributed.all_reduce`` by size [B] instead of doing it."""
    calls: Counter[int] = Counter()

    def count(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> None:
        calls[tensor.nbytes] += 1

    group: Any = torch.distributed
    reduce, is_initialized = group.all_reduce, group.is_initialized
    group.all_reduce, group.is_initialized = count, lambda: True  # the normalisers ask for the second
    try:
        yield calls
    finally:
        group.all_reduce, group.is_initialized = reduce, is_initialized


def iteration_traffic(task: str, height_scan: bool) -> Traffic:
    """Count the reductions of one iteration of a task, by an update on random data.

    Args:
        task: Registered name.
        height_scan: Whether its critic sees one.
    """
    env = DummyRollouts(_ENVS, height_scan=height_scan)
    learner: Any = build_learner(Learner(True, SYMMETRY), env, _STEPS, load_config(task, "rsl_rl_cfg_entry_point"))
    steps = {"policy": 0, "estimator": 0}
    for name, optimizer in (("policy", learner.optimizer), ("estimator", learner.estimator.optimizer)):
        optimizer.register_step_post_hook(lambda *args, name=name: steps.update({name: steps[name] + 1}))
    learner.ranks.world_size = 2
    with counted_reductions() as calls:
        collect(learner, env, _STEPS)
        learner.update()
    return Traffic(
        dict(calls),
        sum(parameter.numel() for parameter in learner.policy_parameters),
        sum(parameter.numel() for parameter in learner.actor.estimator.parameters()),
        steps["policy"],
        steps["estimator"],
    )
