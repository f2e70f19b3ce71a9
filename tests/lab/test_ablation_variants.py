# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The two variants that are code: the actor without its estimator, and how the public codes learn."""

from __future__ import annotations

import copy
from typing import Any, cast

import numpy as np
import pytest
import torch
from ablations.campaign import LEARNERS
from ablations.learners import HistoryActor, ReferencePPO
from benchmarks.dummy_rollouts import DummyRollouts
from benchmarks.learner import Learner, build_learner, collect
from tensordict import TensorDict

from himloco_lab.tasks.velocity.config.g1.agents.rsl_rl_him_cfg import G1FlatHIMRunnerCfg
from himloco_rl.algorithms import HIMPPO
from himloco_rl.observations import SymmetryMap

SYMMETRY = {
    "use_mirror_loss": True,
    "mirror_loss_coeff": 12.0,
    "value_mirror_loss_coeff": 1.0,
    "mirror_estimator": True,
}
SETTINGS = {
    "class_name": f"{LEARNERS}:ReferencePPO",
    "estimator_schedule": "interleaved",
    "estimator_num_epochs": None,
}


def without_estimator(envs: int = 6, steps: int = 4) -> tuple[HIMPPO, DummyRollouts]:
    torch.manual_seed(0)
    agent = G1FlatHIMRunnerCfg()
    agent.actor.class_name = f"{LEARNERS}:HistoryActor"
    env = DummyRollouts(envs)
    learner = build_learner(Learner(True, algorithm={"estimator_num_epochs": 0}), env, steps, agent)
    return cast("HIMPPO", learner), env


def reference(envs: int = 6, steps: int = 4, **changes: Any) -> tuple[ReferencePPO, DummyRollouts]:
    torch.manual_seed(0)
    env = DummyRollouts(envs)
    learner = build_learner(Learner(True, SYMMETRY, SETTINGS | changes), env, steps)
    assert isinstance(learner, ReferencePPO)
    return learner, env


def test_without_the_estimator_the_policy_is_an_mlp_over_all_frames() -> None:
    learner, env = without_estimator()
    actor = learner.actor
    assert isinstance(actor, HistoryActor)
    obs = env.get_observations()
    state = {name: value.double().numpy() for name, value in actor.state_dict().items()}
    layers = [state[f"mlp.{i}.{kind}"] for i in (0, 2, 4, 6) for kind in ("weight", "bias")]
    assert layers[0].shape == (256, 456)
    x = obs["policy"].double().numpy()  # the normalizer has seen nothing yet: mean 0, deviation 1
    x = (x - state["obs_normalizer._mean"]) / (state["obs_normalizer._std"] + 1e-2)
    for i in range(0, 8, 2):
        x = x @ layers[i].T + layers[i + 1]
        x = np.where(x > 0, x, np.expm1(np.minimum(x, 0))) if i < 6 else x
    np.testing.assert_allclose(actor(obs).detach().double().numpy(), x, atol=1e-5)


def test_without_the_estimator_nobody_reads_or_trains_it() -> None:
    learner, env = without_estimator()
    before = copy.deepcopy(learner.actor.state_dict())
    collect(learner, env, 4)
    metrics = learner.update()
    assert not any(name.startswith("estimator") for name in metrics)
    after = learner.actor.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("estimator.")} <= same
    assert not any(name.startswith("mlp.") for name in same)
    obs = env.get_observations()
    actions = learner.actor(obs)
    with torch.no_grad():
        for parameter in learner.actor.estimator.parameters():
            parameter.fill_(7.0)
    assert torch.equal(learner.actor(obs), actions)
    exported = torch.jit.script(learner.actor.as_jit())
    torch.testing.assert_close(exported(obs["policy"]), actions)


class OddCritic:
    """V = the commanded sideways velocity, which changes sign in the mirror."""

    obs_groups = ("critic",)

    def __call__(self, obs: TensorDict) -> torch.Tensor:
        return obs["critic"][:, 1:2]

    def get_hidden_state(self) -> None:
        return None

    def reset(self, *args: Any, **kwargs: Any) -> None:
        return None


def test_returns_run_through_real_and_mirrored_rows_by_hand() -> None:
    """Two steps of two robots, γ = λ = 0.5; the second one falls in the first step, V = (1, 2, 3) for both."""
    learner, env = reference(2, 2, gamma=0.5, lam=0.5, normalize_advantage_per_mini_batch=True)
    learner.critic = OddCritic()  # type: ignore[assignment]
    steps = []
    for value in (1.0, 2.0, 3.0):
        obs = env.get_observations()
        obs["critic"][:, 1] = value
        steps.append(obs)
    for t in range(2):
        learner.act(steps[t])
        extras: dict[str, Any] = {"time_outs": torch.zeros(2, dtype=torch.bool), "final_obs": env.get_observations()}
        learner.process_env_step(steps[t + 1], torch.ones(2), torch.tensor([0, int(t == 0)]), extras)
    learner.compute_returns(steps[2])
    storage = learner.storage
    assert storage.values[..., 0].tolist() == [[1.0, 1.0], [-1.0, -1.0], [2.0, 2.0], [-2.0, -2.0]]
    assert (storage.rewards == 1.0).all()
    # robot 0: δ = 1+.5·(−1)−1 = −.5, 1+.5·2+1 = 3, 1+.5·(−2)−2 = −2, 1+.5·3+2 = 4.5; A = δ + .25 A of the row below
    # robot 1: its first two rows end: δ = 1−1 = 0 and 1+1 = 2, and nothing flows into them
    expected = [[0.1953125, 0.0], [2.78125, 2.0], [-0.875, -0.875], [4.5, 4.5]]
    np.testing.assert_allclose(storage.advantages[..., 0].numpy(), expected, rtol=1e-6)


