# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What two variants learn with that is no setting of the learner: an actor without estimator, the public codes' PPO."""

from __future__ import annotations

from typing import Any

import torch
from rsl_rl.env import VecEnv
from rsl_rl.models import MLPModel
from rsl_rl.modules import HiddenState
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from himloco_rl.algorithms import HIMPPO
from himloco_rl.models import HIMActor


class HistoryActor(HIMActor):
    """An MLP over everything the policy is given, all frames of the history.

    It keeps an estimator, so that HIMPPO, its losses and its schedule stay what they are, but does not read it; with
    ``estimator_num_epochs=0`` nobody trains it either.
    """

    def get_latent(
        self, obs: TensorDict, masks: torch.Tensor | None = None, hidden_state: HiddenState = None
    ) -> torch.Tensor:
        """Input of the MLP: the normalized observations, shape [N, H*F + P]."""
        return MLPModel.get_latent(self, obs, masks, hidden_state)

    def policy_input(self, flat: torch.Tensor, features: torch.Tensor | None = None) -> torch.Tensor:
        """The same from flat, normalized observations [N, H*F + P]; the estimator's features are left out."""
        return flat

    # An MLP over its observations is what rsl_rl's own exports hold.
    as_jit = MLPModel.as_jit
    as_onnx = MLPModel.as_onnx

    def _get_latent_dim(self) -> int:
        """Width of the MLP's input."""
        return self.obs_dim


class ReferencePPO(HIMPPO):
    """HIMPPO with what HomieRL and HIMLoco do instead (docs/differences.md).

    - The rollout has two rows for each step, real and mirrored in turn, and GAE runs straight through them:
      δ_real = r + γ V(M c_t) − V(c_t), δ_mirrored = r + γ V(c_{t+1}) − V(M c_t).
    - A mirrored row holds a fresh action a' ~ π(·|M o_t), which nobody executed, with the real reward and end.
    - A time-out is bootstrapped with V(c_t).
    - The estimator's learning rate is PPO's, which follows the divergence.

    Entropy, divergence and mirror losses are taken over both kinds of rows, the estimator learns from all of them and
    from their mirror images. What the codes' environments do wrong (stale histories and time-out flags, noised
    targets) is not here: the task is the same for all variants.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Initialize the algorithm; arguments as HIMPPO's.

        Raises:
            ValueError: If the settings are not those of the public codes.
        """
        super().__init__(*args, **kwargs)
        if self.estimator_schedule != "interleaved" or self.mirror.use_data_augmentation or self.symmetry_map is None:
            raise ValueError(
                "ReferencePPO mirrors the rollout and steps policy and estimator in turn; set"
                " algorithm.estimator_schedule='interleaved', symmetry_cfg.use_data_augmentation=False and leave"
                " symmetry_cfg.use_mirror_loss on."
            )
        self._mirrored = RolloutStorage.Transition()

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict, device: str) -> HIMPPO:
        """Build the algorithm with a rollout of twice as many rows."""
        steps = cfg["num_steps_per_env"]
        cfg["num_steps_per_env"] = 2 * steps
        try:
            return HIMPPO.construct_algorithm(obs, env, cfg, device)
        finally:
            cfg["num_steps_per_env"] = steps

    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample the actions to execute, shape [N, A], and others for the mirrored observations."""
        actions = super().act(obs)
        executed, self.transition = self.transition, RolloutStorage.Transition()
        super().act(self._mirror(obs))  # a' ~ π(·|M o), log π(a'|M o), V(M c)
        self._mirrored, self.transition = self.transition, executed
        return actions

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, Any]
    ) -> None:
        """Record the real row, and under it the mirrored one with the real row's reward; arguments as in HIMPPO."""
        super().process_env_step(obs, rewards, dones, extras)
        rewards = self.storage.rewards[self.storage.step - 1].squeeze(-1)
        final = {"final_obs": self._mirror(extras["final_obs"])} if "final_obs" in extras else {}
        self.transition = self._mirrored
        super().process_env_step(self._mirror(obs), rewards, dones, final)

    def _bootstrap(self, rewards: torch.Tensor, final_obs: Any, ids: torch.Tensor) -> None:
        """r_t ← r_t + γ V(c_t) for the environments ids [M], in place."""
        assert self.transition.values is not None
        rewards[ids] += self.gamma * self.transition.values[ids].squeeze(-1)

    def _adapt_learning_rate(self, old_params: tuple[torch.Tensor, ...], real: int) -> None:
        """PPO's rule, for the estimator's optimizer as well."""
        super()._adapt_learning_rate(old_params, real)
        for group in self.estimator.optimizer.param_groups:
            group["lr"] = self.learning_rate

    def _mirror(self, obs: Any) -> TensorDict:
        """Mirror image of the groups that the rollout keeps, group -> [N, D]."""
        groups = dict.fromkeys([*self.storage.observation_groups, *self.storage.estimator_groups])
        return TensorDict(
            {group: self.symmetry_map.mirror_observations(group, obs[group]) for group in groups},
            batch_size=[self.storage.num_envs],
        )
