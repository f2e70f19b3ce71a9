# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The HIM policy: the current frame, the estimated velocity and the latent in, a Gaussian over actions out."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
import torch.nn as nn
from rsl_rl.models import MLPModel
from rsl_rl.modules import HiddenState
from rsl_rl.modules.distribution import Distribution
from tensordict import TensorDict

from himloco_rl.modules import HIMEstimator


class HIMActor(MLPModel):
    """MLP over [o_t, v̂, l̂], where the estimator reads the whole history (HIM paper, figure 2).

    The observation group is a history, frame after frame with the oldest first, so that o_t are its last columns.
    The estimator belongs to this model's state, but the policy's gradients never reach it:
    :meth:`policy_parameters` are what PPO trains.
    """

    estimator: HIMEstimator
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
    ) -> None:
        """Build the policy and its estimator.

        Args:
            obs: Observations, group -> [N, D].
            obs_groups: Observation sets; "estimator" names the group that HIM predicts.
            obs_set: The set this model reads, one group of history_length frames.
            output_dim: Number of actions.
            hidden_dims: Hidden layers of the policy.
            activation: Activation of the policy.
            obs_normalization: Normalise the history by running statistics (the estimator sees it normalised too).
            distribution_cfg: Distribution of the actions, see rsl_rl.
            history_length: Frames in the history.
            estimator_cfg: Arguments of :class:`HIMEstimator`, or its ``preset``.
        """
        if distribution_cfg is None:
            raise ValueError(
                "HIMActor needs the distribution of its actions; set actor.distribution_cfg, such as {'class_name':"
                " 'GaussianDistribution', 'init_std': 1.0}."
            )
        # Plain attributes, because the base class asks for the input width while it builds itself.
        self.history_length = history_length
        self._estimator_cfg = dict(estimator_cfg or {"preset": "homie"})
        history_dim = self._history_dim(obs, obs_groups, obs_set)
        target_groups = obs_groups.get("estimator", ["estimator"])
        target_dim = sum(obs[group].shape[-1] for group in target_groups)
        estimator = HIMEstimator.from_cfg(history_dim, target_dim, self._estimator_cfg)
        self._feature_dim = estimator.feature_dim
        self._frame_dim = history_dim // history_length
        super().__init__(
            obs, obs_groups, obs_set, output_dim, hidden_dims, activation, obs_normalization, distribution_cfg
        )
        self.estimator = estimator

    def policy_parameters(self) -> Iterator[nn.Parameter]:
        """What PPO trains: the policy and its distribution, not the estimator."""
        return chain(self.mlp.parameters(), self.distribution.parameters())

    def get_latent(
        self, obs: TensorDict, masks: torch.Tensor | None = None, hidden_state: HiddenState = None
    ) -> torch.Tensor:
        """Input of the policy's MLP: [o_t, v̂, l̂], shape [N, frame + 3 + D]."""
        history = self.obs_normalizer(obs[self.obs_groups[0]])
        with torch.no_grad():  # the policy sends no gradient into the estimator
            features = self.estimator.features(history)
        return torch.cat((history[:, -self._frame_dim :], features), dim=-1)

    def current_frame(self, history: torch.Tensor) -> torch.Tensor:
        """The (normalised) newest frame of raw histories, shape [N, H*F] -> [N, F]."""
        return self.obs_normalizer(history)[:, -self._frame_dim :]

    def as_jit(self) -> nn.Module:
        """One fused graph history -> actions for TorchScript."""
        return _FusedHIMActor(self)

    def as_onnx(self, verbose: bool) -> nn.Module:
        """One fused graph history -> actions for ONNX."""
        return _OnnxHIMActor(self, verbose)

    def _history_dim(self, obs: TensorDict, obs_groups: dict[str, list[str]], obs_set: str) -> int:
        """Width of the history; explains what does not fit."""
        groups = obs_groups[obs_set]
        if len(groups) != 1:
            raise ValueError(f"HIMActor reads one observation group, the history, but '{obs_set}' lists {groups}.")
        shape = tuple(obs[groups[0]].shape)
        if len(shape) != 2 or self.history_length < 1 or shape[1] % self.history_length:
            raise ValueError(
                f"Observation group '{groups[0]}' of shape {shape} is not [N, {self.history_length} frames x width];"
                " set actor.history_length to the group's history_length and flatten_history_dim=True."
            )
        return shape[1]

    def _get_latent_dim(self) -> int:
        """Width of the policy's MLP input."""
        return self._frame_dim + self._feature_dim


class _FusedHIMActor(nn.Module):
    """Normaliser, encoder, policy and output of a :class:`HIMActor` in one graph."""

    def __init__(self, model: HIMActor) -> None:
        """Copy what inference needs; the target encoder and the prototypes stay behind."""
        super().__init__()
        self.obs_normalizer = copy.deepcopy(model.obs_normalizer)
        self.encoder = copy.deepcopy(model.estimator.encoder)
        self.mlp = copy.deepcopy(model.mlp)
        self.deterministic_output = model.distribution.as_deterministic_output_module()
        self.frame_start: int = model.obs_dim - model._frame_dim
        self.velocity_dim: int = model._feature_dim - model.estimator.latent_dim

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Deterministic actions [N, A] of histories [N, H*F]."""
        history = self.obs_normalizer(obs)
        code = self.encoder(history)
        velocity = code[:, : self.velocity_dim]
        latent = nn.functional.normalize(code[:, self.velocity_dim :], dim=-1)
        return self.deterministic_output(
            self.mlp(torch.cat((history[:, self.frame_start :], velocity, latent), dim=-1))
        )

    @torch.jit.export
    def reset(self) -> None:
        """Nothing to reset: the history is the caller's."""


class _OnnxHIMActor(_FusedHIMActor):
    """The same graph with what rsl_rl's ONNX export asks for."""

    is_recurrent: bool = False

    def __init__(self, model: HIMActor, verbose: bool) -> None:
        """Copy what inference needs."""
        super().__init__(model)
        self.verbose = verbose
        self.input_size = model.obs_dim

    def get_dummy_inputs(self) -> tuple[torch.Tensor]:
        """An input to trace with."""
        return (torch.zeros(1, self.input_size),)

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return ["obs"]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return ["actions"]
