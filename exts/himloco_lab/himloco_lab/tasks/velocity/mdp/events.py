# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Event terms that Isaac Lab does not have: masses, material, joints at a reset, pushes, forces, blows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from isaaclab.envs.mdp.events import randomize_rigid_body_material
from isaaclab.managers import EventTermCfg, ManagerTermBase, SceneEntityCfg
from isaaclab.utils.math import sample_uniform

if TYPE_CHECKING:
    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedEnv, ManagerBasedRLEnv


class randomize_masses(ManagerTermBase):
    """Scale every body's mass and add payloads to some, in one step.

    In HomieRL the scaling overwrites the payloads; two of Isaac Lab's mass terms one after the
    other would do the same. The inertia follows the mass as if the density had changed.
    """

    def __init__(self, cfg: EventTermCfg, env: ManagerBasedEnv) -> None:
        """Look up the bodies."""
        super().__init__(cfg, env)
        self.asset: Articulation = env.scene[cfg.params["asset_cfg"].name]
        self._mass = self.asset.data.body_mass.torch.clone()
        self._inertia = self.asset.data.body_inertia.torch.clone()
        patterns = cast("dict[str, tuple[float, float]]", cfg.params["payload_ranges"])
        self._payload_ids = {pattern: cast("list[int]", self.asset.find_bodies(pattern)[0]) for pattern in patterns}

    def __call__(
        self,
        env: ManagerBasedEnv,
        env_ids: torch.Tensor | slice | None,
        asset_cfg: SceneEntityCfg,
        scale_range: tuple[float, float],
        payload_ranges: dict[str, tuple[float, float]],
        min_mass: float = 0.05,
    ) -> None:
        """Draw factors on the masses of ``asset_cfg``'s bodies, and payloads [kg] by body name pattern.

        No body gets lighter than ``min_mass`` [kg].
        """
        ids = slice(None) if env_ids is None else env_ids
        mass = self._mass[ids].clone()
        scaled = mass[:, asset_cfg.body_ids]
        mass[:, asset_cfg.body_ids] = scaled * sample_uniform(*scale_range, scaled.shape, str(mass.device))
        for pattern, body_ids in self._payload_ids.items():
            payload = sample_uniform(*payload_ranges[pattern], (mass.shape[0], len(body_ids)), str(mass.device))
            mass[:, body_ids] += payload
        mass.clamp_(min=min_mass)
        inertia = self._inertia[ids] * (mass / self._mass[ids]).unsqueeze(-1)
        env_indices = None if isinstance(ids, slice) else ids
        self.asset.set_masses_index(masses=mass, env_ids=env_indices)
        self.asset.set_inertias_index(inertias=inertia, env_ids=env_indices)


class randomize_material_per_env(randomize_rigid_body_material):
    """Give all shapes of a robot one friction and one restitution, as HomieRL does.

    Isaac Lab's term draws a material for every shape. This one narrows that choice to a single material before it
    hands over: robots that are reset in the same step share it, and a reset of all robots draws ``num_buckets``.
    """

    def __call__(
        self,
        env: ManagerBasedEnv,
        env_ids: torch.Tensor | slice | None,
        static_friction_range: tuple[float, float],
        dynamic_friction_range: tuple[float, float],
        restitution_range: tuple[float, float],
        num_buckets: int,
        asset_cfg: SceneEntityCfg,
        make_consistent: bool = False,
    ) -> None:
        """Draw materials for these environments, ``num_buckets`` of them when all are reset.

        The dynamic coefficient equals the static one: ``dynamic_friction_range`` and ``make_consistent`` are not used.
        """
        ids = torch.arange(env.num_envs, device=env.device)
        if env_ids is not None:
            ids = ids[env_ids]
        groups = ids.chunk(num_buckets) if len(ids) == env.num_envs else (ids,)
        for group in groups:
            friction = float(sample_uniform(*static_friction_range, (1,), "cpu"))
            restitution = float(sample_uniform(*restitution_range, (1,), "cpu"))
            # one material to choose from: PhysX picks from buckets, Newton from ranges
            if hasattr(self._impl, "material_buckets"):
                self._impl.material_buckets[:] = torch.tensor([friction, friction, restitution])
            else:
                self._impl._static_friction_range = (friction, friction)
                self._impl._restitution_range = (restitution, restitution)
            super().__call__(
                env,
                group,
                static_friction_range,
                dynamic_friction_range,
                restitution_range,
                num_buckets,
                asset_cfg,
                make_consistent,
            )


def reset_joints_around_default(
    env: ManagerBasedEnv,
    env_ids: torch.Tensor | slice,
    scale_range: tuple[float, float],
    offset_range: tuple[float, float],
    asset_cfg: SceneEntityCfg = SceneEntityCfg("robot"),
) -> None:
    """Reset joints to q0 * U(scale) + U(offset) [rad], clipped to the soft limits, at rest."""
    asset: Articulation = env.scene[asset_cfg.name]
    default = asset.data.default_joint_pos.torch[env_ids]
    position = default * sample_uniform(*scale_range, default.shape, env.device)
    position += sample_uniform(*offset_range, default.shape, env.device)
    low, high = asset.data.soft_joint_pos_limits.torch[env_ids].unbind(-1)
    ids = cast("torch.Tensor", env_ids)  # slices work as well
    asset.write_joint_position_to_sim_index(position=position.clamp(low, high), env_ids=ids)
    asset.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(position), env_ids=ids)


