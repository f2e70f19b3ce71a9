# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A small learnable task on tensors, with the observation groups of the G1 task in miniature.

A point with velocity v [m/s] in the plane is pushed by two "thrusters", one to the left and one to the right of its
nose. The policy must follow a commanded velocity; it sees noisy accelerations only, so the velocity has to be
estimated from the history. The task is symmetric about the x-z plane.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from himloco_rl.observations import ObservationGroup, ObservationLayout, ObservationTerm

JOINTS = ("left_thruster_pitch_joint", "right_thruster_pitch_joint", "rudder_yaw_joint")
"""Forward push on either side, and a sideways push."""
HISTORY = 6
VELOCITY_SCALE = 2.0


def layout() -> ObservationLayout:
    """The layout of the dummy environment."""
    frame = (
        ObservationTerm("velocity_command", 3),
        ObservationTerm("base_ang_vel", 3),
        ObservationTerm("joint_pos", 3, joint_names=JOINTS),
        ObservationTerm("actions", 3, joint_names=JOINTS),
    )
    velocity = ObservationTerm("base_lin_vel", 3, scale=VELOCITY_SCALE)
    return ObservationLayout(
        {
            "policy": ObservationGroup("policy", frame, HISTORY, "time"),
            "critic": ObservationGroup("critic", (*frame, velocity)),
            "estimator": ObservationGroup("estimator", (*frame[1:], velocity)),
        },
        JOINTS,
    )


class DummyEnv(VecEnv):
    """Point mass with drag and yaw: 3 actions, episodes end by time or by leaving the speed limit."""

    def __init__(self, num_envs: int = 64, max_episode_length: int = 50, seed: int = 0) -> None:
        self.num_envs, self.num_actions, self.device = num_envs, 3, "cpu"
        self.max_episode_length = max_episode_length
        self.cfg = {"name": "dummy"}
        self.observation_layout = layout()
        self.generator = torch.Generator().manual_seed(seed)
        self.episode_length_buf = torch.zeros(num_envs, dtype=torch.long)
        self.extras: dict = {"log": {}}
        self.velocity = torch.zeros(num_envs, 3)
        self.yaw_rate = torch.zeros(num_envs)
        self.acceleration = torch.zeros(num_envs, 3)
        self.command = torch.zeros(num_envs, 3)
        self.actions = torch.zeros(num_envs, 3)
        self.history = torch.zeros(num_envs, HISTORY, 12)
        self._reset(torch.arange(num_envs))

    @property
    def unwrapped(self) -> DummyEnv:
        return self

    def get_observations(self) -> TensorDict:
        return self.observations

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict]:
        self.actions = actions.clone()
        push = actions.clamp(-3.0, 3.0)
        forward = push[:, 0] + push[:, 1]
        self.acceleration = torch.stack((forward, push[:, 2], torch.zeros_like(forward)), dim=-1)
        self.velocity += 0.1 * (self.acceleration - self.velocity)
        self.yaw_rate += 0.1 * (push[:, 1] - push[:, 0] - self.yaw_rate)
        self.episode_length_buf += 1
        error = (self.velocity[:, :2] - self.command[:, :2]).square().sum(-1) + 0.5 * (
            self.yaw_rate - self.command[:, 2]
        ).square()
        rewards = torch.exp(-2.0 * error)
        terminated = self.velocity.norm(dim=-1) > 3.0
        time_outs = (self.episode_length_buf >= self.max_episode_length) & ~terminated
        dones = terminated | time_outs
        ids = dones.nonzero().squeeze(-1)
        if len(ids):
            self._observe(append=False)
            self.extras["final_obs"] = {name: value.clone() for name, value in self.observations.items()}
            self.extras["log"] = {"Episode/length": self.episode_length_buf[ids].float().mean()}
            self._reset(ids)
        self._observe(append=True, fresh=dones)
        self.extras["time_outs"] = time_outs
        return self.observations, rewards, dones.long(), self.extras

    def _reset(self, ids: torch.Tensor) -> None:
        n = len(ids)
        self.velocity[ids] = self._uniform(n, 3) * torch.tensor([1.0, 1.0, 0.0])
        self.yaw_rate[ids] = self._uniform(n)
        self.command[ids] = 0.8 * self._uniform(n, 3)
        self.actions[ids] = 0.0
        self.acceleration[ids] = 0.0
        self.episode_length_buf[ids] = 0
        if n == self.num_envs:
            self._observe(append=True, fresh=torch.ones(n, dtype=torch.bool))

    def _observe(self, append: bool, fresh: torch.Tensor | None = None) -> None:
        """Compute all groups; the first frame of an episode fills its history."""
        # "Joints" read speeds relative to the medium: the velocity is in there, but noisy.
        drag = torch.stack((self.velocity[:, 0], self.velocity[:, 0], self.velocity[:, 1]), dim=-1)
        drag = drag + 0.5 * torch.stack((-self.yaw_rate, self.yaw_rate, torch.zeros_like(self.yaw_rate)), dim=-1)
        turning = torch.stack((torch.zeros_like(self.yaw_rate), torch.zeros_like(self.yaw_rate), self.yaw_rate), -1)
        frame = torch.cat((self.command, turning, drag, self.actions), dim=-1)
        noisy = frame.clone()
        noisy[:, 3:9] += 0.3 * self._uniform(self.num_envs, 6)
        if append:
            self.history = torch.cat((self.history[:, 1:], noisy[:, None]), dim=1)
            if fresh is not None:
                self.history[fresh] = noisy[fresh, None]
        velocity = VELOCITY_SCALE * self.velocity
        self.observations = TensorDict(
            {
                "policy": self.history.flatten(1),
                "critic": torch.cat((frame, velocity), dim=-1),
                "estimator": torch.cat((frame[:, 3:], velocity), dim=-1),
            },
            batch_size=[self.num_envs],
        )

    def _uniform(self, *shape: int) -> torch.Tensor:
        return 2.0 * torch.rand(*shape, generator=self.generator) - 1.0


