# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIM: PPO whose policy reads an estimator that learns beside it."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, Literal

import torch
import torch.nn as nn
from rsl_rl.algorithms import PPO
from rsl_rl.env import VecEnv
from rsl_rl.models import MLPModel
from tensordict import TensorDict

from himloco_rl.distributed.ranks import Ranks, lost_rank_errors
from himloco_rl.losses import mirror_loss, surrogate_loss, value_loss
from himloco_rl.models import HIMActor
from himloco_rl.observations import MirrorSettings, NotFiniteError, ObservationLayout, SymmetryMap
from himloco_rl.optimizers import KLTarget, holding, make_optimizer
from himloco_rl.storage import HIMBatch, HIMRolloutStorage

from .him_setup import build_parts, check_count, compile_networks, velocity_target


class HIMPPO(PPO):
    """Proximal policy optimization with the Hybrid Internal Model (Long et al., arXiv 2312.11460).

    One iteration:

    1. collect T steps and keep the next observation of each: :meth:`act`, :meth:`process_env_step`;
    2. returns and advantages, from real transitions only: :meth:`compute_returns`;
    3. epochs of minibatches, with their mirror images if asked for: :meth:`update`. Actor and critic descend on PPO's
       loss, and the estimator on its own, L_vel + L_swap, with its own optimizer; no gradient of one reaches the other.

    **The order of the steps.** The paper's algorithm box updates estimator and policy one after the other in every
    iteration, with the estimator frozen while the policy learns. ``estimator_schedule="after"`` does so: the policy
    learns from features that are computed once, and then the estimator learns. The default, ``"interleaved"``, differs
    from the paper: each minibatch is a step of the policy and then one of the estimator, in turn as in HIMLoco's public
    code. One pass of the encoder then serves both, and neither order was found to learn better (docs/training.md).
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
        """Initialize the algorithm; :mod:`.him_setup` builds the arguments from a configuration.

        Args:
            actor, critic, storage: Policy with its estimator, value function, rollout.
            layout: Meaning of the observations' columns.
            symmetry, mirror: Mirror map, and what it is used for; by default nothing.
            velocity_term: Term of the estimator's groups that v̂ regresses.
            estimator_schedule: "interleaved" with the policy's steps, or "after" them all, as in the paper.
            estimator_learning_rate, estimator_max_grad_norm: Its own; PPO's adaptive rate never touches it.
            estimator_num_epochs: Its epochs, None for the policy's; with "interleaved", the first ones.
            estimator_num_mini_batches: Its minibatches per epoch with "after", None for the policy's.
            kl_target: What the policy's learning rate follows; by default nothing.
            check_finite: Look for NaN and infinity in observations and losses.
            optimizer, ppo: rsl_rl's name for the class of both optimizers, arguments of its PPO.
        """
        super().__init__(actor, critic, storage, optimizer=optimizer, **ppo)
        self.layout, self.mirror = layout, mirror or MirrorSettings()
        self.symmetry_map: Any = symmetry  # None only where mirror is off
        self.kl_target = kl_target or KLTarget(None)
        self.ranks = Ranks(self.gpu_world_size, self.grad_reduce_bucket_mb, self.device)
        if estimator_schedule not in ("interleaved", "after"):
            raise ValueError(f"estimator_schedule is {estimator_schedule!r}; use 'interleaved' or 'after'.")
        self.estimator_schedule = estimator_schedule
        self.estimator_num_epochs = self.num_learning_epochs if estimator_num_epochs is None else estimator_num_epochs
        batches = self.num_mini_batches if estimator_num_mini_batches is None else estimator_num_mini_batches
        self.estimator_num_mini_batches = check_count(storage, "estimator_num_mini_batches", batches)
        check_count(storage, "num_mini_batches", self.num_mini_batches)
        self.check_finite = check_finite
        self.checks_steps = check_finite
        """Whether :meth:`process_env_step` looks for NaN; a runner that looks itself switches it off."""
        # PPO must not step the estimator, which the actor owns: the base class's optimizer is replaced.
        self.policy_parameters = [*actor.policy_parameters(), *critic.parameters()]
        self.optimizer = make_optimizer(optimizer, self.policy_parameters, self.learning_rate)
        self.estimator = actor.estimator
        self.estimator.prepare_learning(
            *velocity_target(layout, storage.estimator_groups, velocity_term),
            learning_rate=estimator_learning_rate,
            max_grad_norm=estimator_max_grad_norm,
            optimizer=optimizer,
            ranks=self.ranks,
        )
        self._metrics = MetricMeans(list)

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
        """Record one step: the observations after it and after resets, group -> [N, D], rewards [N] and dones [N].

        Of extras ``time_outs`` [N] and ``final_obs``, the observations before resets (group -> [N, D]), are read only
        where dones is set: Isaac Lab leaves the last ones standing.
        """
        if self.checks_steps:
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
        """rsl_rl's GAE on the real transitions; the advantages standardized over the rollouts of all processes."""
        per_mini_batch = self.normalize_advantage_per_mini_batch
        self.normalize_advantage_per_mini_batch = True
        super().compute_returns(obs)
        self.normalize_advantage_per_mini_batch = per_mini_batch
        if not per_mini_batch:
            self.storage.advantages = self.ranks.standardize(self.storage.advantages)

    # 3. Update -------------------------------------------------------------------------------------------------------

    def update(self) -> dict[str, float]:
        """Learn from the rollout; returns the mean of every loss and metric over all minibatches."""
        self._metrics = MetricMeans(list)
        if self.estimator_schedule == "interleaved":
            for epoch in range(self.num_learning_epochs):
                for batch in self.storage.mini_batches(self.num_mini_batches, 1):
                    self._interleaved_steps(batch, with_estimator=epoch < self.estimator_num_epochs)
        else:
            self._keep_features()
            for batch in self.storage.mini_batches(self.num_mini_batches, self.num_learning_epochs):
                self._policy_step(batch, self._kept_features(batch))
            for batch in self.storage.mini_batches(self.estimator_num_mini_batches, self.estimator_num_epochs):
                self._estimator_step(batch)

        observations = self.storage.observations.flatten(0, 1)
        with lost_rank_errors(self.ranks.world_size > 1):  # over the observations of all processes
            self.actor.update_normalization(observations)
            self.critic.update_normalization(observations)
        self.storage.clear()
        self.learning_rate = self.kl_target.count_update(self.learning_rate)
        return self._metrics.means(self.check_finite)

    def _interleaved_steps(self, batch: HIMBatch, with_estimator: bool) -> None:
        """A step of the policy and, if asked for, one of the estimator, which share one pass of the encoder."""
        samples = batch.actions.shape[0]
        learned = samples * (1 + self.mirror.mirror_estimator) if with_estimator else 0  # rows that the estimator needs
        wanted = samples * (1 + self.mirror.for_policy)  # and those that the policy needs
        history = self._history(batch.observations, mirrored=max(learned, wanted) > samples)
        loss = None
        with self._autocast():
            velocity, latent = self.estimator(history[:learned])
            features = torch.cat((velocity, latent), dim=-1).detach()
            if wanted > learned:
                with torch.no_grad():
                    features = torch.cat((features, self.actor.features(history[learned:])))
            if with_estimator:
                loss = self._estimator_loss(velocity, latent, batch)
        self._policy_step(batch, features[:wanted].float())
        if loss is not None:
            self._descend(loss)

    def _estimator_step(self, batch: HIMBatch) -> None:
        """A step of the estimator alone."""
        with self._autocast():
            velocity, latent = self.estimator(self._history(batch.observations, self.mirror.mirror_estimator))
            loss = self._estimator_loss(velocity, latent, batch)
        self._descend(loss)

    def _estimator_loss(self, velocity: torch.Tensor, latent: torch.Tensor, batch: HIMBatch) -> torch.Tensor:
        """L_vel + L_swap of v̂ [B or 2B, 3] and z_s [B or 2B, D] against the next frames x_{t+1} of B samples."""
        next_frame = batch.next_estimator
        if self.mirror.mirror_estimator:
            next_frame = self.symmetry_map.with_mirrored(self.storage.estimator_groups, next_frame)
        loss, metrics = self.estimator.compute_loss(velocity, latent, next_frame)
        self._metrics.add(**{f"estimator_{name}": value for name, value in metrics.items()})
        return loss

    def _descend(self, loss: torch.Tensor) -> None:
        """Step the estimator."""
        self._metrics.add(estimator_grad_norm=self.estimator.step(loss, self.kl_target.holds_still))

    @torch.no_grad()
    def _keep_features(self) -> None:
        """Store [v̂, l̂] of the whole rollout and, if the policy needs them, of its mirror image beside them."""
        mirrored = self.mirror.for_policy
        for obs, kept in zip(self.storage.observations, self.storage.features, strict=True):  # little memory at a time
            with self._autocast():
                features = self.actor.features(self._history(obs, mirrored)).float()
            kept.copy_(torch.cat(features.chunk(1 + mirrored), dim=-1))

    def _kept_features(self, batch: HIMBatch) -> torch.Tensor:
        """What :meth:`_keep_features` stored of B samples, mirror images below, shape [B or 2B, 3 + D]."""
        return torch.cat(batch.features.chunk(1 + self.mirror.for_policy, dim=-1))

    def _history(self, obs: TensorDict, mirrored: bool) -> torch.Tensor:
        """Normalized histories of B samples and, if asked for, of their mirror images below, shape [B or 2B, H*F]."""
        return self.actor.history(self.actor.obs_normalizer(self._rows(obs, self.actor.obs_groups, mirrored)))

    def _rows(self, obs: TensorDict, groups: list[str], mirrored: bool) -> torch.Tensor:
        """Concatenated groups of B samples and, if asked for, of their mirror images below, shape [B or 2B, D]."""
        values = obs[groups[0]] if len(groups) == 1 else torch.cat([obs[group] for group in groups], dim=-1)
        return self.symmetry_map.with_mirrored(groups, values) if mirrored else values

    def _autocast(self) -> torch.autocast:
        """bfloat16 for the networks, where asked for."""
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.use_mixed_precision)

    def _policy_step(self, batch: HIMBatch, features: torch.Tensor) -> None:
        """One step of actor and critic on B samples and, if asked for, on their mirror images.

        Each network runs once, over real and mirrored rows; augmentation and mirror losses share its output. Features
        are [v̂, l̂] of the samples and, below them, of their mirror images, shape [B or 2B, 3 + D].
        """
        real = batch.actions.shape[0]
        actor_obs, critic_obs = (
            self._rows(batch.observations, model.obs_groups, self.mirror.for_policy)
            for model in (self.actor, self.critic)
        )
        with self._autocast():
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
        """Keep KL(π_old ‖ π) near its target by the policy's learning rate; the one synchronization per minibatch."""
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
        more = {"estimator_optimizer_state_dict": self.estimator.optimizer.state_dict()}
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
            self.estimator.optimizer.load_state_dict(loaded_dict[key])
            self.kl_target.updates = loaded_dict.get("num_updates", 0)
        return load_iteration

    def compile(self, mode: str | None = None) -> None:
        """Compile the networks in place with ``torch.compile``; None leaves them as they are."""
        encoders = [self.estimator.encoder, self.estimator.target_encoder]
        compile_networks([*self.actor.policy_networks(), self.critic.mlp, *encoders], mode)


class MetricMeans(defaultdict[str, list[torch.Tensor]]):
    """Metrics of every minibatch, which stay on the device until their means are asked for."""

    def add(self, **metrics: torch.Tensor) -> None:
        """Count scalar tensors in."""
        for name, value in metrics.items():
            self[name].append(value.detach())

    def means(self, check_finite: bool) -> dict[str, float]:
        """Mean of every metric over as often as it was added.

        Raises:
            NotFiniteError: If asked to check; it names the first metric that is not finite.
        """
        if not self:
            return {}
        sums = torch.stack([sum(values[1:], values[0]).float() for values in self.values()]).tolist()
        means = {name: value / len(self[name]) for name, value in zip(self, sums, strict=True)}
        for name, value in means.items():
            if check_finite and not math.isfinite(value):
                raise NotFiniteError(
                    f"Loss '{name}' is {value} after this update: learning has diverged; lower the learning rates or"
                    " max_grad_norm, or look for unbounded rewards and observations."
                )
        return means
