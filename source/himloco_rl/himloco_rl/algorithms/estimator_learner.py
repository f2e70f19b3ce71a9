# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The estimator beside PPO: features for the policy, and learning with its own target, loss and optimizer."""

from __future__ import annotations

import torch
from tensordict import TensorDict
from torch import nn

from himloco_rl.distributed.ranks import Ranks
from himloco_rl.models import HIMActor
from himloco_rl.observations import SymmetryMap
from himloco_rl.storage import HIMBatch, HIMRolloutStorage

from .batch_rows import autocast, rows
from .kl_target import holding
from .metric_means import MetricMeans


class EstimatorLearner:
    """Evaluates a HIMActor's estimator and steps it by L = L_vel + L_swap; PPO's optimizer has no part in it."""

    def __init__(
        self,
        actor: HIMActor,
        optimizer: torch.optim.Optimizer,
        target_groups: list[str],
        velocity: slice,
        velocity_scale: float,
        max_grad_norm: float,
        symmetry: SymmetryMap | None,
        learns_mirrored: bool,
        mixed_precision: bool,
        ranks: Ranks,
    ) -> None:
        """Bring together what learning needs.

        Args:
            actor: Owner of the estimator, the history and its normaliser.
            optimizer: Optimizer of all of the estimator's parameters.
            target_groups: Observation groups that make up x_{t+1}, in order.
            velocity: Columns of the base velocity in x_{t+1}.
            velocity_scale: Observation units per m/s.
            max_grad_norm: Gradient clip.
            symmetry: Mirror map, if anything is mirrored.
            learns_mirrored: Learn from mirror images too.
            mixed_precision: Run the encoders in bfloat16.
            ranks: The processes that learn together.
        """
        self.actor, self.estimator = actor, actor.estimator
        self.optimizer = optimizer
        self.target_groups = target_groups
        self.velocity, self.velocity_scale = velocity, velocity_scale
        self.max_grad_norm = max_grad_norm
        self.symmetry, self.learns_mirrored = symmetry, learns_mirrored
        self.mixed_precision = mixed_precision
        self.ranks = ranks
        self.metrics = MetricMeans()

    def estimate(self, batch: HIMBatch, policy_copies: int, learn: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """One forward pass for both uses, the policy's input and the loss.

        Args:
            batch: B samples.
            policy_copies: 1 if the policy needs features of the samples, 2 of their mirror images too, 0 of none.
            learn: Return the loss.

        Returns:
            [v̂, l̂] without gradients, shape [policy_copies · B, 3 + D], and the loss or None.
        """
        samples = batch.actions.shape[0]
        wanted = policy_copies * samples
        learned = samples * (1 + self.learns_mirrored) if learn else 0
        history = self._history(batch.observations, max(wanted, learned) > samples)
        loss = None
        with autocast(str(history.device), self.mixed_precision):
            velocity, latent = self.estimator(history[:learned])
            features = torch.cat((velocity, latent), dim=-1).detach()  # the policy sends no gradient back
            if wanted > learned:
                with torch.no_grad():
                    features = torch.cat((features, self.estimator.features(history[learned:])))
            if learn:
                loss = self._loss(velocity, latent, batch.next_estimator)
        return features[:wanted].float(), loss

    def step(self, loss: torch.Tensor | None, holds_encoder: bool = False) -> None:
        """Descend on what :meth:`estimate` returned; if asked for, leave what the policy reads as it is."""
        assert loss is not None
        self.optimizer.zero_grad()
        loss.backward()
        self.ranks.mean_gradients(self.estimator.parameters())
        norm = nn.utils.clip_grad_norm_(self.estimator.parameters(), self.max_grad_norm)
        self.metrics.add(estimator_grad_norm=norm)
        with holding(self.estimator.encoder.parameters(), holds_encoder):
            self.optimizer.step()

    @torch.no_grad()
    def freeze_features(self, storage: HIMRolloutStorage, policy_copies: int) -> None:
        """Store [v̂, l̂] of a whole rollout and, with two copies, of its mirror image beside it."""
        for obs, kept in zip(storage.observations, storage.features, strict=True):  # a step at a time: little memory
            with autocast(str(storage.device), self.mixed_precision):
                features = self.estimator.features(self._history(obs, policy_copies > 1)).float()
            kept.copy_(torch.cat(features.chunk(policy_copies), dim=-1))

    @staticmethod
    def frozen_features(batch: HIMBatch, policy_copies: int) -> torch.Tensor:
        """What :meth:`freeze_features` stored of B samples, rows as :meth:`estimate` returns them."""
        return torch.cat(batch.features.chunk(policy_copies, dim=-1))

    def _loss(self, velocity: torch.Tensor, latent: torch.Tensor, next_frame: torch.Tensor) -> torch.Tensor:
        """L of v̂ [B or 2B, 3] and z_s [B or 2B, D] against the next frame x_{t+1} [B, D']."""
        if velocity.shape[0] > next_frame.shape[0]:
            assert self.symmetry is not None
            next_frame = self.symmetry.with_mirrored(self.target_groups, next_frame)
        self.estimator.normalize_prototypes()  # E ← E/‖E‖₂
        loss, metrics = self.estimator.compute_loss(
            velocity, latent, next_frame, next_frame[:, self.velocity], self.velocity_scale, self.ranks.sum
        )
        self.metrics.add(**{f"estimator_{name}": value for name, value in metrics.items()})
        return loss

    def _history(self, obs: TensorDict, mirrored: bool) -> torch.Tensor:
        """Histories as the networks see them, with mirror images below if asked for, shape [B or 2B, H·F]."""
        flat = rows(obs, self.actor.obs_groups, self.symmetry if mirrored else None)
        return self.actor.history(self.actor.obs_normalizer(flat))
