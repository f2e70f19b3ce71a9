# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Losses as pure functions, of the estimator and of the policy.

Symbols of the estimator's as in the HIM paper (Long et al., "Hybrid Internal Model", arXiv 2312.11460, section 3):
B samples, K prototypes, D latent size; z_s, z_t unit latents of history and next frame, E unit prototypes. Symbols of
the policy's as in Schulman et al. (arXiv 1707.06347): r the probability ratio, Â the advantage, R the return.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch.nn import functional

AllReduce = Callable[[torch.Tensor], torch.Tensor]
"""Sums a tensor over all processes and returns the sum, without gradient; of one process, the tensor itself."""

SwapReduction = Literal["mean", "sum"]
"""What becomes of the sum over prototypes: "mean" divides it by K (both public codes), "sum" keeps it (the paper)."""


# The estimator's ------------------------------------------------------------------------------------------------------


def velocity_loss(
    predicted: torch.Tensor, target: torch.Tensor, velocity_scale: float = 1.0
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Regress the base velocity, HIM paper: L_vel = MSE(v̂, v).

    Args:
        predicted: v̂, observation units, shape [B, 3].
        target: v, likewise.
        velocity_scale: Factor between m/s and observation units; the metric is divided by it.

    Returns:
        The loss (scalar) and the metric velocity_error, the mean Euclidean error [m/s].
    """
    error = predicted - target
    loss = error.square().mean()  # L_vel = mean_{B,3} (v̂ − v)²
    with torch.no_grad():
        velocity_error = error.norm(dim=-1).mean() / velocity_scale
    return loss, {"velocity_error": velocity_error}


@torch.no_grad()
def sinkhorn(
    scores: torch.Tensor, epsilon: float = 0.05, iterations: int = 3, all_reduce: AllReduce = torch.Tensor.detach
) -> torch.Tensor:
    """Soft assignments that use every prototype equally (Sinkhorn-Knopp, as in SwAV, arXiv 2006.09882, section 3.1).

    Args:
        scores: Cosine similarities S = z Eᵀ, every |s| <= 1, shape [B, K].
        epsilon: Entropy of the transport; smaller is sharper.
        iterations: Alternations of the two normalizations.
        all_reduce: Sums over processes, so that several ranks balance their joint batch.

    Returns:
        Codes q, each row sums to 1, shape [B, K].
    """
    samples, prototypes = scores.shape
    total = all_reduce(scores.new_tensor(float(samples)))  # B over all ranks
    # Q = exp(S/ε) up to a constant factor, which the first normalization removes. Shifting by the largest possible
    # cosine, 1, keeps the exponentials in range and is the same on every rank.
    Q = torch.exp((scores - 1.0) / epsilon)  # [B, K]
    Q = Q / all_reduce(Q.sum())  # Q ← Q/ΣQ
    for _ in range(iterations):
        Q = Q / (all_reduce(Q.sum(dim=0)) * prototypes)  # every prototype receives 1/K of the mass
        Q = Q / (Q.sum(dim=1, keepdim=True) * total)  # every sample holds 1/B of the mass
    return Q * total  # rows sum to 1


def swap_loss(
    source: torch.Tensor,
    target: torch.Tensor,
    prototypes: torch.Tensor,
    temperature: float = 3.0,
    epsilon: float = 0.05,
    iterations: int = 3,
    reduction: SwapReduction = "mean",
    all_reduce: AllReduce = torch.Tensor.detach,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Swapped prediction: each latent predicts the other's code, HIM paper section 3.2.

    Args:
        source: z_s, unit latents of the history, shape [B, D].
        target: z_t, unit latents of the next frame, shape [B, D].
        prototypes: E, unit rows, shape [K, D].
        temperature: τ of the predicted distribution.
        reduction: "mean" over prototypes, or their "sum".
        epsilon: See :func:`sinkhorn`.
        iterations: Likewise.
        all_reduce: Likewise.

    Returns:
        The loss (scalar) and the metrics

        - ``swap_loss``: the loss itself;
        - ``prototype_perplexity``: exp of the entropy of how often each prototype is the nearest, from 1 (all
          samples at one prototype: collapse) to K;
        - ``assignment_entropy``: mean entropy of the codes [nat], from 0 (certain) to ln K (no information:
          collapse).
    """
    scores_s = source @ prototypes.T  # S_s = z_s Eᵀ, [B, K]
    scores_t = target @ prototypes.T  # S_t = z_t Eᵀ, [B, K]
    q_s = sinkhorn(scores_s, epsilon, iterations, all_reduce)
    q_t = sinkhorn(scores_t, epsilon, iterations, all_reduce)
    log_p_s = functional.log_softmax(scores_s / temperature, dim=-1)
    log_p_t = functional.log_softmax(scores_t / temperature, dim=-1)
    # L_swap = −½ E_B[ Σ_k q_s·log p_t + q_t·log p_s ], divided by K with "mean"
    loss = -0.5 * (q_s * log_p_t + q_t * log_p_s).sum(dim=-1).mean()
    if reduction == "mean":
        loss = loss / prototypes.shape[0]
    elif reduction != "sum":
        raise ValueError(f"swap_reduction is {reduction!r}; use 'mean' (over prototypes) or 'sum'.")
    with torch.no_grad():
        metrics = {
            "swap_loss": loss.detach(),
            "prototype_perplexity": prototype_perplexity(scores_s),
            "assignment_entropy": entropy(q_t).mean(),
        }
    return loss, metrics


def prototype_perplexity(scores: torch.Tensor) -> torch.Tensor:
    """Effective number of prototypes in use by similarities [B, K]: exp(H(how often each is the nearest)), 1 to K."""
    samples, prototypes = scores.shape
    usage = torch.bincount(scores.argmax(dim=-1), minlength=prototypes).to(scores.dtype) / samples
    return entropy(usage).exp()


def entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Entropy over the last dimension [nat], with 0·ln 0 = 0; shape [..., K] -> [...]."""
    return -torch.special.xlogy(probabilities, probabilities).sum(dim=-1)


# The policy's ---------------------------------------------------------------------------------------------------------


def surrogate_loss(
    log_prob: torch.Tensor, old_log_prob: torch.Tensor, advantages: torch.Tensor, clip: float
) -> torch.Tensor:
    """Clipped surrogate, equation 7 of PPO, negated for descent.

    Args:
        log_prob: log π(a|s), shape [B].
        old_log_prob: The same when the action was taken.
        advantages: Â, shape [B].
        clip: ε.
    """
    ratio = torch.exp(log_prob - old_log_prob)  # r = π/π_old
    clipped = ratio.clamp(1.0 - clip, 1.0 + clip)
    return -torch.minimum(ratio * advantages, clipped * advantages).mean()


def value_loss(
    values: torch.Tensor, old_values: torch.Tensor, returns: torch.Tensor, clip: float | None
) -> torch.Tensor:
    """Squared error of the value, optionally with the change of the value clipped as PPO's code does.

    Args:
        values: V(s), shape [B, 1].
        old_values: The same when the action was taken.
        returns: R, shape [B, 1].
        clip: Largest change that still earns a gradient; None for a plain squared error.
    """
    loss = (values - returns).square()
    if clip is not None:
        near_old = old_values + (values - old_values).clamp(-clip, clip)
        loss = torch.maximum(loss, (near_old - returns).square())
    return loss.mean()


def mirror_loss(of_mirrored: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """Distance between an output for the mirrored input and the mirrored output (HOMIE, arXiv 2502.13013).

    L = mean (f(M s) − sg(M f(s)))², the mean over samples and outputs. HOMIE's code sums over the outputs instead: its
    coefficient c is our c · A for A actions, and the same for the value, which is one number. Arguments are f(M s) and
    M f(s), shape [B, A]; the latter receives no gradient.
    """
    return (of_mirrored - mirrored.detach()).square().mean()
