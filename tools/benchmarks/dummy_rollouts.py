# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Random data with the default robot's observation layout, to time learners without a simulation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from himloco_lab.robots.g1 import G1_DESCRIPTION
from himloco_lab.robots.policy_layout import SCAN_RESOLUTION, SCAN_SIZE
from himloco_rl.observations import ObservationGroup, ObservationLayout, ObservationTerm


def observation_layout(height_scan: bool) -> ObservationLayout:
    """The names of the tasks' observations, with the critic's 187 points as on Rough if there is a *height_scan*."""
    legs = G1_DESCRIPTION.action_joints
    frame = tuple(
        ObservationTerm(term.name, term.width, joint_names=legs if term.name == "actions" else term.joints)
        for term in G1_DESCRIPTION.frame
    )
    layout = G1_DESCRIPTION.policy_layout
    velocity = ObservationTerm("base_lin_vel", 3, scale=layout.lin_vel_scale)
    ahead, aside = (round(extent / SCAN_RESOLUTION / 2) for extent in SCAN_SIZE)
    points = tuple(
        (SCAN_RESOLUTION * x, SCAN_RESOLUTION * y) for y in range(-aside, aside + 1) for x in range(-ahead, ahead + 1)
    )
    scan = (ObservationTerm("height_scan", len(points), points=points),) if height_scan else ()
    felt = tuple(term for term in frame if not term.name.endswith("_command"))
    return ObservationLayout(
        {
            "policy": ObservationGroup("policy", frame, layout.history_length, "time"),
            "critic": ObservationGroup("critic", (*frame, velocity, *scan)),
            "estimator": ObservationGroup("estimator", (*felt, velocity)),
        },
        legs,
    )


def observations(layout: ObservationLayout, num_envs: int, device: str = "cpu") -> TensorDict:
    """Standard normal observations, group -> [N, D]; on the device ``meta`` only their shapes."""
    groups = {name: torch.randn(num_envs, layout.group(name).dim, device=device) for name in layout.groups}
    return TensorDict(groups, batch_size=[num_envs], device=device)


class DummyRollouts(VecEnv):
    """An environment whose steps are random numbers and whose episodes never end."""

    def __init__(self, num_envs: int, height_scan: bool = False) -> None:
        """Lay out the observations, with the critic's height scan as on Rough if there is a *height_scan*."""
        self.observation_layout = observation_layout(height_scan)
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
