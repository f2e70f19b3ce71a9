# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The HIM policy: the current frame, the estimated velocity and the latent in, a Gaussian over actions out.

With a terrain encoder, a code of the ground goes in too. The flat input of the policy, of its normalizer and of its
exports is then [history | scan]: H frames of the history with the oldest first, and after them the values of the scan.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
import torch.nn as nn
from rsl_rl.models import MLPModel
from rsl_rl.models.mlp_model import _OnnxMLPModel
from rsl_rl.modules import MLP, HiddenState
from rsl_rl.modules.distribution import Distribution
from tensordict import TensorDict

from .him_estimator import HIMEstimator, split_code


class TerrainEncoder(MLP):
    """MLP height scan -> code of the terrain.

    It belongs to the policy, and PPO trains it. HIM's estimator does not see the scan, so that what it says of velocity
    and response stays what the robot's own joints and IMU tell.
    """

    def __init__(
        self,
        scan_dim: int,
        hidden_dims: list[int] | tuple[int, ...] = (128, 64),
        latent_dim: int = 32,
        activation: str = "elu",
    ) -> None:
        """Build the network from P points of the scan to a code of width E.

        Raises:
            ValueError: If the code has no width.
        """
        if latent_dim < 1:
            raise ValueError(f"actor.terrain_cfg['latent_dim'] is {latent_dim}; it must be positive.")
        super().__init__(scan_dim, latent_dim, hidden_dims, activation)
        self.latent_dim = latent_dim


