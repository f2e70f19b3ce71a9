# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Random data with the default robot's observation layout, to time learners without a simulation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from himloco_rl.observations import ObservationLayout

from . import subject


def observations(layout: ObservationLayout, num_envs: int, device: str = "cpu") -> TensorDict:
    """Standard normal observations, group -> [N, D]; on the device ``meta`` only their shapes."""
    groups = {name: torch.randn(num_envs, layout.group(name).dim, device=device) for name in layout.groups}
    return TensorDict(groups, batch_size=[num_envs], device=device)


class DummyRollouts(VecEnv):
    """An environment whose steps are random numbers and whose episodes never end."""

    def __init__(self, num_envs: int, height_scan: bool = False) -> None:
        """Lay out the observations.

        Args:
            num_envs: Number of environments.
            height_scan: With the critic's height scan, as on Rough.
        """
        self.observation_layout = subject.observation_layout(height_scan)
        actions = len(self.observation_layout.action_joint_names)
        self.num_envs, self.num_actions, self.device = num_envs, actions, "cpu"
        self.max_episode_length = 1000
        self.cfg = SimpleNamespace()
        self.episode_length_buf = torch.zeros(num_envs, dtype=torch.long)

    @property
    def unwrapped(self) -> DummyRollouts:
        """The environment itself."""
        return self

    def get_observations(self) -> TensorDict:
        """Random observations."""
        return observations(self.observation_layout, self.num_envs)

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Return random observations and rewards."""
        dones = torch.zeros(self.num_envs, dtype=torch.long)
        return self.get_observations(), torch.rand(self.num_envs), dones, {"time_outs": dones.bool()}
