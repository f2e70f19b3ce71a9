# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The algorithm's settings: what they do to the learning rate, what is refused and by which words, checkpoints."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from dummy_env import DummyEnv, train_cfg
from him_trials import SYMMETRY, build, rollout


def test_the_learning_rate_follows_the_kl() -> None:
    for desired, direction in ((1.0e-6, -1), (10.0, 1)):
        algorithm = build(desired_kl=desired, symmetry_cfg=None)
        rollout(algorithm)
        algorithm.update()
        assert np.sign(algorithm.learning_rate - 1.0e-3) == direction
        assert 1.0e-5 <= algorithm.learning_rate <= 1.0e-2


@pytest.mark.parametrize(
    ("schedule", "updates", "target"),
    [("adaptive", 0, 0.04), ("adaptive", 1, 0.02), ("adaptive", 2, 0.01), ("adaptive", 9, 0.01), ("fixed", 1, None)],
)
def test_the_desired_kl_shrinks_geometrically(schedule: str, updates: int, target: float | None) -> None:
    settings: dict[str, Any] = {"desired_kl": 0.04} | ({} if schedule == "fixed" else {"final_desired_kl": 0.01})
    algorithm = build(schedule=schedule, desired_kl_updates=2, symmetry_cfg=None, **settings)
    algorithm.kl_target.updates = updates
    assert algorithm.kl_target.value == (None if target is None else pytest.approx(target))
    if target is not None:  # beyond twice, and below half of it
        assert algorithm.kl_target.adapt(1.0e-3, torch.tensor(2.1 * target)) == pytest.approx(1.0e-3 / 1.5)
        assert algorithm.kl_target.adapt(1.0e-3, torch.tensor(1.9 * target)) == 1.0e-3
        assert algorithm.kl_target.adapt(1.0e-3, torch.tensor(0.4 * target)) == pytest.approx(1.5e-3)
    rollout(algorithm)
    algorithm.update()
    assert algorithm.kl_target.updates == updates + 1
    assert algorithm.learning_rate == 1.0e-3 or schedule == "adaptive"


@pytest.mark.parametrize("schedule", ["interleaved", "after"])
def test_while_the_critic_warms_up_the_policy_holds_still(schedule: str) -> None:
    algorithm = build(critic_warmup_updates=2, estimator_schedule=schedule, symmetry_cfg=SYMMETRY, desired_kl=0.01)
    actor, held = algorithm.actor, ("mlp.", "distribution.", "estimator.encoder.")
    for number in range(1, 4):
        before = {"critic": copy.deepcopy(algorithm.critic.state_dict()), "actor": copy.deepcopy(actor.state_dict())}
        rollout(algorithm, seed=number)
        algorithm.update()
        assert all(not torch.equal(value, before["critic"][key]) for key, value in algorithm.critic.named_parameters())
        changed = {key for key, value in actor.named_parameters() if not torch.equal(value, before["actor"][key])}
        every = {key for key, _ in actor.named_parameters()}
        assert changed == (every if number == 3 else {key for key in every if not key.startswith(held)})
        if number < 3:  # while nothing moves there is no divergence to follow; then it begins with the smallest steps
            assert algorithm.learning_rate == (1.0e-3 if number == 1 else 1.0e-5)
    state = algorithm.optimizer.state[next(actor.mlp.parameters())]
    assert state["step"] == 3 * 8  # in each of 3 updates: the optimizer has known the gradients from the start


