# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The storage: one table, one gather, the next observation of each transition."""

from __future__ import annotations

import torch
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from himloco_rl.storage import HIMRolloutStorage

N, T = 3, 4


def observations(step: int) -> TensorDict:
    """Values that name their group, step and environment: 100·group + 10·step + environment."""

    def group(number: int, width: int) -> torch.Tensor:
        return (100.0 * number + 10.0 * step + torch.arange(float(N)))[:, None].repeat(1, width)

    return TensorDict({"policy": group(1, 4), "critic": group(2, 3), "estimator": group(3, 2)}, batch_size=[N])


def filled() -> HIMRolloutStorage:
    storage = HIMRolloutStorage(N, T, observations(0), ["estimator"], ["policy", "critic"], [2], feature_width=2)
    storage.features.copy_(
        torch.stack(torch.meshgrid(6.0 * torch.arange(T), torch.arange(float(N)), indexing="ij"), -1)
    )
    for step in range(T):
        transition = RolloutStorage.Transition()
        transition.observations = observations(step).select("policy", "critic")
        transition.actions = torch.full((N, 2), float(step))
        transition.rewards = torch.full((N,), 0.5 * step)
        transition.dones = torch.zeros(N)
        transition.values = torch.full((N, 1), 2.0 * step)
        transition.actions_log_prob = torch.full((N,), 3.0 * step)
        transition.distribution_params = (torch.full((N, 2), 4.0 * step), torch.full((N, 2), 5.0 * step))
        # Environment 1 ends in step 2; its terminal observation is 999, other rows of final_obs are stale
        done = torch.tensor([1]) if step == 2 else torch.tensor([], dtype=torch.long)
        storage.add_next_estimator(observations(step + 1), {"estimator": torch.full((N, 2), 999.0)}, done)
        storage.add_transition(transition)
    return storage


def test_next_observations_are_those_before_the_reset() -> None:
    storage = filled()
    expected = torch.tensor(
        [[310.0, 311.0, 312.0], [320.0, 321.0, 322.0], [330.0, 999.0, 332.0], [340.0, 341.0, 342.0]]
    )
    assert torch.equal(storage.next_estimator[..., 0], expected)
    assert torch.equal(storage.next_estimator[..., 1], expected)


def test_every_field_is_a_view_of_the_table_and_nothing_is_held_twice() -> None:
    storage = filled()
    start, end = storage.table.data_ptr(), storage.table.data_ptr() + storage.table.nbytes
    fields = [storage.observations["policy"], storage.observations["critic"], storage.actions, storage.values]
    fields += [storage.returns, storage.advantages, storage.rewards, storage.actions_log_prob, storage.next_estimator]
    fields += [storage.features, *(storage.distribution_params or ())]
    assert all(start <= field.data_ptr() < end for field in fields)
    assert storage.table.shape[-1] == sum(field.shape[-1] for field in fields)
    assert "estimator" not in storage.observations.keys()  # noqa: SIM118


def test_minibatches_hold_whole_rows_and_every_sample_once_an_epoch() -> None:
    storage = filled()
    storage.advantages = 7.0 * storage.values  # as PPO.compute_returns does: a tensor of its own
    batches = list(storage.mini_batches(3, 2))
    assert len(batches) == 6
    orders = [
        torch.cat([batch.observations["critic"][:, 0] for batch in e]).tolist() for e in (batches[:3], batches[3:])
    ]
    assert orders[0] != orders[1]
    for order in orders:
        assert sorted(order) == [200.0 + 10.0 * step + environment for step in range(T) for environment in range(N)]
    for batch in batches:
        step, environment = (
            batch.observations["critic"][:, 0].long() // 10 % 10,
            batch.observations["critic"][:, 0] % 10,
        )
        assert torch.equal(batch.observations["policy"][:, 0], 100.0 + 10.0 * step + environment)
        assert torch.equal(batch.actions[:, 0], step.float())
        assert torch.equal(batch.values[:, 0], 2.0 * step)
        assert torch.equal(batch.advantages[:, 0], 14.0 * step)
        assert torch.equal(batch.old_actions_log_prob[:, 0], 3.0 * step)
        assert torch.equal(batch.old_distribution_params[1][:, 1], 5.0 * step)
        assert torch.equal(batch.features, torch.stack((6.0 * step, environment), dim=1))


def test_a_minibatch_is_one_gather() -> None:
    """Everything a minibatch holds lies in one block of rows, frozen features included."""
    batch = next(filled().mini_batches(3, 1))
    parts = [*batch.observations.values(), batch.next_estimator, batch.actions, batch.values, batch.returns]
    parts += [batch.advantages, batch.old_actions_log_prob, *batch.old_distribution_params, batch.features]
    assert len({part.untyped_storage().data_ptr() for part in parts}) == 1


def test_memory_at_the_references_size_is_below_the_references() -> None:
    """Per step of 4096 environments: the reference holds a mirrored row beside each, of 456 + 79 + 79 and the rest."""
    meta = TensorDict(
        {"policy": torch.empty(4096, 456), "critic": torch.empty(4096, 79), "estimator": torch.empty(4096, 75)},
        batch_size=[4096],
    )
    one_step = HIMRolloutStorage(4096, 1, meta, ["estimator"], ["policy", "critic"], [12])
    reference = 4096 * 2 * 4 * (456 + 79 + 79 + 3 * 12 + 5)
    assert one_step.nbytes < 0.6 * reference
