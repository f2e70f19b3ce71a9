# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIM's estimator: history of observations -> base velocity and a latent of what comes next."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from rsl_rl.modules import MLP
from torch import nn
from torch.nn import functional

from himloco_rl.distributed.ranks import Ranks
from himloco_rl.losses import SwapReduction, swap_loss, velocity_loss
from himloco_rl.optimizers import holding, make_optimizer

VELOCITY_DIM = 3
"""Base linear velocity: x, y, z."""

ESTIMATOR_PRESETS: dict[str, dict[str, Any]] = {
    # Sizes of the two public implementations: HIMLoco (quadrupeds) and HomieRL (a humanoid)
    "himloco": {"hidden_dims": [128, 64], "latent_dim": 16, "num_prototypes": 32},
    "homie": {"hidden_dims": [256, 256], "latent_dim": 32, "num_prototypes": 64},
}
"""Published sizes, by name."""


class HIMEstimator(nn.Module):
    """Encoder, target encoder and prototypes, with an optimizer and a step of their own.

    As rsl_rl's RandomNetworkDistillation it learns beside PPO, whose optimizer has no part in it:
    :meth:`prepare_learning`, then for every minibatch :meth:`compute_loss` and :meth:`step`.

    Reference:
        Long et al. "Hybrid Internal Model: Learning Agile Legged Locomotion with Simulated Robot Response."
        ICLR 2024, arXiv 2312.11460.
    """

    prototypes: torch.Tensor
    """E, one row a prototype; unit rows after :meth:`normalize_prototypes`. Shape [K, D]."""
    optimizer: torch.optim.Optimizer
    """Of all of the estimator's parameters, from :meth:`prepare_learning` on."""

    def __init__(
        self,
        history_dim: int,
        target_dim: int,
        hidden_dims: list[int] | tuple[int, ...] = (256, 256),
        latent_dim: int = 32,
        num_prototypes: int = 64,
        activation: str = "elu",
        temperature: float = 3.0,
        sinkhorn_epsilon: float = 0.05,
        sinkhorn_iterations: int = 3,
        swap_reduction: SwapReduction = "mean",
        velocity_loss_coef: float = 1.0,
        swap_loss_coef: float = 1.0,
    ) -> None:
        """Build the networks.

        Args:
            history_dim, target_dim: Widths of the flattened history, and of the target encoder's next frame.
            hidden_dims, activation: Of both encoders.
            latent_dim, num_prototypes: D, width of the latent, and K.
            temperature: τ of the swapped prediction.
            sinkhorn_epsilon, sinkhorn_iterations: ε of the codes, and their normalizations.
            swap_reduction: "mean" over prototypes as the public codes have it, or the paper's "sum".
            velocity_loss_coef, swap_loss_coef: Weights; 0 for the swap loss leaves its networks unevaluated.
        """
        super().__init__()
        if not all(isinstance(size, int) and size > 0 for size in (latent_dim, num_prototypes)):
            raise ValueError(
                f"The estimator of histories [N, {history_dim}] and next frames [N, {target_dim}] has latent_dim="
                f"{latent_dim!r} and num_prototypes={num_prototypes!r}; set both to whole numbers of at least 1 in"
                " actor.estimator_cfg."
            )
        self.latent_dim = latent_dim
        self._swap_settings = (temperature, sinkhorn_epsilon, sinkhorn_iterations, swap_reduction)
        self.velocity_loss_coef = velocity_loss_coef
        self.swap_loss_coef = swap_loss_coef
        self.encoder = MLP(history_dim, VELOCITY_DIM + latent_dim, hidden_dims, activation)
        self.target_encoder = MLP(target_dim, latent_dim, hidden_dims, activation)
        self.prototypes = nn.Parameter(torch.randn(num_prototypes, latent_dim))
        self.normalize_prototypes()

    @classmethod
    def from_cfg(cls, history_dim: int, target_dim: int, cfg: dict[str, Any] | None = None) -> HIMEstimator:
        """Build from a dictionary; ``preset`` names one of :data:`ESTIMATOR_PRESETS`, other keys override it."""
        settings = {name: value for name, value in (cfg or {}).items() if value is not None}
        preset = settings.pop("preset", None)
        if preset is not None:
            if preset not in ESTIMATOR_PRESETS:
                raise ValueError(f"Unknown estimator preset {preset!r}; use one of {sorted(ESTIMATOR_PRESETS)}.")
            settings = {**ESTIMATOR_PRESETS[preset], **settings}
        known = [*inspect.signature(cls).parameters][2:]  # without the widths, which the observations give
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise ValueError(f"Unknown keys {unknown} in actor.estimator_cfg; known are ['preset', *{known}].")
        return cls(history_dim, target_dim, **settings)

    @property
    def feature_dim(self) -> int:
        """Width of what the actor receives: velocity and latent."""
        return VELOCITY_DIM + self.latent_dim

    def forward(self, history: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """v̂ in observation units, shape [B, 3], and the unit latent z_s [B, D] of histories [B, history_dim]."""
        return split_code(self.encoder(history), self.latent_dim)

    def features(self, history: torch.Tensor) -> torch.Tensor:
        """What the actor receives: [v̂, z_s], shape [B, 3 + D]."""
        return torch.cat(self(history), dim=-1)

    def encode_target(self, next_frame: torch.Tensor) -> torch.Tensor:
        """Unit latent z_t of the next frame, shape [B, target_dim] -> [B, D]."""
        return functional.normalize(self.target_encoder(next_frame), dim=-1)

    @torch.no_grad()
    def normalize_prototypes(self) -> None:
        """E ← E/‖E‖₂ row by row, in place and outside the graph, before every update."""
        self.prototypes.copy_(functional.normalize(self.prototypes, dim=-1))

    def prepare_learning(
        self,
        velocity: slice,
        velocity_scale: float = 1.0,
        learning_rate: float = 1.0e-3,
        max_grad_norm: float = 10.0,
        optimizer: str = "adam",
        ranks: Ranks | None = None,
    ) -> None:
        """Say what the estimator learns, and make its optimizer.

        Args:
            velocity: Columns of the base velocity in the next frame.
            velocity_scale: Observation units per m/s.
            learning_rate: Its own; PPO never touches it.
            max_grad_norm: Gradient clip.
            optimizer: rsl_rl's name for the class.
            ranks: The processes that learn together; by default this one alone.
        """
        self.velocity, self.velocity_scale = velocity, velocity_scale
        self.max_grad_norm = max_grad_norm
        self.ranks = ranks or Ranks()
        self.optimizer = make_optimizer(optimizer, [*self.parameters()], learning_rate)

    def compute_loss(
        self, velocity: torch.Tensor, latent: torch.Tensor, next_frame: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """L = L_vel + L_swap of v̂ [B, 3] and z_s [B, D] against the next frames x_{t+1} [B, target_dim].

        Returns:
            The loss and the metrics of :func:`velocity_loss` and :func:`swap_loss`.
        """
        self.normalize_prototypes()  # E ← E/‖E‖₂
        target_velocity = next_frame[:, self.velocity]
        loss_velocity, metrics = velocity_loss(velocity.float(), target_velocity, self.velocity_scale)
        loss = self.velocity_loss_coef * loss_velocity
        if self.swap_loss_coef != 0.0:
            target = self.encode_target(next_frame)
            # exp(S/0.05) turns bfloat16's error of 0.004 in a score into one of 8 % in a code.
            with torch.autocast(latent.device.type, enabled=False):
                loss_swap, swap_metrics = swap_loss(
                    latent.float(), target.float(), self.prototypes, *self._swap_settings, self.ranks.sum
                )
            loss = loss + self.swap_loss_coef * loss_swap
            metrics |= swap_metrics
        return loss, metrics

    def step(self, loss: torch.Tensor, hold_encoder: bool = False) -> torch.Tensor:
        """Descend on a loss of :meth:`compute_loss`, or with hold_encoder leave what the policy reads as it is.

        Returns:
            Norm of the gradient before it is clipped, scalar.
        """
        self.optimizer.zero_grad()
        loss.backward()
        self.ranks.mean_gradients(self.parameters())
        norm = nn.utils.clip_grad_norm_(self.parameters(), self.max_grad_norm)
        with holding(self.encoder.parameters(), hold_encoder):
            self.optimizer.step()
        return norm


def split_code(code: torch.Tensor, latent_dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Split the encoder's output [B, 3 + D] into v̂ [B, 3] and the unit latent z_s = z̃_s/‖z̃_s‖₂ [B, D]."""
    velocity, latent = code.split([code.shape[-1] - latent_dim, latent_dim], dim=-1)
    return velocity, functional.normalize(latent, dim=-1)