def test_a_checkpoint_continues_bit_for_bit() -> None:
    one = build(symmetry_cfg=SYMMETRY, final_desired_kl=0.001, desired_kl_updates=5)
    rollout(one)
    one.update()
    torch.manual_seed(11)
    other = build(symmetry_cfg=SYMMETRY, final_desired_kl=0.001, desired_kl_updates=5)
    assert other.load(copy.deepcopy(one.save()), None, True)
    assert other.kl_target.updates == 1
    assert other.learning_rate == one.learning_rate
    results = []
    for algorithm in (one, other):
        torch.manual_seed(12)
        rollout(algorithm, seed=5)
        results.append(algorithm.update())
    assert results[0] == results[1]
    for name in ("actor", "critic"):
        states = getattr(one, name).state_dict(), getattr(other, name).state_dict()
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"final_desired_kl": 0.0}, "final_desired_kl is 0.0"),
        ({"final_desired_kl": 0.01, "desired_kl_updates": 0}, "desired_kl_updates is 0"),
        ({"critic_warmup_updates": -1}, "critic_warmup_updates is -1"),
        ({"final_desired_kl": 0.01, "schedule": "fixed"}, "final_desired_kl needs desired_kl"),
        ({"num_mini_batches": 33}, r"num_mini_batches is 33.*32 samples \(4 steps x 8 environments\)"),
        ({"estimator_schedule": "after", "estimator_num_mini_batches": 40}, "estimator_num_mini_batches is 40"),
        ({"estimator_schedule": "before"}, "'before'"),
        ({"velocity_term": "speed"}, r"No term 'speed' in the estimator's groups \['estimator'\]"),
        ({"velocity_term": "base_ang_vel"}, None),
        ({"symmetry_cfg": {"mirror": True}}, r"Unknown symmetry_cfg keys \['mirror'\]"),
        ({"rnd_cfg": {"weight": 1.0}}, "algorithm.rnd_cfg"),
    ],
)
def test_settings_that_cannot_work_are_named(changes: dict, words: str | None) -> None:
    if words is None:  # another three-vector is a legal choice
        assert build(**changes).estimator.velocity == slice(0, 3)
        return
    with pytest.raises(ValueError, match=words):
        build(**changes)


@pytest.mark.parametrize("model", ["actor", "critic"])
def test_a_recurrent_model_is_refused(model: str) -> None:
    cfg = train_cfg()
    cfg[model] = {"class_name": "RNNModel", "rnn_type": "gru", "hidden_dims": [8], "activation": "elu"}
    with pytest.raises(ValueError, match=rf"^{model}\.class_name RNNModel is recurrent.*symmetry_cfg"):
        build(cfg=cfg)


@pytest.mark.parametrize("frames", [3, 5])  # 72 columns are 3 frames of 24, too
def test_a_history_of_another_length_is_refused(frames: int) -> None:
    cfg = train_cfg()
    cfg["actor"]["history_length"] = frames
    with pytest.raises(ValueError, match=rf"history_length is {frames}, but .*'policy' of shape \[N, 72\] holds 6"):
        build(cfg=cfg)


def test_an_episode_that_ends_without_its_last_observation_is_an_error() -> None:
    algorithm = build()
    observations = DummyEnv(8).get_observations()
    algorithm.act(observations)
    with pytest.raises(ValueError, match=r"8 episode.*compute_final_obs=True"):
        algorithm.process_env_step(observations, torch.zeros(8), torch.ones(8), {"time_outs": torch.ones(8)})


def test_nan_is_reported_by_its_term() -> None:
    algorithm = build()
    observations = DummyEnv(8).get_observations().clone()
    algorithm.act(observations)
    observations["estimator"][1, 2] = float("nan")
    with pytest.raises(ValueError, match="'base_ang_vel' of group 'estimator'"):
        algorithm.process_env_step(observations, torch.zeros(8), torch.zeros(8), {})


def test_divergence_is_reported_by_its_loss() -> None:
    algorithm = build(symmetry_cfg=None)
    rollout(algorithm)
    algorithm.storage.returns[0, 0] = float("inf")
    with pytest.raises(ValueError, match=r"Loss 'value' is (inf|nan)"):
        algorithm.update()


def test_a_checkpoint_of_another_algorithm_is_explained() -> None:
    algorithm = build()
    state = algorithm.save()
    del state["estimator_optimizer_state_dict"]
    with pytest.raises(ValueError, match=r"actor_state_dict.*no 'estimator_optimizer_state_dict'"):
        algorithm.load(state, None, True)
