# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The algorithm: episodes worked by hand, losses and steps against references, gradient flow, the order of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from dummy_env import DummyEnv
from him_trials import SYMMETRY, build, rollout
from tensordict import TensorDict

from himloco_rl.observations import SymmetryMap


class ConstantCritic:
    """Reads the value from the first column of its group."""

    obs_groups = ("critic",)

    def __call__(self, obs: TensorDict) -> torch.Tensor:
        return obs["critic"][:, :1]

    def get_hidden_state(self) -> None:
        return None

    def reset(self, *args: Any, **kwargs: Any) -> None:
        return None


def test_gae_time_out_and_terminal_substitution_by_hand() -> None:
    """Three steps, three environments: one runs on, one times out in step 1, one falls in step 1. γ = 0.5, λ = 0.5."""
    algorithm = build(3, 3, gamma=0.5, lam=0.5, normalize_advantage_per_mini_batch=True)
    algorithm.critic = ConstantCritic()  # type: ignore[assignment]
    observations = DummyEnv(3).get_observations()

    def at(values: list[float], estimator: float = 0.0) -> TensorDict:
        result = observations.clone()
        result["critic"] = torch.zeros(3, 15)
        result["critic"][:, 0] = torch.tensor(values)
        result["estimator"] = torch.full((3, 12), estimator)
        return result

    steps = [at([1.0, 1.0, 1.0]), at([2.0, 2.0, 2.0], 1.0), at([3.0, 7.0, 7.0], 2.0), at([4.0, 8.0, 8.0], 3.0)]
    terminal = dict(at([9.0, 6.0, 5.0], 50.0).items())  # V(terminal) is 6 for the time-out; row 0 is stale
    ended = [[0, 0, 0], [0, 1, 1], [0, 0, 0]]
    for t in range(3):
        algorithm.act(steps[t])
        # The key stays in extras from step 1 on, as in Isaac Lab; the time-out of row 0 in step 2 is stale, too
        extras = {"time_outs": torch.tensor([t == 2, t == 1, False])}
        if t >= 1:
            extras["final_obs"] = terminal  # type: ignore[assignment]
        algorithm.process_env_step(steps[t + 1], torch.full((3,), 1.0), torch.tensor(ended[t]), extras)
    storage = algorithm.storage
    # rewards: 1, but 1 + 0.5·6 = 4 where the time-out was
    assert storage.rewards[..., 0].tolist() == [[1.0, 1.0, 1.0], [1.0, 4.0, 1.0], [1.0, 1.0, 1.0]]
    assert storage.next_estimator[..., 0].tolist() == [[1.0, 1.0, 1.0], [2.0, 50.0, 50.0], [3.0, 3.0, 3.0]]
    algorithm.compute_returns(steps[3])
    # env 0: δ₂ = 1+.5·4−3 = 0, δ₁ = 1+.5·3−2 = .5, δ₀ = 1+.5·2−1 = 1;   A = (1.125, .5, 0)
    # env 1: δ₂ = 1+.5·8−7 = −2, δ₁ = 4−2 = 2 (end),  δ₀ = 1+.5·2−1 = 1; A = (1+.25·2, 2, −2)
    # env 2: δ₂ = −2,            δ₁ = 1−2 = −1 (end), δ₀ = 1;            A = (1−.25, −1, −2)
    expected = [[1.125, 1.5, 0.75], [0.5, 2.0, -1.0], [0.0, -2.0, -2.0]]
    np.testing.assert_allclose(storage.advantages[..., 0].numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(storage.returns[..., 0].numpy() - storage.values[..., 0].numpy(), expected, rtol=1e-5)


def test_advantages_are_standardized_over_the_rollout() -> None:
    algorithm = build()
    rollout(algorithm)
    assert algorithm.storage.advantages.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert algorithm.storage.advantages.std().item() == pytest.approx(1.0, rel=1e-5)


def test_neither_optimizer_owns_the_others_parameters() -> None:
    algorithm = build()
    policy = {id(p) for group in algorithm.optimizer.param_groups for p in group["params"]}
    estimator = {id(p) for group in algorithm.estimator.optimizer.param_groups for p in group["params"]}
    assert not policy & estimator
    assert estimator == {id(p) for p in algorithm.actor.estimator.parameters()}
    assert policy | estimator == {id(p) for m in (algorithm.actor, algorithm.critic) for p in m.parameters()}


def test_each_step_moves_only_its_own_networks_and_rates_stay_apart() -> None:
    for epochs, estimator_moves in ((0, False), (1, True)):
        algorithm = build(estimator_num_epochs=epochs, estimator_learning_rate=3.0e-4)
        before = {name: value.clone() for name, value in algorithm.actor.state_dict().items()}
        rollout(algorithm)
        algorithm.update()
        moved = {name for name, value in algorithm.actor.state_dict().items() if not torch.equal(value, before[name])}
        assert any(name.startswith("mlp") for name in moved)
        assert any(name.startswith("estimator") for name in moved) is estimator_moves
        assert algorithm.estimator.optimizer.param_groups[0]["lr"] == 3.0e-4
        assert algorithm.optimizer.param_groups[0]["lr"] == algorithm.learning_rate != 3.0e-4


def test_the_estimators_loss_gives_the_policy_no_gradient() -> None:
    algorithm = build()
    rollout(algorithm)
    batch = next(algorithm.storage.mini_batches(1, 1))
    velocity, latent = algorithm.estimator(algorithm._history(batch.observations, mirrored=True))
    algorithm._estimator_loss(velocity, latent, batch).backward()
    assert all(p.grad is None for p in algorithm.policy_parameters)
    assert all(p.grad is not None for p in algorithm.actor.estimator.parameters())


def test_the_policys_loss_gives_the_estimator_no_gradient() -> None:
    algorithm = build()
    rollout(algorithm)
    steps: list[torch.Tensor] = []
    policy_step = algorithm._policy_step
    algorithm._policy_step = lambda batch, features: steps.append(features) or policy_step(batch, features)  # type: ignore[method-assign]
    algorithm._interleaved_steps(next(algorithm.storage.mini_batches(1, 1)), with_estimator=False)
    assert len(steps) == 1 and not steps[0].requires_grad
    assert all(p.grad is None for p in algorithm.actor.estimator.parameters())
    assert all(p.grad is not None for p in algorithm.policy_parameters)


@pytest.mark.parametrize("settings", [None, {"use_data_augmentation": True}, {"use_mirror_loss": True}, SYMMETRY])
def test_the_policys_loss_against_a_reference(settings: dict | None) -> None:
    """One minibatch in float64 numpy: surrogate, value, entropy and mirror losses over real and mirrored rows."""
    algorithm = build(symmetry_cfg=settings, schedule="fixed", num_mini_batches=1, num_learning_epochs=1)
    algorithm.actor.distribution.std_param.data.fill_(0.7)  # type: ignore[union-attr]
    rollout(algorithm)
    with torch.no_grad():  # the policy has moved on since the rollout
        for parameter in algorithm.policy_parameters:
            parameter += 0.05 * torch.randn_like(parameter)
    storage, symmetry = algorithm.storage, SymmetryMap(algorithm.layout)
    flat = {name: storage.observations[name].flatten(0, 1).clone() for name in ("policy", "critic")}
    column = {
        name: getattr(storage, name).flatten(0, 1).double().numpy()[:, 0]
        for name in ("values", "returns", "advantages", "actions_log_prob")
    }
    actions = storage.actions.flatten(0, 1).clone()

    def networks(mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
        rows = {n: symmetry.mirror_observations(n, v) if mirrored else v for n, v in flat.items()}
        with torch.no_grad():
            obs = TensorDict(rows, batch_size=[len(actions)])
            return algorithm.actor(obs).double().numpy(), algorithm.critic(obs).double().numpy()[:, 0]

    def ppo(mean: np.ndarray, value: np.ndarray, action: np.ndarray) -> tuple[float, float]:
        stds = algorithm.actor.distribution.std_param.detach().double().numpy()  # type: ignore[union-attr]
        log_prob = (-0.5 * ((action - mean) / stds) ** 2 - np.log(stds) - 0.5 * np.log(2 * np.pi)).sum(axis=1)
        ratio = np.exp(log_prob - column["actions_log_prob"])
        advantage = column["advantages"]
        surrogate = -np.minimum(ratio * advantage, np.clip(ratio, 0.8, 1.2) * advantage).mean()
        near = column["values"] + np.clip(value - column["values"], -0.2, 0.2)
        return surrogate, np.maximum((value - column["returns"]) ** 2, (near - column["returns"]) ** 2).mean()

    (mean, value), (mean_m, value_m) = networks(False), networks(True)
    real = ppo(mean, value, actions.double().numpy())
    mirrored = ppo(mean_m, value_m, symmetry.mirror_actions(actions).double().numpy())
    metrics = algorithm.update()
    augmented = bool(settings and settings.get("use_data_augmentation"))
    expected = [(a + b) / 2 for a, b in zip(real, mirrored, strict=True)] if augmented else list(real)
    assert metrics["surrogate"] == pytest.approx(expected[0], abs=1e-5)
    assert metrics["value"] == pytest.approx(expected[1], rel=1e-4)
    assert ("symmetry_actor" in metrics) is bool(settings)
    if settings:
        target = symmetry.mirror_actions(torch.tensor(mean)).numpy()
        assert metrics["symmetry_actor"] == pytest.approx(((mean_m - target) ** 2).mean(), rel=1e-4)
        assert metrics["symmetry_critic"] == pytest.approx(((value_m - value) ** 2).mean(), rel=1e-4)


def test_nothing_is_doubled_without_symmetry(monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm = build(symmetry_cfg=None)
    assert algorithm.symmetry_map is None
    rollout(algorithm)
    rows: list[int] = []
    for network in (algorithm.actor.mlp, algorithm.critic.mlp, algorithm.actor.estimator.encoder):
        network.register_forward_pre_hook(lambda _, args: rows.append(args[0].shape[0]))
    algorithm.update()
    assert set(rows) == {algorithm.storage.num_samples // algorithm.num_mini_batches}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("interleaved", ["policy", "estimator"] * 4), ("after", ["policy"] * 4 + ["estimator"] * 6)],
)
def test_the_order_of_the_steps(schedule: str, expected: list[str]) -> None:
    algorithm = build(
        estimator_schedule=schedule,
        num_learning_epochs=2,
        num_mini_batches=2,
        estimator_num_epochs=2,
        estimator_num_mini_batches=3,
        symmetry_cfg=SYMMETRY,
    )
    order: list[str] = []
    algorithm.optimizer.register_step_post_hook(lambda *_: order.append("policy"))
    algorithm.estimator.optimizer.register_step_post_hook(lambda *_: order.append("estimator"))
    rollout(algorithm)
    algorithm.update()
    assert order == expected


def test_kept_features_equal_those_of_the_rollout_and_its_mirror_image() -> None:
    algorithm = build(symmetry_cfg=SYMMETRY, estimator_schedule="after")
    rollout(algorithm)
    algorithm._keep_features()
    for batch in algorithm.storage.mini_batches(2, 1):
        features = algorithm._kept_features(batch)
        history = batch.observations["policy"]
        mirrored = SymmetryMap(algorithm.layout).mirror_observations("policy", history)
        with torch.no_grad():
            expected = algorithm.actor.estimator.features(torch.cat((history, mirrored)))
        torch.testing.assert_close(features, expected)


@pytest.mark.parametrize("schedule", ["interleaved", "after"])
def test_a_seed_repeats_bit_for_bit(schedule: str) -> None:
    results = []
    for _ in range(2):
        torch.manual_seed(3)
        algorithm = build(estimator_schedule=schedule, symmetry_cfg=SYMMETRY)
        for seed in range(3):
            rollout(algorithm, seed)
            metrics = algorithm.update()
        results.append((metrics, [p.clone() for p in algorithm.actor.parameters()]))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(a, b) for a, b in zip(results[0][1], results[1][1], strict=True))


def test_metrics_are_means_over_all_minibatches() -> None:
    algorithm = build(num_learning_epochs=1, num_mini_batches=4, symmetry_cfg=None)
    rollout(algorithm)
    seen: list[float] = []
    compute_loss = algorithm.estimator.compute_loss

    def spy(velocity: torch.Tensor, latent: torch.Tensor, target: torch.Tensor) -> Any:
        error = velocity - target[:, algorithm.estimator.velocity]
        seen.append(error.norm(dim=-1).mean().item() / 2.0)
        return compute_loss(velocity, latent, target)

    algorithm.estimator.compute_loss = spy  # type: ignore[method-assign]
    metrics = algorithm.update()
    assert len(seen) == 4
    assert metrics["estimator_velocity_error"] == pytest.approx(np.mean(seen), rel=1e-5)


def test_mixed_precision_trains_and_stays_near_float32() -> None:
    errors = {}
    for mixed in (False, True):
        torch.manual_seed(5)
        algorithm = build(use_mixed_precision=mixed, symmetry_cfg=SYMMETRY)
        rollout(algorithm)
        errors[mixed] = algorithm.update()
    assert errors[True]["estimator_velocity_error"] == pytest.approx(
        errors[False]["estimator_velocity_error"], rel=0.05
    )
    assert errors[True]["value"] == pytest.approx(errors[False]["value"], rel=0.05)
