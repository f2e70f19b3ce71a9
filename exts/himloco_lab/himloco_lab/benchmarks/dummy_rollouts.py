# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Random data with the G1 task's observation layout, to time learners without a simulation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from himloco_lab.assets.g1 import G1_JOINTS, G1_LEG_JOINTS
from himloco_rl.extensions import ObservationGroup, ObservationLayout, ObservationTerm

HISTORY = 6
"""Frames of the policy's group."""
SCAN_POINTS = tuple((0.1 * x, 0.1 * y) for y in range(-5, 6) for x in range(-8, 9))
"""Where the height scan measures, 17 x 11 points [m]."""


def g1_layout(height_scan: bool) -> ObservationLayout:
    """Observation layout of the G1 tasks.

    Args:
        height_scan: With the critic's 187 points, as on Rough.
    """
    commands = (ObservationTerm("velocity_command", 3), ObservationTerm("height_command", 1))
    body = (
        ObservationTerm("base_ang_vel", 3),
        ObservationTerm("projected_gravity", 3),
        ObservationTerm("joint_pos", len(G1_JOINTS), joint_names=tuple(G1_JOINTS)),
        ObservationTerm("joint_vel", len(G1_JOINTS), joint_names=tuple(G1_JOINTS)),
        ObservationTerm("actions", len(G1_LEG_JOINTS), joint_names=tuple(G1_LEG_JOINTS)),
    )
    velocity = ObservationTerm("base_lin_vel", 3, scale=2.0)
    scan = (ObservationTerm("height_scan", len(SCAN_POINTS), points=SCAN_POINTS),) if height_scan else ()
    return ObservationLayout(
        {
            "policy": ObservationGroup("policy", (*commands, *body), HISTORY, "time"),
            "critic": ObservationGroup("critic", (*commands, *body, velocity, *scan)),
            "estimator": ObservationGroup("estimator", (*body, velocity)),
        },
        tuple(G1_LEG_JOINTS),
    )


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
            height_scan: See :func:`g1_layout`.
        """
        self.num_envs, self.num_actions, self.device = num_envs, len(G1_LEG_JOINTS), "cpu"
        self.max_episode_length = 1000
        self.cfg = SimpleNamespace()
        self.observation_layout = g1_layout(height_scan)
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
