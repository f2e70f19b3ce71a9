# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Losses against float64 references written from the equations.

HIM: arXiv 2312.11460, section 3; Sinkhorn: SwAV, arXiv 2006.09882, section 3.1.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from himloco_rl.losses import (
    entropy,
    mirror_loss,
    prototype_perplexity,
    sinkhorn,
    surrogate_loss,
    swap_loss,
    value_loss,
    velocity_loss,
)


def reference_sinkhorn(scores: np.ndarray, epsilon: float = 0.05, iterations: int = 3) -> np.ndarray:
    """Q = exp(S/ε)ᵀ, Q/=ΣQ; per iteration rows to 1/K, columns to 1/B; return (B·Q)ᵀ, element by element."""
    batch, prototypes = scores.shape
    q = [[float(np.exp(scores[b, k] / epsilon)) for b in range(batch)] for k in range(prototypes)]
    total = sum(sum(row) for row in q)
    q = [[value / total for value in row] for row in q]
    for _ in range(iterations):
        q = [[value / sum(row) / prototypes for value in row] for row in q]
        columns = [sum(q[k][b] for k in range(prototypes)) for b in range(batch)]
        q = [[q[k][b] / columns[b] / batch for b in range(batch)] for k in range(prototypes)]
    return np.array([[q[k][b] * batch for k in range(prototypes)] for b in range(batch)])


def reference_swap(z_s: np.ndarray, z_t: np.ndarray, e: np.ndarray, tau: float = 3.0) -> float:
    """−½ mean_{B,K}(q_s·log p_t + q_t·log p_s)."""

    def log_softmax(x: np.ndarray) -> np.ndarray:
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

    s_s, s_t = z_s @ e.T, z_t @ e.T
    q_s, q_t = reference_sinkhorn(s_s), reference_sinkhorn(s_t)
    return float(-0.5 * np.mean(q_s * log_softmax(s_t / tau) + q_t * log_softmax(s_s / tau)))


