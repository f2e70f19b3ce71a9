# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What one step moves: parameters after plain descent against gradients of the losses as the papers state them.

Adam and gradient clips would hide a wrong weight, so both optimizers are SGD with a rate of 1 here.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from him_trials import SYMMETRY, build, rollout
from torch.nn import functional

from himloco_rl import losses as him_losses
from himloco_rl.algorithms import HIMPPO
from himloco_rl.observations import SymmetryMap

WEIGHTS = {"value_loss_coef": 0.7, "entropy_coef": 0.3}
MIRROR_WEIGHTS = {"mirror_loss_coeff": 0.2, "value_mirror_loss_coeff": 0.4}
FRAME = 12
"""Width of one frame of the dummy task's history."""


def one_step(**algorithm: Any) -> HIMPPO:
    """An algorithm whose update is one step down each gradient; the policy has moved on since its rollout."""
    result = build(
        optimizer="sgd",
        learning_rate=1.0,
        estimator_learning_rate=1.0,
        schedule="fixed",
        num_mini_batches=1,
        num_learning_epochs=1,
        max_grad_norm=1e9,
        estimator_max_grad_norm=1e9,
        **WEIGHTS,
        **algorithm,
    )
    rollout(result)
    with torch.no_grad():
        for parameter in result.policy_parameters:
            parameter += 0.05 * torch.randn_like(parameter)
    return result


def column(algorithm: HIMPPO, name: str, copies: int) -> torch.Tensor:
    """A field of the storage, all rows, once or twice one below the other."""
    return getattr(algorithm.storage, name).flatten(0, 1).repeat(copies, 1)


def with_images(algorithm: HIMPPO, group: str, mirrored: bool) -> torch.Tensor:
    """A group of the whole rollout and, if asked for, its mirror images below, shape [T·N or 2·T·N, D]."""
    values = column(algorithm, group, 1) if group == "next_estimator" else None
    values = algorithm.storage.observations[group].flatten(0, 1).clone() if values is None else values
    name = "estimator" if group == "next_estimator" else group
    image = SymmetryMap(algorithm.layout).mirror_observations(name, values)
    return torch.cat((values, image)) if mirrored else values


def reference_loss(algorithm: HIMPPO, actor: Any, critic: Any, settings: dict) -> torch.Tensor:
    """L_clip + 0.7 L_V − 0.3 H + 0.2 L_a + 0.4 L_c, by torch's distributions."""
    symmetry, real = SymmetryMap(algorithm.layout), algorithm.storage.num_samples
    histories = with_images(algorithm, "policy", bool(settings))
    with torch.no_grad():
        features = torch.cat(actor.estimator(histories), dim=1)
    means = actor.mlp(torch.cat((histories[:, -FRAME:], features), dim=1))
    values = critic.mlp(with_images(algorithm, "critic", bool(settings)))

    copies = 2 if settings.get("use_data_augmentation") else 1
    actions = column(algorithm, "actions", 1)
    actions = torch.cat((actions, symmetry.mirror_actions(actions)))[: copies * real]
    advantages, returns = column(algorithm, "advantages", copies), column(algorithm, "returns", copies)
    drawn = torch.distributions.Normal(means[: copies * real], actor.distribution.std_param)
    log_ratio = drawn.log_prob(actions).sum(1, keepdim=True) - column(algorithm, "actions_log_prob", copies)
    surrogate = torch.minimum(log_ratio.exp() * advantages, log_ratio.exp().clamp(0.8, 1.2) * advantages)
    value, old = values[: copies * real], column(algorithm, "values", copies)
    near = old + (value - old).clamp(-0.2, 0.2)
    value_loss = torch.maximum((value - returns) ** 2, (near - returns) ** 2)
    loss = -surrogate.mean() + 0.7 * value_loss.mean() - 0.3 * drawn.entropy().sum(1).mean()
    if settings.get("use_mirror_loss"):
        loss = loss + 0.2 * functional.mse_loss(means[real:], symmetry.mirror_actions(means[:real]).detach())
        loss = loss + 0.4 * functional.mse_loss(values[real:], values[:real].detach())
    return loss


@pytest.mark.parametrize("schedule", ["interleaved", "after"])
@pytest.mark.parametrize("settings", [{}, {"use_data_augmentation": True}, {"use_mirror_loss": True}, SYMMETRY])
def test_the_policys_step_follows_the_whole_loss(settings: dict, schedule: str) -> None:
    mirror = {**settings, **MIRROR_WEIGHTS} if settings else None
    algorithm = one_step(symmetry_cfg=mirror, estimator_schedule=schedule)
    actor, critic = copy.deepcopy(algorithm.actor), copy.deepcopy(algorithm.critic)
    before = [*actor.policy_parameters(), *critic.parameters()]
    gradients = torch.autograd.grad(reference_loss(algorithm, actor, critic, settings), before)
    algorithm.update()
    for old, gradient, new in zip(before, gradients, algorithm.policy_parameters, strict=True):
        assert gradient.abs().max() > 1e-4
        torch.testing.assert_close(new, old - gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("schedule", ["interleaved", "after"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_estimators_step_follows_its_loss_with_unit_prototypes(schedule: str, mirrored: bool) -> None:
    """L = MSE(v̂, v_{t+1}) + L_swap over the rollout and, if asked for, its mirror image; E ← E/‖E‖ beforehand."""
    algorithm = one_step(symmetry_cfg={"mirror_estimator": True} if mirrored else None, estimator_schedule=schedule)
    algorithm.actor.estimator.prototypes.data *= 3.0
    estimator = copy.deepcopy(algorithm.actor.estimator)
    estimator.prototypes.data /= estimator.prototypes.data.norm(dim=1, keepdim=True)
    velocity, source = estimator(with_images(algorithm, "policy", mirrored))
    next_frame = with_images(algorithm, "next_estimator", mirrored)
    target = functional.normalize(estimator.target_encoder(next_frame), dim=1)
    loss = (velocity - next_frame[:, -3:]).square().mean()
    loss = loss + him_losses.swap_loss(source, target, estimator.prototypes)[0]
    before = list(estimator.parameters())
    gradients = torch.autograd.grad(loss, before)
    algorithm.update()
    for old, gradient, new in zip(before, gradients, algorithm.actor.estimator.parameters(), strict=True):
        assert gradient.abs().max() > 0.0
        torch.testing.assert_close(new, old - gradient, rtol=1e-4, atol=1e-6)


def test_codes_are_balanced_in_float32_under_mixed_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 is off by 0.004 in a score near 1, which ε = 0.05 makes 8 % of a code."""
    types: list[torch.dtype] = []
    sinkhorn = him_losses.sinkhorn

    def spy(scores: torch.Tensor, *args: Any) -> torch.Tensor:
        types.append(scores.dtype)
        return sinkhorn(scores, *args)

    monkeypatch.setattr(him_losses, "sinkhorn", spy)
    algorithm = build(use_mixed_precision=True, num_learning_epochs=1)
    networks = []
    algorithm.actor.estimator.encoder.register_forward_hook(lambda *args: networks.append(args[2].dtype))
    rollout(algorithm)
    networks.clear()
    algorithm.update()
    assert set(networks) == {torch.bfloat16}
    assert set(types) == {torch.float32}