def test_a_time_out_is_bootstrapped_with_the_state_before_it() -> None:
    learner, env = reference(2, 1, gamma=0.5)
    learner.critic = OddCritic()  # type: ignore[assignment]
    obs, final = env.get_observations(), env.get_observations()
    obs["critic"][:, 1] = 6.0
    learner.act(obs)
    extras = {"time_outs": torch.tensor([True, True]), "final_obs": final}
    learner.process_env_step(env.get_observations(), torch.ones(2), torch.tensor([1, 0]), extras)
    # robot 1 goes on, its flag is stale
    assert learner.storage.rewards[..., 0].tolist() == [[4.0, 1.0], [4.0, 1.0]]
    mirrored = SymmetryMap(learner.layout).mirror_observations("estimator", final["estimator"][:1])
    torch.testing.assert_close(learner.storage.next_estimator[0, :1], final["estimator"][:1])
    torch.testing.assert_close(learner.storage.next_estimator[1, :1], mirrored)


def test_a_mirrored_row_holds_a_fresh_action_of_the_mirrored_observation() -> None:
    learner, env = reference()
    collect(learner, env, 4)
    storage, symmetry = learner.storage, SymmetryMap(learner.layout)
    assert storage.num_transitions_per_env == 8
    for name in ("policy", "critic"):
        rows = storage.observations[name]
        torch.testing.assert_close(rows[1::2], symmetry.mirror_observations(name, rows[0::2]))
    actions = storage.actions
    assert ((actions[1::2] - symmetry.mirror_actions(actions[0::2])).abs() > 1e-3).float().mean() > 0.99
    with torch.no_grad():
        means = learner.actor(storage.observations.flatten(0, 1)).double().numpy().reshape(8, 6, 12)
    std = 0.6
    log_prob = (-0.5 * ((actions.double().numpy() - means) / std) ** 2 - np.log(std * np.sqrt(2 * np.pi))).sum(-1)
    np.testing.assert_allclose(storage.actions_log_prob[..., 0].numpy(), log_prob, rtol=1e-4)


def test_the_loss_against_a_reference_in_float64() -> None:
    """One minibatch: surrogate, value and entropy over all rows, mirror losses over their mirror images."""
    learner, env = reference(schedule="fixed", final_desired_kl=None, num_mini_batches=1, num_learning_epochs=1)
    collect(learner, env, 4)
    with torch.no_grad():  # the policy has moved on since the rollout
        for parameter in learner.policy_parameters:
            parameter += 0.02 * torch.randn_like(parameter)
    storage, symmetry = learner.storage, SymmetryMap(learner.layout)
    rows = {name: storage.observations[name].flatten(0, 1).clone() for name in ("policy", "critic")}

    def networks(mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
        obs = {n: symmetry.mirror_observations(n, v) if mirrored else v for n, v in rows.items()}
        with torch.no_grad():
            batch = TensorDict(obs, batch_size=[48])
            return learner.actor(batch).double().numpy(), learner.critic(batch).double().numpy()[:, 0]

    (mean, value), (mean_m, value_m) = networks(False), networks(True)
    column = {
        name: getattr(storage, name).flatten(0, 1).double().numpy()[:, 0]
        for name in ("values", "returns", "advantages", "actions_log_prob")
    }
    std = learner.actor.distribution.std_param.detach().double().numpy()  # type: ignore[union-attr]
    actions = storage.actions.flatten(0, 1).double().numpy()
    log_prob = (-0.5 * ((actions - mean) / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)).sum(1)
    ratio, advantage = np.exp(log_prob - column["actions_log_prob"]), column["advantages"]
    surrogate = -np.minimum(ratio * advantage, np.clip(ratio, 0.8, 1.2) * advantage).mean()
    near = column["values"] + np.clip(value - column["values"], -0.2, 0.2)
    value_loss = np.maximum((value - column["returns"]) ** 2, (near - column["returns"]) ** 2).mean()
    target = symmetry.mirror_actions(torch.tensor(mean)).numpy()
    metrics = learner.update()
    assert metrics["surrogate"] == pytest.approx(surrogate, abs=1e-5)
    assert metrics["value"] == pytest.approx(value_loss, rel=1e-4)
    assert metrics["entropy"] == pytest.approx((np.log(std) + 0.5 * np.log(2 * np.pi * np.e)).sum(), rel=1e-5)
    assert metrics["symmetry_actor"] == pytest.approx(((mean_m - target) ** 2).mean(), rel=1e-4)
    assert metrics["symmetry_critic"] == pytest.approx(((value_m - value) ** 2).mean(), rel=1e-4)


def test_one_learning_rate_for_both() -> None:
    for desired, direction in ((1.0e-6, -1), (1.0e3, 1)):
        learner, env = reference(desired_kl=desired, final_desired_kl=None)
        collect(learner, env, 4)
        learner.update()
        (rate,) = {group["lr"] for group in learner.estimator.optimizer.param_groups}
        assert rate == learner.learning_rate
        assert np.sign(rate - 1.0e-3) == direction


@pytest.mark.parametrize("changes", [{"estimator_schedule": "after"}, None])
def test_settings_that_are_not_the_public_codes_are_refused(changes: dict | None) -> None:
    symmetry = SYMMETRY | ({"use_data_augmentation": True} if changes is None else {})
    with pytest.raises(ValueError, match=r"estimator_schedule='interleaved'.*use_data_augmentation=False"):
        build_learner(Learner(True, symmetry, SETTINGS | (changes or {})), DummyRollouts(4), 2)
