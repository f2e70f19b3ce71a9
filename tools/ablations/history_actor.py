# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The actor without its estimator: plain PPO on the history."""

from __future__ import annotations

import torch
from rsl_rl.models import MLPModel
from rsl_rl.modules import HiddenState
from tensordict import TensorDict

from himloco_rl.models import HIMActor


class HistoryActor(HIMActor):
    """An MLP over everything the policy is given, all frames of the history.

    It keeps an estimator, so that HIMPPO, its losses and its schedule stay what they are, but does not read it; with
    ``estimator_num_epochs=0`` nobody trains it either.
    """

    def get_latent(
        self, obs: TensorDict, masks: torch.Tensor | None = None, hidden_state: HiddenState = None
    ) -> torch.Tensor:
        """Input of the MLP: the normalised observations, shape [N, H*F + P]."""
        return MLPModel.get_latent(self, obs, masks, hidden_state)

    def policy_input(self, flat: torch.Tensor, features: torch.Tensor | None = None) -> torch.Tensor:
        """The same from flat, normalised observations [N, H*F + P]; the estimator's features are left out."""
        return flat

    # An MLP over its observations is what rsl_rl's own exports hold.
    as_jit = MLPModel.as_jit
    as_onnx = MLPModel.as_onnx

    def _get_latent_dim(self) -> int:
        """Width of the MLP's input."""
        return self.obs_dim
