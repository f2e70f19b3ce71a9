# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Event terms that Isaac Lab does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from isaaclab.envs.mdp.events import randomize_rigid_body_material
from isaaclab.managers import EventTermCfg, ManagerTermBase, SceneEntityCfg
from isaaclab.utils.math import sample_uniform

if TYPE_CHECKING:
    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedEnv


class randomize_masses(ManagerTermBase):
    """Scale every body's mass and add payloads to some, in one step.

    In the reference the scaling overwrites the payloads (facts 7.15); two of Isaac Lab's mass terms one after the
    other would do the same. The inertia follows the mass as if the density had changed.
    """

    def __init__(self, cfg: EventTermCfg, env: ManagerBasedEnv) -> None:
        """Look up the bodies.

        Args:
            cfg: The configuration of the term.
            env: The environment.
        """
        super().__init__(cfg, env)
        self.asset: Articulation = env.scene[cfg.params["asset_cfg"].name]
        self._mass = self.asset.data.body_mass.torch.clone()
        self._inertia = self.asset.data.body_inertia.torch.clone()
        self._payload_ids = {
            pattern: list(self.asset.find_bodies(pattern)[0]) for pattern in cfg.params["payload_ranges"]
        }

    def __call__(
        self,
        env: ManagerBasedEnv,
        env_ids: torch.Tensor | slice | None,
        asset_cfg: SceneEntityCfg,
        scale_range: tuple[float, float],
        payload_ranges: dict[str, tuple[float, float]],
        min_mass: float = 0.05,
    ) -> None:
        """Draw new masses.

        Args:
            env: The environment.
            env_ids: The environments to change; all if None.
            asset_cfg: The bodies whose mass is scaled.
            scale_range: Factors on the mass from the model.
            payload_ranges: Body name pattern -> mass that is added [kg].
            min_mass: No body gets lighter than this [kg].
        """
        ids = slice(None) if env_ids is None else env_ids
        mass = self._mass[ids].clone()
        scaled = mass[:, asset_cfg.body_ids]
        mass[:, asset_cfg.body_ids] = scaled * sample_uniform(*scale_range, scaled.shape, mass.device)
        for pattern, body_ids in self._payload_ids.items():
            payload = sample_uniform(*payload_ranges[pattern], (mass.shape[0], len(body_ids)), mass.device)
            mass[:, body_ids] += payload
        mass.clamp_(min=min_mass)
        inertia = self._inertia[ids] * (mass / self._mass[ids]).unsqueeze(-1)
        env_indices = None if isinstance(ids, slice) else ids
        self.asset.set_masses_index(masses=mass, env_ids=env_indices)
        self.asset.set_inertias_index(inertias=inertia, env_ids=env_indices)


class randomize_material_per_env(randomize_rigid_body_material):
    """Give all shapes of a robot one friction and one restitution, as the reference does (facts 4.6).

    Isaac Lab's term draws a material for every shape. This one narrows its choice to a single material before each
    call, so the robots that are reset together share it.
    """

    def __call__(self, env: ManagerBasedEnv, env_ids: torch.Tensor | slice | None, **params: object) -> None:
        """Draw one material for these environments.

        Args:
            env: The environment.
            env_ids: The environments to change; all if None.
            params: As for :class:`isaaclab.envs.mdp.randomize_rigid_body_material`.
        """
        raise NotImplementedError