def push_by_replacing_velocity(
    env: ManagerBasedEnv,
    env_ids: torch.Tensor,
    velocity_range: dict[str, tuple[float, float]],
    asset_cfg: SceneEntityCfg = SceneEntityCfg("robot"),
    strength: float = 1.0,
) -> None:
    """Push the robot by replacing components of its base velocity.

    Isaac Lab's ``push_by_setting_velocity`` adds to the velocity; legged_gym's pushes, and so HOMIE's, replace it. The
    ranges are those of "x", "y", "z" [m/s], "roll", "pitch", "yaw" [rad/s] in the world; what is not named keeps its
    velocity. A ``strength`` of 1 replaces the velocity, 0 leaves it, and what is between goes part of the way.
    """
    asset: Articulation = env.scene[asset_cfg.name]
    velocity = asset.data.root_vel_w.torch[env_ids].clone()
    for name, bounds in velocity_range.items():
        column = ("x", "y", "z", "roll", "pitch", "yaw").index(name)
        pushed = sample_uniform(*bounds, (velocity.shape[0],), env.device)
        velocity[:, column] = torch.lerp(velocity[:, column], pushed, strength)
    asset.write_root_velocity_to_sim_index(root_velocity=velocity, env_ids=env_ids)


def push_by_force(
    env: ManagerBasedRLEnv,
    env_ids: torch.Tensor | None,
    asset_cfg: SceneEntityCfg,
    limit: float,
    every: int,
) -> None:
    """Push all robots by forces of their own for one policy step, and again *every* so many steps.

    An interval event that is called after every step (HIMLoco): a force set now acts in the next one. It is uniform up
    to *limit* [N] along each of the axes of the body, at whose center of mass it acts.
    """
    asset: Articulation = env.scene[asset_cfg.name]
    phase = env.common_step_counter % every
    if phase == 0:
        force = limit * (2.0 * torch.rand(env.num_envs, 1, 3, device=env.device) - 1.0)
        body_ids = torch.as_tensor(asset_cfg.body_ids, device=env.device)
        asset.permanent_wrench_composer.set_forces_and_torques_index(
            forces=force, torques=torch.zeros_like(force), body_ids=body_ids
        )
    elif phase == 1:
        asset.permanent_wrench_composer.reset()


class punch_links(ManagerTermBase):
    """Hit each robot now and then: a random link, a random direction, a constant force for a moment.

    An interval event that is called after every step: a force set now acts in the next one. A push that sets the
    velocity of the base moves the whole robot at once; a blow on a shin or a wrist turns it as well.
    """

    remembers = ("_until_next", "_until_end", "_forces")

    def __init__(self, cfg: EventTermCfg, env: ManagerBasedEnv) -> None:
        """Draw when each robot is hit first."""
        super().__init__(cfg, env)
        self._robot: Articulation = env.scene[cast("SceneEntityCfg", cfg.params["asset_cfg"]).name]
        self._forces = torch.zeros(env.num_envs, self._robot.num_bodies, 3, device=env.device)
        self._torques = torch.zeros_like(self._forces)
        self._until_next = torch.zeros(env.num_envs, dtype=torch.long, device=env.device)
        self._until_end = torch.zeros_like(self._until_next)
        self.reset()

    def reset(self, env_ids: Sequence[int] | torch.Tensor | slice | None = None) -> None:
        """End the blows of these robots (all if None), and draw when they are hit next."""
        ids = slice(None) if env_ids is None else env_ids
        self._forces[ids] = 0.0
        self._until_end[ids] = 0
        interval = cast("tuple[float, float]", self.cfg.params["interval_s"])
        self._until_next[ids] = self._draw_wait(interval, len(self._until_next[ids]))

    def __call__(
        self,
        env: ManagerBasedEnv,
        env_ids: torch.Tensor | None,
        asset_cfg: SceneEntityCfg,
        limit: float,
        duration_s: float,
        interval_s: tuple[float, float],
        strength: float = 1.0,
    ) -> None:
        """Begin and end the blows whose time has come; every robot has a clock of its own.

        They last ``duration_s`` [s], each of a size that is uniform up to ``strength`` times ``limit`` [N], at the
        center of mass of one of the links that ``asset_cfg`` names; ``interval_s`` [s] is from one's end to the next.
        """
        self._until_next -= 1
        self._until_end -= 1
        begin = (self._until_next <= 0).nonzero().squeeze(-1)
        end = (self._until_end == 0).nonzero().squeeze(-1)
        if not len(begin) and not len(end):
            return
        self._forces[end] = 0.0
        if len(begin):
            steps = max(round(duration_s / env.step_dt), 1)
            body_ids = torch.arange(self._robot.num_bodies, device=env.device)[asset_cfg.body_ids]
            direction = torch.nn.functional.normalize(torch.randn(len(begin), 3, device=env.device), dim=-1)
            size = strength * limit * torch.rand(len(begin), 1, device=env.device)
            links = body_ids[torch.randint(len(body_ids), (len(begin),), device=env.device)]
            self._forces[begin, links] = size * direction
            self._until_end[begin] = steps
            self._until_next[begin] = steps + self._draw_wait(interval_s, len(begin))
        composer = self._robot.permanent_wrench_composer
        composer.set_forces_and_torques_index(forces=self._forces, torques=self._torques, is_global=True)

    def _draw_wait(self, interval_s: tuple[float, float], count: int) -> torch.Tensor:
        """Steps until the next blow, at least one, shape ``[count]``."""
        low, high = interval_s
        seconds = low + (high - low) * torch.rand(count, device=self._until_next.device)
        return (seconds / self._env.step_dt).round().long().clamp(min=1)
