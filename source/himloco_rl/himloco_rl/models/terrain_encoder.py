# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A code of the ground around the robot, for policies that see it."""

from __future__ import annotations

from rsl_rl.modules import MLP


class TerrainEncoder(MLP):
    """MLP height scan -> code of the terrain.

    It belongs to the policy, and PPO trains it. HIM's estimator does not see the scan, so that what it says of velocity
    and response stays what the robot's own joints and IMU tell.
    """

    def __init__(
        self,
        scan_dim: int,
        hidden_dims: list[int] | tuple[int, ...] = (128, 64),
        latent_dim: int = 32,
        activation: str = "elu",
    ) -> None:
        """Build the network.

        Args:
            scan_dim: P, points of the scan.
            hidden_dims: Hidden layers.
            latent_dim: E, width of the code.
            activation: Activation of the hidden layers.

        Raises:
            ValueError: If the code has no width.
        """
        if latent_dim < 1:
            raise ValueError(f"actor.terrain_cfg['latent_dim'] is {latent_dim}; it must be positive.")
        super().__init__(scan_dim, latent_dim, hidden_dims, activation)
        self.latent_dim = latent_dim
