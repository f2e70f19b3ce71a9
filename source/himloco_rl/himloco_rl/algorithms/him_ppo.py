# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIM: PPO whose policy reads an estimator that learns beside it."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn as nn
from rsl_rl.algorithms import PPO
from rsl_rl.env import VecEnv
from rsl_rl.models import MLPModel
from tensordict import TensorDict

from himloco_rl.distributed.ranks import Ranks, noticing_loss
from himloco_rl.losses.policy_losses import mirror_loss, surrogate_loss, value_loss
from himloco_rl.models import HIMActor
from himloco_rl.observations import MirrorSettings, ObservationLayout, SymmetryMap
from himloco_rl.storage import HIMBatch, HIMRolloutStorage

from .batch_rows import autocast, rows
from .compilation import compile_networks
from .estimator_learner import EstimatorLearner
from .him_setup import build_parts, check_count, make_optimizer, velocity_target
from .kl_target import KLTarget, holding
from .metric_means import MetricMeans


class HIMPPO(PPO):
    """Proximal policy optimisation with the Hybrid Internal Model (Long et al., arXiv 2312.11460).

    One iteration, as in the paper's algorithm box:

    1. collect T steps and keep the next observation of each: :meth:`act`, :meth:`process_env_step`;
    2. returns and advantages, from real transitions only: :meth:`compute_returns`;
    3. for every minibatch, with its mirror image if asked for, a step of actor and critic and a step of the estimator
       on its own optimizer: :meth:`update`.
    """

    actor: HIMActor
    storage: HIMRolloutStorage

    def __init__(
        self,
        actor: HIMActor,
        critic: MLPModel,
        storage: HIMRolloutStorage,
        layout: ObservationLayout,
        symmetry: SymmetryMap | None = None,
        mirror: MirrorSettings | None = None,
        velocity_term: str = "base_lin_vel",
        estimator_schedule: Literal["interleaved", "after"] = "interleaved",
        estimator_learning_rate: float = 1.0e-3,
        estimator_max_grad_norm: float = 10.0,
        estimator_num_epochs: int | None = None,
        estimator_num_mini_batches: int | None = None,
        kl_target: KLTarget | None = None,
        check_finite: bool = True,
        optimizer: str = "adam",
        **ppo: Any,
    ) -> None:
        """Initialize the algorithm; him_setup builds the arguments from a configuration.

        Args:
            actor, critic, storage: Policy with its estimator, value function, rollout.
            layout: Meaning of the observations' columns.
            symmetry: Mirror map; needed if mirror switches anything on.
            mirror: What the mirror map is used for; by default nothing.
            velocity_term: Term of the estimator's groups that v̂ regresses.
            estimator_schedule: "interleaved" with the policy's steps, or "after" them all, as in the paper.
            estimator_learning_rate: Its learning rate; PPO's adaptive one never touches it.
            estimator_max_grad_norm: Its gradient clip.
            estimator_num_epochs: Its epochs, None for the policy's; with "interleaved", the first ones.
            estimator_num_mini_batches: Its minibatches per epoch with "after", None for the policy's.
            kl_target: What the policy's learning rate follows; by default nothing.
            check_finite: Look for NaN and infinity in observations and losses.
            optimizer: rsl_rl's name for the class of both optimizers.
            ppo: Arguments of rsl_rl's PPO.
        """
        super().__init__(actor, critic, storage, optimizer=optimizer, **ppo)
        self.layout, self.mirror = layout, mirror or MirrorSettings()
        self.symmetry_map: Any = symmetry  # None only where mirror is off
        self.kl_target = kl_target or KLTarget(None)
        self.ranks = Ranks(self.gpu_world_size, self.grad_reduce_bucket_mb)
        if estimator_schedule not in ("interleaved", "after"):
            raise ValueError(f"estimator_schedule is {estimator_schedule!r}; use 'interleaved' or 'after'.")
        self.estimator_schedule = estimator_schedule
        self.estimator_num_epochs = self.num_learning_epochs if estimator_num_epochs is None else estimator_num_epochs
        batches = self.num_mini_batches if estimator_num_mini_batches is None else estimator_num_mini_batches
        self.estimator_num_mini_batches = check_count(storage, "estimator_num_mini_batches", batches)
        check_count(storage, "num_mini_batches", self.num_mini_batches)
        self.check_finite = check_finite
        # PPO must not step the estimator, which the actor owns: the base class's optimizer is replaced.
        self.policy_parameters = [*actor.policy_parameters(), *critic.parameters()]
        self.optimizer = make_optimizer(optimizer, self.policy_parameters, self.learning_rate)
        self.estimator_learner = EstimatorLearner(
            actor,
            make_optimizer(optimizer, [*actor.estimator.parameters()], estimator_learning_rate),
            storage.estimator_groups,
            *velocity_target(layout, storage.estimator_groups, velocity_term),
            max_grad_norm=estimator_max_grad_norm,
            symmetry=symmetry,
            learns_mirrored=self.mirror.mirror_estimator,
            mixed_precision=self.use_mixed_precision,
            ranks=self.ranks,
        )

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict, device: str) -> HIMPPO:
        """Build the algorithm as rsl_rl's runners ask for it."""
        algorithm_class, arguments = build_parts(obs, env, cfg, device)
        algorithm = algorithm_class(**arguments)
        algorithm.compile(cfg.get("torch_compile_mode"))
        return algorithm

    # 1. Rollout ------------------------------------------------------------------------------------------------------

    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample actions, shape [N, A]."""
        actions = super().act(obs)
        self.transition.observations = obs.select(*self.storage.observation_groups)
        return actions

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, Any]
    ) -> None:
        """Record one step.

        Args:
            obs: Observations after the step and after resets, group -> [N, D].
            rewards: Rewards, shape [N].
            dones: Which episodes ended, shape [N].
            extras: ``time_outs`` [N], and ``final_obs``, the observations before resets (group -> [N, D]). Both are
                read only where dones is set: Isaac Lab leaves the last ones standing.
        """
        if self.check_finite:
            self.layout.check_finite(obs, "after a step")
        done_ids = dones.reshape(-1).nonzero().squeeze(-1)
        final_obs = extras.get("final_obs", {})
        if len(done_ids) and "final_obs" not in extras:
            raise ValueError(
                f"{len(done_ids)} episode(s) ended but extras['final_obs'] is missing, and HIM predicts the observation"
                " before the reset; set env.compute_final_obs=True."
            )
        # x_{t+1} is what the action led to, not what the reset put in its place
        self.storage.add_next_estimator(obs, final_obs, done_ids)
        rewards = rewards.clone()
        if len(done_ids) and "time_outs" in extras:
            time_outs = extras["time_outs"].to(done_ids.device).reshape(-1)
            self._bootstrap(rewards, final_obs, done_ids[time_outs[done_ids].bool()])
        super().process_env_step(obs, rewards, dones, {})  # without time-outs: the bootstrap is done

    def _bootstrap(self, rewards: torch.Tensor, final_obs: Any, ids: torch.Tensor) -> None:
        """A time-out is no end of the task: r_t ← r_t + γ V(s_terminal) for the environments ids [M], in place."""
        if len(ids):
            terminal = {group: final_obs[group].to(self.device)[ids] for group in self.critic.obs_groups}
            rewards[ids] += self.gamma * self.critic(TensorDict(terminal, batch_size=[len(ids)])).squeeze(-1)

    # 2. Returns ------------------------------------------------------------------------------------------------------

    def compute_returns(self, obs: TensorDict) -> None:
        """rsl_rl's GAE on the real transitions; the advantages standardised over the rollouts of all processes."""
        per_mini_batch = self.normalize_advantage_per_mini_batch
        self.normalize_advantage_per_mini_batch = True
        super().compute_returns(obs)
        self.normalize_advantage_per_mini_batch = per_mini_batch
        if not per_mini_batch:
            self.storage.advantages = self.ranks.standardize(self.storage.advantages)

    # 3. Update -------------------------------------------------------------------------------------------------------

    def update(self) -> dict[str, float]:
        """Learn from the rollout; returns the mean of every loss and metric over all minibatches."""
        self._metrics = MetricMeans()
        estimator, policy_copies = self.estimator_learner, 1 + self.mirror.for_policy
        estimator.metrics = self._metrics
        if self.estimator_schedule == "interleaved":
            for epoch in range(self.num_learning_epochs):
                for batch in self.storage.mini_batches(self.num_mini_batches, 1):
                    features, loss = estimator.estimate(batch, policy_copies, epoch < self.estimator_num_epochs)
                    self._policy_step(batch, features)
                    if loss is not None:
                        estimator.step(loss, self.kl_target.holds_still)
        else:
            estimator.freeze_features(self.storage, policy_copies)
            for batch in self.storage.mini_batches(self.num_mini_batches, self.num_learning_epochs):
                self._policy_step(batch, estimator.frozen_features(batch, policy_copies))
            for batch in self.storage.mini_batches(self.estimator_num_mini_batches, self.estimator_num_epochs):
                estimator.step(estimator.estimate(batch, 0, True)[1], self.kl_target.holds_still)

        observations = self.storage.observations.flatten(0, 1)
        with noticing_loss(self.ranks.world_size > 1):  # over the observations of all processes
            self.actor.update_normalization(observations)
            self.critic.update_normalization(observations)
        self.storage.clear()
        self.learning_rate = self.kl_target.count_update(self.learning_rate)
        return self._metrics.means(self.check_finite)

    def _policy_step(self, batch: HIMBatch, features: torch.Tensor) -> None:
        """One step of actor and critic on B samples and, if asked for, on their mirror images.

        Each network runs once, over real and mirrored rows; augmentation and mirror losses share its output.

        Args:
            batch: The samples.
            features: [v̂, l̂] of the samples and, below them, of their mirror images, shape [B or 2B, 3 + D].
        """
        real = batch.actions.shape[0]
        actor_obs, critic_obs = (
            rows(batch.observations, model.obs_groups, self.symmetry_map if self.mirror.for_policy else None)
            for model in (self.actor, self.critic)
        )
        with autocast(self.device, self.use_mixed_precision):
            inputs = self.actor.policy_input(self.actor.obs_normalizer(actor_obs), features)
            outputs = self.actor.mlp(inputs).float()
            values = self.critic.mlp(self.critic.obs_normalizer(critic_obs)).float()

        # The mirror image of an executed action has the original's old log-probability, advantage and return.
        copies = 2 if self.mirror.use_data_augmentation else 1
        actions = batch.actions if copies == 1 else self.symmetry_map.with_mirrored_actions(batch.actions)
        advantages = batch.advantages.squeeze(-1)
        if self.normalize_advantage_per_mini_batch:
            advantages = self.ranks.standardize(advantages)
        self.actor.distribution.update(outputs[: copies * real])
        surrogate = surrogate_loss(
            self.actor.get_output_log_prob(actions),
            batch.old_actions_log_prob.squeeze(-1).repeat(copies),
            advantages.repeat(copies),
            self.clip_param,
        )
        value = value_loss(
            values[: copies * real],
            batch.values.repeat(copies, 1),
            batch.returns.repeat(copies, 1),
            self.clip_param if self.use_clipped_value_loss else None,
        )
        entropy = self.actor.output_entropy[:real].mean()
        # PPO's L = L_clip + c₁ L_V − c₂ H, equation 9 negated
        loss = surrogate + self.value_loss_coef * value - self.entropy_coef * entropy
        self._metrics.add(value=value, surrogate=surrogate, entropy=entropy)
        if self.mirror.for_policy:
            loss = loss + self._mirror_losses(outputs, values, real)
        self._adapt_learning_rate(batch.old_distribution_params, real)

        self.optimizer.zero_grad()
        loss.backward()
        self.ranks.mean_gradients(self.policy_parameters)
        nn.utils.clip_grad_norm_([*self.actor.policy_parameters()], self.max_grad_norm)
        nn.utils.clip_grad_norm_(self.critic.parameters(), self.max_grad_norm)
        with holding(self.actor.policy_parameters(), self.kl_target.holds_still):
            self.optimizer.step()

    def _mirror_losses(self, outputs: torch.Tensor, values: torch.Tensor, real: int) -> torch.Tensor:
        """c_a L_a + c_v L_v (HOMIE); measured only, if the mirror loss is off. Rows as in :meth:`_policy_step`."""
        means = self.actor.distribution.deterministic_output(outputs)
        actor = mirror_loss(means[real:], self.symmetry_map.mirror_actions(means[:real]))
        critic = mirror_loss(values[real:], values[:real])
        self._metrics.add(symmetry_actor=actor, symmetry_critic=critic)
        if not self.mirror.use_mirror_loss:
            return actor.new_zeros(())
        return self.mirror.mirror_loss_coeff * actor + self.mirror.value_mirror_loss_coeff * critic

    def _adapt_learning_rate(self, old_params: tuple[torch.Tensor, ...], real: int) -> None:
        """Keep KL(π_old ‖ π) near its target by the policy's learning rate; the one synchronisation per minibatch."""
        with torch.no_grad():
            params = tuple(p[:real] for p in self.actor.output_distribution_params)
            kl = self.ranks.sum(self.actor.get_kl_divergence(old_params, params).mean()) / self.ranks.world_size
        self._metrics.add(kl=kl)
        self.learning_rate = self.kl_target.adapt(self.learning_rate, kl)  # the same on all ranks, as kl is
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate

    # Checkpoints and compilation -------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """State of actor (with the estimator), critic, both optimizers with their learning rates, and updates done."""
        more = {"estimator_optimizer_state_dict": self.estimator_learner.optimizer.state_dict()}
        return {**super().save(), **more, "num_updates": self.kl_target.updates}

    def load(self, loaded_dict: dict[str, Any], load_cfg: dict | None, strict: bool) -> bool:
        """Load what :meth:`save` returned; load_cfg as in rsl_rl, "optimizer" stands for both."""
        load_iteration = super().load(loaded_dict, load_cfg, strict)
        if load_cfg is None or load_cfg.get("optimizer"):
            key = "estimator_optimizer_state_dict"
            if key not in loaded_dict:
                raise ValueError(
                    f"The checkpoint holds {sorted(loaded_dict)} but no '{key}': another algorithm wrote it; load only"
                    " its models with load_cfg={'actor': True, 'critic': True}."
                )
            self.estimator_learner.optimizer.load_state_dict(loaded_dict[key])
            self.kl_target.updates = loaded_dict.get("num_updates", 0)
        return load_iteration

    def compile(self, mode: str | None = None) -> None:
        """Compile the networks in place with ``torch.compile``; None leaves them as they are."""
        estimator = self.actor.estimator
        encoders = [estimator.encoder, estimator.target_encoder]
        compile_networks([*self.actor.policy_networks(), self.critic.mlp, *encoders], mode)
