# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Rollout storage of HIM: one row per transition, next estimator observations included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

SAME_NAME = ("next_estimator", "actions", "values", "returns", "advantages", "features")
"""Columns of the table that a minibatch has under the same name."""


@dataclass
class HIMBatch:
    """A minibatch; every field is a view into one gathered block of rows."""

    observations: TensorDict
    """What actor and critic saw, group -> [B, D]."""
    next_estimator: torch.Tensor
    """The estimator's group one step later, the terminal one where the episode ended, shape [B, D]."""
    actions: torch.Tensor
    """Executed actions, shape [B, A]."""
    values: torch.Tensor
    """Values when the actions were taken, shape [B, 1]."""
    returns: torch.Tensor
    """GAE returns, shape [B, 1]."""
    advantages: torch.Tensor
    """GAE advantages, shape [B, 1]."""
    old_actions_log_prob: torch.Tensor
    """Log-probabilities of the executed actions when they were taken, shape [B, 1]."""
    old_distribution_params: tuple[torch.Tensor, ...]
    """Parameters of the distribution they were drawn from, each [B, A]."""
    features: torch.Tensor
    """What the storage keeps of the frozen estimator, shape [B, F]; F = 0 if that is nothing."""


class HIMRolloutStorage(RolloutStorage):
    """Rollout storage whose tensors are columns of one table [T, N, width].

    A minibatch is then one gather of rows, and nothing is held twice: the estimator's group is kept one step ahead
    only, and the current one not at all.
    """

    def __init__(
        self,
        num_envs: int,
        num_transitions_per_env: int,
        obs: TensorDict,
        estimator_groups: list[str],
        observation_groups: list[str],
        actions_shape: tuple[int, ...] | list[int],
        num_distribution_params: int = 2,
        feature_width: int = 0,
        device: str = "cpu",
    ) -> None:
        """Allocate the table.

        Args:
            num_envs, num_transitions_per_env: N and T.
            obs: Observations to take the widths from, group -> [N, D].
            estimator_groups: Groups that are stored one step ahead, concatenated in this order.
            observation_groups: Groups that actor and critic read.
            actions_shape, device: Shape of one action, [A], and where the table lives.
            num_distribution_params: Tensors [N, A] that describe the action distribution (mean and std: 2).
            feature_width: F, columns for features of the frozen estimator; 0 for none.
        """
        self.estimator_groups = list(estimator_groups)
        self.observation_groups = list(dict.fromkeys(observation_groups))
        kept = obs.select(*self.observation_groups)
        # The base class allocates every field on its own; with no transitions that is nothing, and the views follow.
        super().__init__("rl", num_envs, 0, kept, actions_shape, device)
        self.num_transitions_per_env = num_transitions_per_env
        actions = int(torch.Size(actions_shape).numel())
        widths = {"next_estimator": sum(obs[group].shape[-1] for group in self.estimator_groups)}
        widths |= {f"obs/{group}": obs[group].shape[-1] for group in self.observation_groups}
        widths |= {"actions": actions}
        widths |= {f"distribution/{i}": actions for i in range(num_distribution_params)}
        widths |= dict.fromkeys(("values", "returns", "advantages", "actions_log_prob", "rewards"), 1)
        widths["features"] = feature_width
        self._columns: dict[str, slice] = {}
        width = 0
        for name, size in widths.items():
            self._columns[name] = slice(width, width + size)
            width += size
        self.table = torch.zeros(num_transitions_per_env, num_envs, width, device=device)

        # The base class's fields, as columns
        self.observations = TensorDict(
            {group: self._field(f"obs/{group}") for group in self.observation_groups},
            batch_size=[num_transitions_per_env, num_envs],
            device=device,
        )
        self.next_estimator = self._field("next_estimator")
        self.actions, self.rewards = self._field("actions"), self._field("rewards")
        self.values, self.returns = self._field("values"), self._field("returns")
        self.advantages, self.actions_log_prob = self._field("advantages"), self._field("actions_log_prob")
        self.distribution_params = tuple(self._field(f"distribution/{i}") for i in range(num_distribution_params))
        self.features = self._field("features")
        self.dones = torch.zeros(num_transitions_per_env, num_envs, 1, dtype=torch.uint8, device=device)

    @property
    def num_samples(self) -> int:
        """Transitions of a full rollout, T * N."""
        return self.num_transitions_per_env * self.num_envs

    @property
    def nbytes(self) -> int:
        """Memory held [byte]."""
        return self.table.nbytes + self.dones.nbytes

    def add_next_estimator(self, obs: TensorDict, final_obs: TensorDict | dict, done_ids: torch.Tensor) -> None:
        """Store the next estimator observation of the current transition; call before :meth:`add_transition`.

        It is that after the step, group -> [N, D], and where the episode ended, in the rows done_ids [M], that before
        the reset, final_obs.
        """
        row = self.next_estimator[self.step]
        row.copy_(torch.cat([obs[group] for group in self.estimator_groups], dim=-1))
        if len(done_ids):
            terminal = torch.cat([final_obs[group][done_ids] for group in self.estimator_groups], dim=-1)
            row[done_ids] = terminal.to(row.device)

    def mini_batches(self, num_mini_batches: int, num_epochs: int) -> Iterator[HIMBatch]:
        """Yield minibatches, shuffled anew every epoch; the rest of an uneven division waits for another one."""
        column = self._field("advantages")
        if self.advantages.data_ptr() != column.data_ptr():  # PPO.compute_returns makes a tensor of its own
            column.copy_(self.advantages)
            self.advantages = column
        rows = self.table.view(self.num_samples, -1)
        size = self.num_samples // num_mini_batches
        for _ in range(num_epochs):
            order = torch.randperm(self.num_samples, device=self.device)
            for start in range(0, size * num_mini_batches, size):
                yield self._batch(rows.index_select(0, order[start : start + size]))

    def _batch(self, rows: torch.Tensor) -> HIMBatch:
        """Name the columns of gathered rows [B, width]."""
        columns = {name: rows[:, where] for name, where in self._columns.items()}
        observations = {group: columns[f"obs/{group}"] for group in self.observation_groups}
        return HIMBatch(
            observations=TensorDict(observations, batch_size=[rows.shape[0]]),
            old_actions_log_prob=columns["actions_log_prob"],
            old_distribution_params=tuple(
                columns[f"distribution/{i}"] for i in range(len(self.distribution_params or ()))
            ),
            **{name: columns[name] for name in SAME_NAME},
        )

    def _field(self, name: str) -> torch.Tensor:
        """A column of the table over all transitions, shape [T, N, size]."""
        return self.table[..., self._columns[name]]