def unit(array: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(array, axis=1, keepdims=True)
    return array / np.where(norms == 0.0, 1.0, norms)


def cases() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(z_s, z_t, E): random ones and the ways in which they degenerate."""
    rng = np.random.default_rng(0)

    def draw(rows: int) -> np.ndarray:
        return unit(rng.normal(size=(rows, 5)))

    one = np.repeat(draw(1), 7, axis=0)
    return {
        "random": (draw(12), draw(12), draw(6)),
        "batch of one": (draw(1), draw(1), draw(6)),
        "one prototype": (draw(9), draw(9), draw(1)),
        "all samples alike": (one, one, draw(6)),
        "at one prototype": (one, one, np.vstack((one[:1], -one[:1], draw(2)))),
        "zero vectors": (np.zeros((4, 5)), np.zeros((4, 5)), draw(6)),
        "opposite": (one, -one, draw(6)),
    }


@pytest.mark.parametrize("name", cases())
def test_swap_loss_and_sinkhorn_equal_the_reference(name: str) -> None:
    z_s, z_t, e = cases()[name]
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 2e-5)):
        source, target, prototypes = (torch.tensor(value, dtype=dtype) for value in (z_s, z_t, e))
        q = sinkhorn(source @ prototypes.T)
        np.testing.assert_allclose(q.double().numpy(), reference_sinkhorn(z_s @ e.T), rtol=0, atol=10 * tolerance)
        np.testing.assert_allclose(q.double().sum(dim=1).numpy(), 1.0, atol=tolerance)
        loss, metrics = swap_loss(source, target, prototypes)
        assert loss.item() == pytest.approx(reference_swap(z_s, z_t, e), abs=tolerance)
        assert metrics["swap_loss"].item() == loss.item()
        total, _ = swap_loss(source, target, prototypes, reduction="sum")
        assert total.item() == pytest.approx(len(e) * reference_swap(z_s, z_t, e), abs=10 * tolerance)


def test_the_gradient_of_the_swap_loss_treats_codes_as_constants() -> None:
    z_s, z_t, e = cases()["random"]
    source, target, prototypes = (torch.tensor(value, requires_grad=True) for value in (z_s, z_t, e))
    swap_loss(source, target, prototypes)[0].backward()
    q_t = reference_sinkhorn(z_t @ e.T)
    batch, k = q_t.shape
    # d/dS_s of −½ mean q_t·log softmax(S_s/τ) is (softmax(S_s/τ) − q_t)/(2 B K τ), as rows of q_t sum to 1
    logits = np.exp(z_s @ e.T / 3.0)
    by_scores = (logits / logits.sum(axis=1, keepdims=True) - q_t) / (2 * batch * k * 3.0)
    assert source.grad is not None
    np.testing.assert_allclose(source.grad.numpy(), by_scores @ e, atol=1e-12)
    assert target.grad is not None
    assert prototypes.grad is not None
    assert target.grad.abs().sum() > 0.0
    assert prototypes.grad.abs().sum() > 0.0


def test_metrics_show_collapse() -> None:
    e = torch.eye(4)
    # Nearest prototypes 0, 0, 1, 2: frequencies ½, ¼, ¼, 0; entropy 1.5 ln 2; perplexity 2^1.5
    assert prototype_perplexity(e[[0, 0, 1, 2]] @ e.T).item() == pytest.approx(2.0**1.5, rel=1e-6)
    assert prototype_perplexity(e[[3, 3, 3]] @ e.T).item() == pytest.approx(1.0)
    spread = swap_loss(e, e, e)[1]
    assert spread["prototype_perplexity"].item() == pytest.approx(4.0)
    assert spread["assignment_entropy"].item() < 0.01  # each sample has a prototype of its own
    collapsed = swap_loss(e[[0] * 8], e[[0] * 8], e)[1]
    assert collapsed["prototype_perplexity"].item() == pytest.approx(1.0)
    assert collapsed["assignment_entropy"].item() == pytest.approx(np.log(4.0), rel=1e-5)  # codes say nothing


def test_entropy_of_a_certain_outcome_is_zero() -> None:
    assert entropy(torch.tensor([0.0, 1.0])).item() == 0.0
    assert entropy(torch.tensor([0.5, 0.5])).item() == pytest.approx(np.log(2.0))


def test_velocity_loss_and_its_error_in_meters_per_second() -> None:
    # errors (2, 0, 0) and (0, 6, 8): mean square 104/6; norms 2 and 10, mean 6, halved by the scale 2
    predicted = torch.tensor([[2.0, 0.0, 0.0], [1.0, 6.0, 8.0]])
    target = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    loss, metrics = velocity_loss(predicted, target, velocity_scale=2.0)
    assert loss.item() == pytest.approx(104.0 / 6.0)
    assert metrics["velocity_error"].item() == pytest.approx(3.0)


def test_unknown_swap_reduction_is_named() -> None:
    with pytest.raises(ValueError, match="'median'"):
        swap_loss(torch.eye(2), torch.eye(2), torch.eye(2), reduction="median")  # type: ignore[arg-type]


def test_surrogate_by_hand() -> None:
    # ratios 2, 0.5, 1.1; advantages 1, 1, -2; clip 0.2:
    # min(2, 1.2) = 1.2; min(0.5, 0.8) = 0.5; min(-2.2, -2.2) = -2.2; the mean is -0.5/3, negated
    log_prob = torch.log(torch.tensor([2.0, 0.5, 1.1]))
    advantages = torch.tensor([1.0, 1.0, -2.0])
    loss = surrogate_loss(log_prob, torch.zeros(3), advantages, 0.2)
    assert loss.item() == pytest.approx(0.5 / 3.0, rel=1e-5)


def test_value_loss_by_hand() -> None:
    values, old, returns = torch.tensor([[2.0], [0.0]]), torch.tensor([[1.0], [0.1]]), torch.tensor([[2.0], [1.0]])
    assert value_loss(values, old, returns, None).item() == pytest.approx((0.0 + 1.0) / 2)
    # clipped to 1.2 and 0.0: max(0, 0.64) and max(1, 1)
    assert value_loss(values, old, returns, 0.2).item() == pytest.approx((0.64 + 1.0) / 2, rel=1e-5)


def test_mirror_loss_by_hand_and_its_one_sided_gradient() -> None:
    one = torch.tensor([[1.0, 2.0], [0.0, 0.0]], requires_grad=True)
    other = torch.tensor([[0.0, 0.0], [2.0, 0.0]], requires_grad=True)
    loss = mirror_loss(one, other)
    assert loss.item() == pytest.approx((1.0 + 4.0 + 4.0 + 0.0) / 4)
    loss.backward()
    assert one.grad is not None
    assert other.grad is None
