# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# MISSING is Isaac Lab's mark for what a user must give.
# pyright: reportAssignmentType=false

"""Isaac Lab's rsl_rl configuration classes, extended by what HIM adds."""

from dataclasses import MISSING
from typing import Literal

from isaaclab.utils import configclass
from isaaclab_rl.rsl_rl import RslRlMLPModelCfg, RslRlOnPolicyRunnerCfg, RslRlPpoAlgorithmCfg, RslRlSymmetryCfg


@configclass
class HIMActorCfg(RslRlMLPModelCfg):
    """The policy with its estimator (:class:`himloco_rl.models.HIMActor`)."""

    class_name: str = "himloco_rl.models:HIMActor"

    estimator_cfg: dict = {"preset": "homie"}
    """``preset`` ("homie": 256-256-32 with 64 prototypes, "himloco": 128-64-16 with 32) and any argument of
    :class:`himloco_rl.models.HIMEstimator` that overrides it."""

    terrain_cfg: dict | None = None
    """None for a blind policy, or ``group``, an observation group that ``obs_groups["actor"]`` lists after the
    history, and arguments of :class:`himloco_rl.models.TerrainEncoder`, which codes that group for the policy."""


@configclass
class HIMSymmetryCfg(RslRlSymmetryCfg):
    """What the mirror map, which is derived from names, is used for."""

    data_augmentation_func: str | None = None
    """Not used: the map comes from the names of joints and terms."""

    use_data_augmentation: bool = True
    use_mirror_loss: bool = True
    mirror_loss_coeff: float = 0.5

    value_mirror_loss_coeff: float = 0.5
    """Weight of the critic's mirror loss."""

    mirror_estimator: bool = True
    """Whether the estimator learns from mirrored batches as well."""

    plane: Literal["left-right", "front-back"] = "left-right"
    """Where the mirror stands; few robots are symmetric front to back, and one that is not is refused."""


@configclass
class HIMAlgorithmCfg(RslRlPpoAlgorithmCfg):
    """PPO with HIM's estimator (:class:`himloco_rl.algorithms.HIMPPO`)."""

    class_name: str = "himloco_rl.algorithms:HIMPPO"
    num_learning_epochs: int = 5
    num_mini_batches: int = 4
    learning_rate: float = 1.0e-3
    schedule: str = "adaptive"
    gamma: float = 0.99
    lam: float = 0.95
    entropy_coef: float = 0.01
    desired_kl: float = 0.01
    max_grad_norm: float = 1.0
    value_loss_coef: float = 1.0
    use_clipped_value_loss: bool = True
    clip_param: float = 0.2
    symmetry_cfg: HIMSymmetryCfg | None = HIMSymmetryCfg()

    final_desired_kl: float | None = None
    """Where ``desired_kl`` shrinks to, geometrically; None for nowhere."""

    desired_kl_updates: int = 1
    """Updates within which it does; one more is done in every iteration."""

    critic_warmup_updates: int = 0
    """Updates at first in which the policy and what it reads of the estimator hold still: a critic that is new beside
    a policy that is not must learn what it is worth before it may change it."""

    check_finite: bool = True
    """Whether to look for NaN and infinity in what the environment returns and in the losses."""

    velocity_term: str = "base_lin_vel"
    """Term of the estimator's observation group that the velocity estimate regresses."""

    estimator_schedule: Literal["after", "interleaved"] = "interleaved"
    """Step the estimator with every minibatch of the policy, or after the policy has seen all of them, as in the paper
    (:class:`himloco_rl.algorithms.HIMPPO` says why that is not the default)."""

    estimator_learning_rate: float = 1.0e-3
    """Its own; PPO's adaptive rate never touches it."""

    estimator_max_grad_norm: float = 10.0
    """Gradient clip of the estimator."""

    estimator_num_epochs: int | None = None
    """Epochs of the estimator; as many as the policy's if None."""

    estimator_num_mini_batches: int | None = None
    """Minibatches of the estimator with the "after" schedule; as many as the policy's if None."""


@configclass
class HIMRunnerCfg(RslRlOnPolicyRunnerCfg):
    """A run of HIM.

    ``class_name`` stays ``OnPolicyRunner``, the only one that Isaac Lab's own ``train`` accepts; everything HIM needs
    is in the algorithm. ``scripts/train.py`` uses :class:`himloco_rl.runners.HIMOnPolicyRunner`, which adds complete
    checkpoints and a progress line.
    """

    obs_groups: dict[str, list[str]] = {"actor": ["policy"], "critic": ["critic"], "estimator": ["estimator"]}
    actor: HIMActorCfg = MISSING
    critic: RslRlMLPModelCfg = MISSING
    algorithm: HIMAlgorithmCfg = MISSING
    clip_actions: float | None = 100.0

    console: Literal["line", "block"] = "line"
    """What ``scripts/train.py`` prints per iteration: a line with an ETA, or rsl_rl's block of all values."""

    keep_checkpoints: int | None = None
    """How many of the newest checkpoints ``scripts/train.py`` keeps; None for all."""

    keep_every: int | None = None
    """Iterations whose multiples are kept as well, such as 1000; None for none."""

    environment_state: str = "himloco_lab.sim_state:IsaacLabState"
    """What saves and restores the environment in checkpoints, a subclass of
    :class:`himloco_rl.runners.EnvironmentState`."""

    not_finite_share: float = 0.01
    """Share of an iteration's steps in which the simulator may return NaN or infinity; more of them end the run."""

    guards: dict = {"stop": False, "patience": 3, "value_loss_factor": 100.0, "least_perplexity": 1.05}
    """When learning counts as gone wrong, and whether the run ends then or goes on with a warning
    (:class:`himloco_rl.guards.learning_guards.GuardSettings`)."""
