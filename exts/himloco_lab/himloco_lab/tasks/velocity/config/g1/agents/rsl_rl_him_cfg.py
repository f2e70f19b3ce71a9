# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIM for the G1: HOMIE's sizes for a GPU, and a lean variant for a laptop's CPU."""

from isaaclab.utils import configclass
from isaaclab_rl.rsl_rl import RslRlMLPModelCfg

from himloco_lab.him_cfg import HIMActorCfg, HIMAlgorithmCfg, HIMRunnerCfg

_Gaussian = RslRlMLPModelCfg.GaussianDistributionCfg


@configclass
class G1RoughHIMRunnerCfg(HIMRunnerCfg):
    """Himloco-G1-Rough-v0: networks and rollout of HOMIE (HomieRL, legged_gym/envs/g1/g1_config.py)."""

    num_steps_per_env = 50
    max_iterations = 10000
    save_interval = 200
    experiment_name = "himloco_g1_rough"
    actor = HIMActorCfg(
        hidden_dims=[512, 256, 256],
        activation="elu",
        estimator_cfg={"preset": "homie", "swap_loss_coef": 1.0},
        distribution_cfg=_Gaussian(init_std=0.6),
    )
    critic = RslRlMLPModelCfg(hidden_dims=[512, 256, 256], activation="elu")
    # Initial noise 0.6 and entropy 0.004 instead of HOMIE's 1.0 and 0.01: far fewer samples to stand, on a CPU.
    algorithm = HIMAlgorithmCfg(entropy_coef=0.004)


@configclass
class G1FlatHIMRunnerCfg(G1RoughHIMRunnerCfg):
    """Himloco-G1-Flat-v0: shorter rollouts and smaller networks, so that two CPU cores learn at simulation speed."""

    def __post_init__(self) -> None:
        """State the differences."""
        self.num_steps_per_env = 16
        self.max_iterations = 3000
        self.save_interval = 100
        self.experiment_name = "himloco_g1_flat"
        self.actor.hidden_dims = [256, 128, 128]
        self.actor.estimator_cfg = {**self.actor.estimator_cfg, "preset": "himloco"}
        self.critic.hidden_dims = [256, 128, 128]
        # The scaled observations that balance depends on are a tenth of those that hardly change.
        self.actor.obs_normalization = self.critic.obs_normalization = True
        # A few million samples, not HOMIE's billions: bolder steps at first, nearer horizon (trials: docs/training.md).
        self.algorithm.desired_kl, self.algorithm.final_desired_kl = 0.06, 0.01
        self.algorithm.desired_kl_updates = 1000
        # With 0.004 the noise is down to a quarter before any robot has made a step, and none will (docs/training.md).
        self.algorithm.entropy_coef = 0.008
        self.algorithm.gamma = 0.98
        self.algorithm.lam = 0.92
        self.algorithm.estimator_schedule = "after"
        self.algorithm.estimator_num_epochs = 1


@configclass
class G1RoughLeanHIMRunnerCfg(G1FlatHIMRunnerCfg):
    """Himloco-G1-Rough-v0 with ``--agent rsl_rl_lean_cfg_entry_point``: the flat task's learner on rough ground."""

    def __post_init__(self) -> None:
        """State the difference."""
        super().__post_init__()
        self.experiment_name = "himloco_g1_rough"


@configclass
class G1RoughPerceptiveHIMRunnerCfg(G1RoughHIMRunnerCfg):
    """Himloco-G1-Rough-Perceptive-v0: the policy also gets a code of the height scan; the estimator stays blind."""

    def __post_init__(self) -> None:
        """State the differences."""
        self.experiment_name = "himloco_g1_rough_perceptive"
        self.obs_groups = {**self.obs_groups, "actor": ["policy", "height_scan"]}
        self.actor.terrain_cfg = {"group": "height_scan", "hidden_dims": [128, 64], "latent_dim": 32}


@configclass
class G1SturdyHIMRunnerCfg(G1FlatHIMRunnerCfg):
    """Himloco-G1-Sturdy-v0: the flat task's networks, from ``--checkpoint policy.onnx`` on."""

    def __post_init__(self) -> None:
        """State the differences."""
        super().__post_init__()
        self.experiment_name = "himloco_g1_sturdy"
        self.num_steps_per_env = 24
        # It walks: little noise, small steps, and HOMIE's horizon, as a blow's end is seconds away.
        self.actor.distribution_cfg = _Gaussian(init_std=0.3)
        self.algorithm.desired_kl, self.algorithm.final_desired_kl = 0.01, None
        self.algorithm.entropy_coef = 0.002
        self.algorithm.gamma, self.algorithm.lam = 0.99, 0.95
        # The file has no critic, nor what the estimator's latent is compared with.
        self.algorithm.critic_warmup_updates = 50
        self.algorithm.estimator_learning_rate = 2.0e-4
