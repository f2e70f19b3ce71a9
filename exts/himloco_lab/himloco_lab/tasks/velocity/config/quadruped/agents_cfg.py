# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIM for four-legged robots: HIMLoco's sizes for a GPU, and a lean variant for a laptop's CPU."""

from isaaclab.utils import configclass
from isaaclab_rl.rsl_rl import RslRlMLPModelCfg

from himloco_lab.him_cfg import HIMActorCfg, HIMAlgorithmCfg, HIMRunnerCfg, HIMSymmetryCfg

_Gaussian = RslRlMLPModelCfg.GaussianDistributionCfg


@configclass
class QuadrupedRoughHIMRunnerCfg(HIMRunnerCfg):
    """Rough ground: networks, rollout and learning of HIMLoco."""

    num_steps_per_env = 100
    max_iterations = 2000
    save_interval = 50
    experiment_name = "himloco_quadruped_rough"
    actor = HIMActorCfg(
        hidden_dims=[512, 256, 128],
        activation="elu",
        estimator_cfg={"preset": "himloco", "swap_loss_coef": 1.0},
        distribution_cfg=_Gaussian(init_std=1.0),
    )
    critic = RslRlMLPModelCfg(hidden_dims=[512, 256, 128], activation="elu")
    # HIMLoco knows no symmetry: each use of it can be switched on
    algorithm = HIMAlgorithmCfg(
        entropy_coef=0.01,
        symmetry_cfg=HIMSymmetryCfg(use_data_augmentation=False, use_mirror_loss=False, mirror_estimator=False),
    )


@configclass
class QuadrupedFlatHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """Level ground: shorter rollouts and smaller networks, so that two CPU cores learn at simulation speed."""

    def __post_init__(self) -> None:
        """State the differences."""
        self.num_steps_per_env = 24
        self.max_iterations = 1500
        self.save_interval = 100
        self.actor.hidden_dims = [256, 128, 128]
        self.critic.hidden_dims = [256, 128, 128]
        self.actor.obs_normalization = self.critic.obs_normalization = True
        self.actor.distribution_cfg = _Gaussian(init_std=0.8)
        # A few million samples, not hundreds: the choices of the other flat tasks (docs/training.md).
        self.algorithm.symmetry_cfg = HIMSymmetryCfg()
        self.algorithm.desired_kl, self.algorithm.final_desired_kl = 0.04, 0.01
        self.algorithm.desired_kl_updates = 300
        self.algorithm.gamma, self.algorithm.lam = 0.98, 0.92
        self.algorithm.estimator_schedule = "after"
        self.algorithm.estimator_num_epochs = 1
