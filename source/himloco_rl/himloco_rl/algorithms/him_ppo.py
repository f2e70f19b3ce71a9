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
from rsl_rl.utils import reduce_gradients_in_buckets, resolve_class, resolve_obs_groups, resolve_optimizer
from tensordict import TensorDict

from himloco_rl.extensions import MirrorSettings, ObservationLayout, SymmetryMap
from himloco_rl.models import HIMActor
from himloco_rl.modules.policy_losses import mirror_loss, surrogate_loss, value_loss
from himloco_rl.storage import HIMBatch, HIMRolloutStorage

from .metric_means import MetricMeans


class HIMPPO(PPO):
    """Proximal policy optimisation with the Hybrid Internal Model.

    One iteration, as in the algorithm box of the paper (arXiv 2312.11460):

    1. collect T steps; keep the next estimator observation of each (:meth:`process_env_step`);
    2. returns and advantages from real transitions (:meth:`compute_returns`);
    3. for every minibatch and its mirror image: the policy's step, and the estimator's step on its own optimizer
       (:meth:`update`).
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
        estimator_schedule: Literal["after", "interleaved"] = "interleaved",
        estimator_learning_rate: float = 1.0e-3,
        estimator_max_grad_norm: float = 10.0,
        estimator_num_epochs: int | None = None,
        estimator_num_mini_batches: int | None = None,
        check_finite: bool = True,
        optimizer: str = "adam",
        **ppo: Any,
    ) -> None:
        """Initialize the algorithm.

        Args:
            actor: Policy with its estimator.
            critic: Value function.
            storage: Rollout storage.
            layout: Meaning of the observations' columns.
            symmetry: Mirror map; None trains without it.
            mirror: What the mirror map is used for.
            velocity_term: Term of the estimator's group that the velocity estimate regresses.
            estimator_schedule: "interleaved" steps the estimator with every minibatch of the policy, "after" freezes it
                until the policy has seen all its minibatches.
            estimator_learning_rate: Learning rate of the estimator; PPO's adaptive one never touches it.
            estimator_max_grad_norm: Gradient clip of the estimator.
            estimator_num_epochs: Epochs of the estimator, None for as many as the policy's. With "interleaved" it
                learns in the first so many epochs.
            estimator_num_mini_batches: Minibatches per epoch of the estimator with "after", None for the policy's.
            check_finite: Look for NaN and infinity in what the environment returns and in the losses.
            optimizer: Name of both optimizers' class, see rsl_rl.
            ppo: Arguments of rsl_rl's PPO.
        """
        super().__init__(actor, critic, storage, optimizer=optimizer, **ppo)
        self.layout, self.symmetry_map, self.mirror = layout, symmetry, mirror or MirrorSettings()
        self.estimator = actor.estimator
        self.estimator_schedule = estimator_schedule
        self.estimator_num_epochs = self.num_learning_epochs if estimator_num_epochs is None else estimator_num_epochs
        self.estimator_num_mini_batches = estimator_num_mini_batches or self.num_mini_batches
        self.estimator_max_grad_norm = estimator_max_grad_norm
        self.check_finite = check_finite
        self._locate_velocity(velocity_term)
        self._check_settings()

        # The policy's optimizer never sees the estimator, which the actor owns, so the base class's is replaced.
        self.policy_parameters = [*actor.policy_parameters(), *critic.parameters()]
        self.optimizer = _optimizer(optimizer, self.policy_parameters, self.learning_rate)
        self.estimator_parameters = list(self.estimator.parameters())
        self.estimator_optimizer = _optimizer(optimizer, self.estimator_parameters, estimator_learning_rate)

    # -- 1. rollout

    def act(self, obs: TensorDict) -> torch.Tensor:
        """Sample actions [N, A]; the estimator's current group is not kept, only the next one will be."""
        actions = super().act(obs)
        self.transition.observations = obs.select(*self.storage.observation_groups)
        return actions

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, Any]
    ) -> None:
        """Record one step. ``extras["final_obs"]`` (group -> [N, D]) counts only where dones is set.

        Args:
            obs: Observations after the step and after resets.
            rewards: Rewards, shape [N].
            dones: Whether the episode ended, shape [N].
            extras: ``time_outs`` [N] and ``final_obs``, the observations before the resets.
        """
        done_ids = dones.reshape(-1).nonzero().squeeze(-1)
        final_obs = extras.get("final_obs", {})
        if len(done_ids) and not final_obs.keys():
            raise ValueError(
                f"{len(done_ids)} episode(s) ended but extras['final_obs'] is missing, and HIM predicts the observation"
                " before the reset; set env.compute_final_obs=True."
            )
        if self.check_finite:
            self.layout.check_finite(obs, "after a step")
        # x_{t+1} is the observation that the action led to, not the one after the reset
        self.storage.add_next_estimator(obs, final_obs, done_ids)

        # A time-out is no end of the task: r_t ← r_t + γ V(s_terminal)
        rewards = rewards.clone()
        if len(done_ids) and "time_outs" in extras:
            ids = done_ids[extras["time_outs"].to(done_ids.device).reshape(-1)[done_ids].bool()]
            if len(ids):
                groups = self.critic.obs_groups
                terminal = TensorDict({g: final_obs[g].to(self.device)[ids] for g in groups}, batch_size=[len(ids)])
                rewards[ids] += self.gamma * self.critic(terminal).squeeze(-1)
        super().process_env_step(obs, rewards, dones, {})

    # -- 2. returns

    def compute_returns(self, obs: TensorDict) -> None:
        """GAE on real transitions only (rsl_rl's); advantages standardised over the batch of all processes."""
        per_mini_batch, self.normalize_advantage_per_mini_batch = self.normalize_advantage_per_mini_batch, True
        super().compute_returns(obs)
        self.normalize_advantage_per_mini_batch = per_mini_batch
        if not per_mini_batch:
            self.storage.advantages = self._standardize(self.storage.advantages)

    # -- 3. update

    def update(self) -> dict[str, float]:
        """Learn from the rollout and return the means of all losses over all minibatches."""
        self._metrics = MetricMeans()
        frozen = self._frozen_policy_inputs() if self.estimator_schedule == "after" else None
        for epoch in range(self.num_learning_epochs):
            for batch in self.storage.mini_batches(self.num_mini_batches, 1):
                if frozen is not None:
                    policy_input, estimator_loss = frozen[:, batch.indices].flatten(0, 1), None
                else:
                    learn_estimator = epoch < self.estimator_num_epochs
                    mirrored = self._mirrors_policy or (learn_estimator and self.mirror.mirror_estimator)
                    policy_input, estimator_loss = self._estimate(batch, mirrored, learn_estimator)
                self._policy_step(self._policy_loss(batch, policy_input))
                if estimator_loss is not None:
                    self._estimator_step(estimator_loss)
        if frozen is not None:
            for batch in self.storage.mini_batches(self.estimator_num_mini_batches, self.estimator_num_epochs):
                self._estimator_step(self._estimate(batch, self.mirror.mirror_estimator, True)[1])

        observations = self.storage.observations.flatten(0, 1)
        self.actor.update_normalization(observations)
        self.critic.update_normalization(observations)
        self.storage.clear()
        return self._metrics.means(self.check_finite)

    def _policy_loss(self, batch: HIMBatch, policy_input: torch.Tensor) -> torch.Tensor:
        """PPO's loss and the mirror losses from one forward pass of actor and critic over [real, mirrored] rows.

        Args:
            batch: B samples.
            policy_input: [o_t, v̂, l̂] of the samples and, below them, of their mirror images, shape [B or 2B, D].
        """
        real = batch.actions.shape[0]
        policy_input = policy_input if self._mirrors_policy else policy_input[:real]
        critic_obs = torch.cat([batch.observations[group] for group in self.critic.obs_groups], dim=-1)
        if self._mirrors_policy:
            critic_obs = torch.cat((critic_obs, self._mirror(self.critic.obs_groups, critic_obs)))
        with self._autocast():
            outputs = self.actor.mlp(policy_input).float()
            values = self.critic.mlp(self.critic.obs_normalizer(critic_obs)).float()

        # The executed action mirrored, with its old log-probability, advantage and return
        rows, copies = (outputs.shape[0], 2) if self.mirror.use_data_augmentation else (real, 1)
        actions = torch.cat((batch.actions, self._mirror_actions(batch.actions))) if copies == 2 else batch.actions
        advantages = batch.advantages.squeeze(-1)
        if self.normalize_advantage_per_mini_batch:
            advantages = self._standardize(advantages)
        assert self.actor.distribution is not None
        self.actor.distribution.update(outputs[:rows])
        surrogate = surrogate_loss(
            self.actor.get_output_log_prob(actions),
            batch.old_actions_log_prob.squeeze(-1).repeat(copies),
            advantages.repeat(copies),
            self.clip_param,
        )
        value = value_loss(
            values[:rows],
            batch.values.repeat(copies, 1),
            batch.returns.repeat(copies, 1),
            self.clip_param if self.use_clipped_value_loss else None,
        )
        entropy = self.actor.output_entropy[:real].mean()
        new_params = tuple(p[:real] for p in self.actor.output_distribution_params)
        self._adapt_learning_rate(batch.old_distribution_params, new_params)
        loss = surrogate + self.value_loss_coef * value - self.entropy_coef * entropy  # PPO, equation 9
        self._metrics.add(value=value, surrogate=surrogate, entropy=entropy)

        if self._mirrors_policy:
            means = self.actor.distribution.deterministic_output(outputs)
            actor_mirror = mirror_loss(means[real:], self._mirror_actions(means[:real]))
            value_mirror = mirror_loss(values[real:], values[:real])
            self._metrics.add(symmetry_actor=actor_mirror, symmetry_critic=value_mirror)
            if self.mirror.use_mirror_loss:
                loss = loss + self.mirror.mirror_loss_coeff * actor_mirror
                loss = loss + self.mirror.value_mirror_loss_coeff * value_mirror
        return loss

    def _policy_step(self, loss: torch.Tensor) -> None:
        """One step of actor and critic."""
        self.optimizer.zero_grad()
        loss.backward()
        self.reduce_parameters()
        nn.utils.clip_grad_norm_(list(self.actor.policy_parameters()), self.max_grad_norm)
        nn.utils.clip_grad_norm_(self.critic.parameters(), self.max_grad_norm)
        self.optimizer.step()

    def _estimate(self, batch: HIMBatch, mirrored: bool, learn: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """One forward pass of the estimator for both of its uses.

        Args:
            batch: B samples.
            mirrored: Also process their mirror images.
            learn: Also compute the estimator's loss.

        Returns:
            The policy's input without gradients, shape [B or 2B, D], and the estimator's loss or None.
        """
        history = self._histories(batch.observations, mirrored)
        real = batch.actions.shape[0]
        learned = history.shape[0] if self.mirror.mirror_estimator else real
        with self._autocast():
            with torch.set_grad_enabled(learn):
                velocity, latent = self.estimator(history[:learned])
            features = torch.cat((velocity, latent), dim=-1).detach()  # no gradient from the policy
            if learned < history.shape[0]:
                with torch.no_grad():
                    features = torch.cat((features, self.estimator.features(history[learned:])))
        policy_input = self.actor.policy_input(history, features.float())
        return policy_input, self._estimator_loss(batch, velocity, latent) if learn else None

    def _estimator_loss(self, batch: HIMBatch, velocity: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """L = L_vel + L_swap of v̂ [B or 2B, 3] and z_s [B or 2B, D] against the next frame."""
        next_frame = batch.next_estimator
        if velocity.shape[0] > next_frame.shape[0]:
            next_frame = torch.cat((next_frame, self._mirror(self.storage.estimator_groups, next_frame)))
        self.estimator.normalize_prototypes()  # E ← E/‖E‖₂
        with self._autocast():
            loss, metrics = self.estimator.compute_loss(
                velocity,
                latent,
                next_frame,
                next_frame[:, self._velocity_columns],
                self._velocity_scale,
                self._sum_over_ranks if self.is_multi_gpu else None,
            )
        self._metrics.add(**{f"estimator_{name}": value for name, value in metrics.items()})
        return loss

    def _estimator_step(self, loss: torch.Tensor) -> None:
        """One step of the estimator on its own optimizer."""
        self.estimator_optimizer.zero_grad()
        loss.backward()
        if self.is_multi_gpu:
            reduce_gradients_in_buckets(self.estimator_parameters, self.gpu_world_size, self.grad_reduce_bucket_mb)
        norm = nn.utils.clip_grad_norm_(self.estimator_parameters, self.estimator_max_grad_norm)
        self.estimator_optimizer.step()
        self._metrics.add(estimator_grad_norm=norm)

    def _frozen_policy_inputs(self) -> torch.Tensor:
        """The policy's input for every sample of the rollout and its mirror image, shape [1 or 2, T * N, D]."""
        with torch.no_grad(), self._autocast():
            steps = []
            for obs in self.storage.observations:  # step by step, to keep the mirrored histories small
                history = self._histories(obs, self._mirrors_policy)
                step = self.actor.policy_input(history, self.estimator.features(history).float())
                steps.append(step.view(-1, self.storage.num_envs, step.shape[-1]))
            return torch.cat(steps, dim=1)

    def _histories(self, obs: TensorDict, mirrored: bool) -> torch.Tensor:
        """The actor's history of the samples and, below, of their mirror images, shape [B or 2B, H * F]."""
        history = obs[self.actor.obs_groups[0]]
        if mirrored:
            history = torch.cat((history, self._mirror(self.actor.obs_groups, history)))
        return self.actor.obs_normalizer(history)

    def _adapt_learning_rate(self, old: tuple[torch.Tensor, ...], new: tuple[torch.Tensor, ...]) -> None:
        """Keep KL(old || new) near its target by the policy's learning rate; the one synchronisation per minibatch."""
        with torch.no_grad():
            kl = self.actor.get_kl_divergence(old, new).mean()
            if self.is_multi_gpu:
                kl = self._sum_over_ranks(kl) / self.gpu_world_size
            self._metrics.add(kl=kl)
        if self.desired_kl is None or self.schedule != "adaptive":
            return
        value = kl.item()  # equal on all ranks, and so is the learning rate that follows
        if value > 2.0 * self.desired_kl:
            self.learning_rate = max(1.0e-5, self.learning_rate / 1.5)
        elif 0.0 < value < 0.5 * self.desired_kl:
            self.learning_rate = min(1.0e-2, self.learning_rate * 1.5)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate

    def _standardize(self, advantages: torch.Tensor) -> torch.Tensor:
        """Zero mean and unit deviation over the samples of all processes, any shape."""
        if not self.is_multi_gpu:
            return (advantages - advantages.mean()) / (advantages.std() + 1.0e-8)
        count = advantages.numel() * self.gpu_world_size
        mean = self._sum_over_ranks(advantages.sum()) / count
        variance = self._sum_over_ranks((advantages - mean).square().sum()) / (count - 1)
        return (advantages - mean) / (variance.sqrt() + 1.0e-8)

    def _mirror(self, groups: list[str], values: torch.Tensor) -> torch.Tensor:
        """Mirror image of concatenated observation groups, shape [B, D]."""
        assert self.symmetry_map is not None
        return self.symmetry_map.mirror_observations(groups, values)

    def _mirror_actions(self, actions: torch.Tensor) -> torch.Tensor:
        """Mirror image of actions, shape [B, A]."""
        assert self.symmetry_map is not None
        return self.symmetry_map.mirror_actions(actions)

    def _autocast(self) -> torch.autocast:
        """bfloat16 where asked for."""
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.use_mixed_precision)

    # -- multi-process

    def broadcast_parameters(self) -> None:
        """Give every process the parameters of the first; the actor's state holds the estimator and prototypes."""
        super().broadcast_parameters()

    def reduce_parameters(self) -> None:
        """Average the policy's gradients over all processes."""
        if self.is_multi_gpu:
            reduce_gradients_in_buckets(self.policy_parameters, self.gpu_world_size, self.grad_reduce_bucket_mb)

    def _sum_over_ranks(self, value: torch.Tensor) -> torch.Tensor:
        """Sum over all processes."""
        total = value.detach().clone()
        torch.distributed.all_reduce(total)
        return total

    # -- checkpoints

    def save(self) -> dict[str, Any]:
        """State of actor (with estimator), critic, both optimizers and both learning rates."""
        return {**super().save(), "estimator_optimizer_state_dict": self.estimator_optimizer.state_dict()}

    def load(self, loaded_dict: dict[str, Any], load_cfg: dict | None, strict: bool) -> bool:
        """Load what :meth:`save` returned; see rsl_rl's PPO for load_cfg."""
        load_iteration = super().load(loaded_dict, load_cfg, strict)
        if load_cfg is None or load_cfg.get("optimizer"):
            key = "estimator_optimizer_state_dict"
            if key not in loaded_dict:
                raise ValueError(
                    f"The checkpoint has no '{key}' but {sorted(loaded_dict)}: another algorithm wrote it; load only its"
                    " models with load_cfg={'actor': True, 'critic': True}."
                )
            self.estimator_optimizer.load_state_dict(loaded_dict[key])
        return load_iteration

    # -- construction

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict, device: str) -> HIMPPO:
        """Build actor, critic, storage and mirror map from a runner's configuration."""
        algorithm_class, algorithm_cfg = resolve_class(cfg["algorithm"])
        actor_class, actor_cfg = resolve_class(cfg["actor"])
        critic_class, critic_cfg = resolve_class(cfg["critic"])
        cfg["obs_groups"] = groups = resolve_obs_groups(obs, cfg["obs_groups"], ["actor", "critic", "estimator"])
        layout = ObservationLayout.from_env(env)
        layout.check(obs)
        layout.check_finite(obs, "before the first step")
        actor_cfg.setdefault("history_length", layout.group(groups["actor"][0]).history_length)
        actor = actor_class(obs, groups, "actor", env.num_actions, **actor_cfg).to(device)
        critic = critic_class(obs, groups, "critic", 1, **critic_cfg).to(device)
        print(f"Actor Model: {actor}\nCritic Model: {critic}")

        mirror = MirrorSettings.from_cfg(algorithm_cfg.pop("symmetry_cfg", None))
        symmetry = SymmetryMap(layout, mirror.term_kinds, mirror.joint_axes).to(device) if mirror.enabled else None
        storage = HIMRolloutStorage(
            env.num_envs,
            cfg["num_steps_per_env"],
            obs,
            groups["estimator"],
            [*groups["actor"], *groups["critic"]],
            [env.num_actions],
            device=device,
        )
        for unused in ("rnd_cfg", "share_cnn_encoders"):
            if algorithm_cfg.pop(unused, None):
                raise ValueError(f"algorithm.{unused} is set, but HIMPPO has no use for it; remove it.")
        algorithm: HIMPPO = algorithm_class(
            actor,
            critic,
            storage,
            layout,
            symmetry,
            mirror,
            device=device,
            multi_gpu_cfg=cfg["multi_gpu"],
            **algorithm_cfg,
        )
        algorithm.compile(cfg.get("torch_compile_mode"))
        return algorithm

    @property
    def _mirrors_policy(self) -> bool:
        """Whether actor and critic see mirror images."""
        return self.mirror.use_data_augmentation or self.mirror.use_mirror_loss

    def _locate_velocity(self, term_name: str) -> None:
        """Find the velocity's columns in the estimator's concatenated groups, and its scale."""
        start = 0
        for name in self.storage.estimator_groups:
            group = self.layout.group(name)
            if any(term.name == term_name for term in group.terms):
                columns, scale = group.frame_slice(term_name), group.term(term_name).scale
                if columns.stop - columns.start != 3 or group.history_length != 1 or not isinstance(scale, float):
                    raise ValueError(
                        f"Velocity term '{term_name}' of group '{name}' must be three values of one frame with one"
                        f" scale, not {columns.stop - columns.start} values x {group.history_length} frames, scale {scale}."
                    )
                self._velocity_columns = slice(start + columns.start, start + columns.stop)
                self._velocity_scale = scale
                return
            start += group.dim
        raise ValueError(
            f"No term '{term_name}' in the estimator's groups {self.storage.estimator_groups}; set"
            " algorithm.velocity_term to the term of the base's linear velocity."
        )

    def _check_settings(self) -> None:
        """Refuse settings that cannot work."""
        if self.estimator_schedule not in ("after", "interleaved"):
            raise ValueError(f"estimator_schedule is {self.estimator_schedule!r}; use 'after' or 'interleaved'.")
        for name in ("num_mini_batches", "estimator_num_mini_batches"):
            if not 1 <= getattr(self, name) <= self.storage.num_samples:
                raise ValueError(
                    f"{name} is {getattr(self, name)}, but a rollout has {self.storage.num_samples} samples"
                    f" ({self.storage.num_transitions_per_env} steps x {self.storage.num_envs} environments)."
                )
        if self.mirror.enabled and (self.actor.is_recurrent or self.critic.is_recurrent):
            raise ValueError("symmetry_cfg mirrors single samples and cannot be used with a recurrent actor or critic.")


def _optimizer(name: str, parameters: list[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """An optimizer by rsl_rl's name for it; one fused kernel per step where the class offers it."""
    optimizer_class: Any = resolve_optimizer(name)
    return optimizer_class(parameters, lr=learning_rate, **({"fused": True} if name != "rmsprop" else {}))
