# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO's and the mirror losses as pure functions.

Symbols as in Schulman et al. (arXiv 1707.06347): r the probability ratio, Â the advantage, R the return.
"""

from __future__ import annotations

import torch


def surrogate_loss(
    log_prob: torch.Tensor, old_log_prob: torch.Tensor, advantages: torch.Tensor, clip: float
) -> torch.Tensor:
    """Clipped surrogate, equation 7 of PPO, negated for descent.

    Args:
        log_prob: log π(a|s), shape [B].
        old_log_prob: The same when the action was taken, shape [B].
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
        old_values: V(s) when the action was taken, shape [B, 1].
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
    coefficient c is our c · A for A actions, and the same for the value, which is one number.

    Args:
        of_mirrored: f(M s), shape [B, A].
        mirrored: M f(s), shape [B, A]; receives no gradient.
    """
    return (of_mirrored - mirrored.detach()).square().mean()
