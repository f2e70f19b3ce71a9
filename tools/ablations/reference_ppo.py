# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How the public HIM and HOMIE codes learn, defects included (facts 1.1, 2 and 7), to be compared with HIMPPO."""

from __future__ import annotations

from typing import Any

import torch
from rsl_rl.env import VecEnv
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from himloco_rl.algorithms import HIMPPO


class ReferencePPO(HIMPPO):
    """HIMPPO with what the public codes do instead; the numbers are those of the defects in facts 7.

    - 1, 3: the rollout has two rows for each step, real and mirrored in turn, and GAE runs straight through them:
      δ_real = r + γ V(M c_t) − V(c_t), δ_mirrored = r + γ V(c_{t+1}) − V(M c_t).
    - 2: a mirrored row holds a fresh action a' ~ π(·|M o_t), which nobody executed, with the real reward and end.
    - 9: a time-out is bootstrapped with V(c_t).
    - 10: the estimator's learning rate is PPO's, which follows the divergence.

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
