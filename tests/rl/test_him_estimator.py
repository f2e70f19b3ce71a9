# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The estimator's networks, prototypes and presets."""

from __future__ import annotations

import pytest
import torch

from himloco_rl.models import HIMEstimator


def test_outputs_are_velocity_and_unit_latent() -> None:
    estimator = HIMEstimator(30, 7, hidden_dims=(16,), latent_dim=5, num_prototypes=4)
    velocity, latent = estimator(torch.randn(9, 30))
    assert velocity.shape == (9, 3)
    torch.testing.assert_close(latent.norm(dim=-1), torch.ones(9))
    torch.testing.assert_close(estimator.encode_target(torch.randn(9, 7)).norm(dim=-1), torch.ones(9))
    assert estimator.features(torch.randn(2, 30)).shape == (2, 8)


@pytest.mark.parametrize(
    ("preset", "widths", "latent", "prototypes"),
    [("himloco", [270, 128, 64, 19], 16, 32), ("homie", [456, 256, 256, 35], 32, 64)],
)
def test_presets_have_the_published_sizes(preset: str, widths: list[int], latent: int, prototypes: int) -> None:
    estimator = HIMEstimator.from_cfg(widths[0], 45, {"preset": preset})
    linear = [m for m in estimator.encoder if isinstance(m, torch.nn.Linear)]
    assert [linear[0].in_features, *(m.out_features for m in linear)] == widths
    linear = [m for m in estimator.target_encoder if isinstance(m, torch.nn.Linear)]
    assert [linear[0].in_features, *(m.out_features for m in linear)] == [45, *widths[1:-1], latent]
    assert estimator.prototypes.shape == (prototypes, latent)


def test_a_key_overrides_the_preset() -> None:
    estimator = HIMEstimator.from_cfg(12, 4, {"preset": "himloco", "latent_dim": 6})
    assert estimator.prototypes.shape == (32, 6)


def test_prototypes_are_normalized_in_place() -> None:
    estimator = HIMEstimator(6, 4, hidden_dims=(8,), latent_dim=2, num_prototypes=3)
    parameter = estimator.prototypes
    with torch.no_grad():
        parameter.copy_(torch.tensor([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]]))
    estimator.normalize_prototypes()
    assert estimator.prototypes is parameter
    torch.testing.assert_close(parameter.data, torch.tensor([[0.6, 0.8], [0.0, 1.0], [1.0, 0.0]]))


def test_every_part_learns_and_the_weights_of_the_losses_count() -> None:
    estimator = HIMEstimator(6, 4, hidden_dims=(8,), latent_dim=3, num_prototypes=3, velocity_loss_coef=2.0)
    estimator.prepare_learning(slice(1, 4))
    history, frame = torch.randn(5, 6), torch.randn(5, 4)
    velocity, latent = estimator(history)
    loss, metrics = estimator.compute_loss(velocity, latent, frame)
    assert loss.item() == pytest.approx(
        2.0 * (velocity - frame[:, 1:]).square().mean().item() + metrics["swap_loss"].item(), rel=1e-5
    )
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in estimator.parameters())


def test_without_swap_loss_only_the_encoder_learns() -> None:
    estimator = HIMEstimator(6, 4, hidden_dims=(8,), latent_dim=3, num_prototypes=3, swap_loss_coef=0.0)
    estimator.prepare_learning(slice(0, 3))
    velocity, latent = estimator(torch.randn(5, 6))
    loss, metrics = estimator.compute_loss(velocity, latent, torch.randn(5, 4))
    loss.backward()
    assert list(metrics) == ["velocity_error"]
    assert estimator.prototypes.grad is None
    assert all(p.grad is None for p in estimator.target_encoder.parameters())


@pytest.mark.parametrize(
    ("cfg", "words"),
    [
        ({"preset": "large"}, "'large'"),
        ({"latent_dim": 0}, r"histories \[N, 6\] and next frames \[N, 4\] has latent_dim=0"),
        ({"latent_dim": 2.5}, "latent_dim=2.5"),
        ({"num_prototypes": -1}, "num_prototypes=-1.*whole numbers.*actor.estimator_cfg"),
        ({"preset": "homie", "latent": 16}, r"Unknown keys \['latent'\].*'latent_dim'"),
        ({"history_dim": 7}, r"Unknown keys \['history_dim'\]"),
    ],
)
def test_bad_settings_are_named(cfg: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        HIMEstimator.from_cfg(6, 4, cfg)