class HIMActor(MLPModel):
    """MLP over [o_t, v̂, l̂], where the estimator reads the whole history (HIM paper, figure 2).

    The first observation group is a history, frame after frame with the oldest first, so that o_t are its last columns.
    The estimator belongs to this model's state, but the policy's gradients never reach it:
    :meth:`policy_parameters` are what PPO trains. That includes the terrain encoder, if there is one; its code of the
    second group is the last part of the MLP's input, and the estimator does not see that group.
    """

    estimator: HIMEstimator
    terrain_encoder: TerrainEncoder | None
    distribution: Distribution

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        hidden_dims: tuple[int, ...] | list[int] = (512, 256, 256),
        activation: str = "elu",
        obs_normalization: bool = False,
        distribution_cfg: dict | None = None,
        history_length: int = 6,
        estimator_cfg: dict[str, Any] | None = None,
        terrain_cfg: dict[str, Any] | None = None,
    ) -> None:
        """Build the policy and its estimator.

        Args:
            obs: Observations, group -> [N, D].
            obs_groups: Observation sets; "estimator" names the group that HIM predicts.
            obs_set: The set this model reads: a group of history_length frames, and terrain_cfg's group after it.
            output_dim: Number of actions.
            hidden_dims, activation: Hidden layers of the policy.
            obs_normalization: Normalize the input by running statistics (the estimator sees it normalized too).
            distribution_cfg: Distribution of the actions, see rsl_rl.
            history_length: Frames in the history.
            estimator_cfg: Arguments of :class:`HIMEstimator`, or its ``preset``.
            terrain_cfg: None for a blind policy; else ``group``, the observation group of the terrain encoder, and
                arguments of :class:`TerrainEncoder`, such as {"group": "height_scan", "latent_dim": 32}.

        Raises:
            ValueError: If the distribution is missing, or groups and their shapes do not fit.
        """
        if distribution_cfg is None:
            raise ValueError(
                "HIMActor needs the distribution of its actions; set actor.distribution_cfg, such as {'class_name':"
                " 'GaussianDistribution', 'init_std': 1.0}."
            )
        # Plain attributes, because the base class asks for the input width while it builds itself.
        self.history_length = history_length
        settings = dict(terrain_cfg or {})
        self._terrain_group: str | None = settings.pop("group", None)
        if settings and self._terrain_group is None:
            raise ValueError(f"actor.terrain_cfg is {terrain_cfg} and names no 'group', the observations to encode.")
        self.history_width = history_dim = self._history_dim(obs, obs_groups, obs_set)
        target_groups = obs_groups.get("estimator", ["estimator"])
        target_dim = sum(obs[group].shape[-1] for group in target_groups)
        estimator = HIMEstimator.from_cfg(history_dim, target_dim, estimator_cfg or {"preset": "homie"})
        self._feature_dim = estimator.feature_dim
        self.frame_width = history_dim // history_length
        terrain_encoder = None
        if self._terrain_group is not None:
            width = obs[self._terrain_group].shape[-1]
            terrain_encoder = TerrainEncoder(width, **{"activation": activation, **settings})
        self._terrain_dim = 0 if terrain_encoder is None else terrain_encoder.latent_dim
        super().__init__(
            obs, obs_groups, obs_set, output_dim, hidden_dims, activation, obs_normalization, distribution_cfg
        )
        self.estimator = estimator
        self.terrain_encoder = terrain_encoder

    def policy_networks(self) -> list[nn.Module]:
        """The policy's MLP, and the terrain encoder if there is one."""
        return [self.mlp] if self.terrain_encoder is None else [self.mlp, self.terrain_encoder]

    def policy_parameters(self) -> Iterator[nn.Parameter]:
        """What PPO trains: the policy, its distribution and its terrain encoder, not the estimator."""
        return chain.from_iterable(part.parameters() for part in (*self.policy_networks(), self.distribution))

    def get_latent(
        self, obs: TensorDict, masks: torch.Tensor | None = None, hidden_state: HiddenState = None
    ) -> torch.Tensor:
        """Input of the policy's MLP, see :meth:`policy_input`."""
        return self.policy_input(super().get_latent(obs, masks, hidden_state))

    def history(self, flat: torch.Tensor) -> torch.Tensor:
        """What the estimator reads of flat, normalized inputs, shape [N, H*F + P] -> [N, H*F]."""
        return flat[:, : self.history_width]

    def features(self, history: torch.Tensor) -> torch.Tensor:
        """The estimator's [v̂, l̂] of normalized histories, shape [N, H*F] -> [N, 3 + D]."""
        return self.estimator.features(history)

    def policy_input(self, flat: torch.Tensor, features: torch.Tensor | None = None) -> torch.Tensor:
        """Input of the policy's MLP: [o_t, v̂, l̂] and the code of the terrain, shape [N, F + 3 + D (+ E)].

        Rollout, update, the exported graphs and the check of these all call it, with normalized [history | scan] of
        shape [N, H*F + P] and [v̂, l̂], where they are known already. No gradient passes to the estimator.
        """
        if features is None:
            features = self.features(flat[:, : self.history_width])
        parts = [flat[:, self.history_width - self.frame_width : self.history_width], features.detach()]
        if self.terrain_encoder is not None:
            parts.append(self.terrain_encoder(flat[:, self.history_width :]))
        return torch.cat(parts, dim=-1)

    def mean_actions(self, flat: torch.Tensor) -> torch.Tensor:
        """Deterministic actions [N, A] of raw inputs [history | scan], shape [N, H*F + P], as exports give them."""
        return self.distribution.deterministic_output(self.mlp(self.policy_input(self.obs_normalizer(flat))))

    def as_jit(self) -> nn.Module:
        """One fused graph [history | scan] -> actions for TorchScript."""
        return _FusedHIMActor(self, verbose=False)

    def as_onnx(self, verbose: bool) -> nn.Module:
        """One fused graph [history | scan] -> actions for ONNX."""
        return _FusedHIMActor(self, verbose)

    def _history_dim(self, obs: TensorDict, obs_groups: dict[str, list[str]], obs_set: str) -> int:
        """Width of the history; explains what does not fit."""
        groups, terrain = list(obs_groups[obs_set]), self._terrain_group
        if terrain is None and len(groups) != 1:
            raise ValueError(
                f"HIMActor reads one observation group, the history, but '{obs_set}' lists {groups}; set"
                " actor.terrain_cfg={'group': ...} if the second is for a terrain encoder."
            )
        if terrain is not None and groups[1:] != [terrain]:
            raise ValueError(
                f"actor.terrain_cfg encodes the observation group '{terrain}', but '{obs_set}' lists {groups}; it must"
                f" list the history and '{terrain}', in this order (obs_groups)."
            )
        shape = tuple(obs[groups[0]].shape)
        if len(shape) != 2 or self.history_length < 1 or shape[1] % self.history_length:
            raise ValueError(
                f"Observation group '{groups[0]}' of shape {shape} is not [N, {self.history_length} frames x width];"
                " set actor.history_length to the group's history_length and flatten_history_dim=True."
            )
        return shape[1]

    def _get_latent_dim(self) -> int:
        """Width of the policy's MLP input."""
        return self.frame_width + self._feature_dim + self._terrain_dim


class _FusedHIMActor(_OnnxMLPModel):
    """Normalizer, encoders, policy and output of a :class:`HIMActor` in one graph."""

    policy_input = HIMActor.policy_input

    def __init__(self, model: HIMActor, verbose: bool) -> None:
        """Copy what inference needs; the target encoder and the prototypes stay behind."""
        super().__init__(model, verbose)
        self.encoder = copy.deepcopy(model.estimator.encoder)
        self.terrain_encoder = copy.deepcopy(model.terrain_encoder)
        self.history_width: int = model.history_width
        self.frame_width: int = model.frame_width
        self.latent_dim: int = model.estimator.latent_dim

    def features(self, history: torch.Tensor) -> torch.Tensor:
        """[v̂, l̂] of normalized histories, shape [N, H*F] -> [N, 3 + D]."""
        velocity, latent = split_code(self.encoder(history), self.latent_dim)
        return torch.cat((velocity, latent), dim=-1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Deterministic actions [N, A] of flat inputs [history | scan], shape [N, H*F + P]."""
        return self.deterministic_output(self.mlp(self.policy_input(self.obs_normalizer(x))))

    @torch.jit.export
    def reset(self) -> None:
        """Nothing to reset: the history is the caller's."""