class WholeDummyEnv(DummyEnv):
    """The same, with all of its state in a checkpoint, so that a resumed run repeats the uninterrupted one."""

    BUFFERS = ("velocity", "yaw_rate", "acceleration", "command", "actions", "history", "episode_length_buf")

    def himloco_state_dict(self) -> dict:
        return {
            **{name: getattr(self, name).clone() for name in self.BUFFERS},
            "observations": {name: value.clone() for name, value in self.observations.items()},
            "log": dict(self.extras["log"]),
            "generator": self.generator.get_state(),
        }

    def himloco_load_state_dict(self, state: dict) -> None:
        for name in self.BUFFERS:
            setattr(self, name, state[name].clone())
        self.observations = TensorDict(
            {name: value.clone() for name, value in state["observations"].items()}, batch_size=[self.num_envs]
        )
        self.extras["log"] = dict(state["log"])
        self.generator.set_state(state["generator"].cpu())


def train_cfg(**algorithm: object) -> dict:
    """A small but complete configuration as rsl_rl takes it."""
    return {
        "num_steps_per_env": 16,
        "save_interval": 1000,
        "obs_groups": {"actor": ["policy"], "critic": ["critic"], "estimator": ["estimator"]},
        "algorithm": {
            "class_name": "himloco_rl.algorithms:HIMPPO",
            "num_learning_epochs": 4,
            "num_mini_batches": 2,
            "entropy_coef": 0.002,
            "symmetry_cfg": {"use_data_augmentation": True, "use_mirror_loss": True, "mirror_estimator": True},
            **algorithm,
        },
        "actor": {
            "class_name": "himloco_rl.models:HIMActor",
            "hidden_dims": [64, 64],
            "activation": "elu",
            "distribution_cfg": {"class_name": "GaussianDistribution", "init_std": 0.6},
            "estimator_cfg": {"hidden_dims": [64, 32], "latent_dim": 8, "num_prototypes": 16},
        },
        "critic": {"class_name": "MLPModel", "hidden_dims": [64, 64], "activation": "elu"},
    }


def namespace(**values: object) -> SimpleNamespace:
    """A configuration-like object."""
    return SimpleNamespace(**values)
