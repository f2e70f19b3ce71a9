# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What several terms of one policy step need, computed once.

Seven terms ask whether the robot is told to stand up straight and eight read the contact forces of the feet. On a CPU
a small torch operation costs about as much as the arithmetic of a whole term, so such a quantity is computed once a
policy step and remembered until the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Concatenate
from weakref import WeakKeyDictionary

import torch
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils.math import matrix_from_quat, quat_apply

from himloco_lab.robots.policy_layout import HEIGHT, VELOCITY

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

_remembered: WeakKeyDictionary[Any, tuple[int, dict[Hashable, Any]]] = WeakKeyDictionary()
"""For every environment the policy step and what was computed in it."""


def once_per_step[**P, T](
    function: Callable[Concatenate[ManagerBasedRLEnv, P], T],
) -> Callable[Concatenate[ManagerBasedRLEnv, P], T]:
    """Return ``function`` with its results remembered for the rest of the policy step.

    Rewards are all computed between the last physics step and the resets, so within one value of
    ``env.common_step_counter`` the same arguments give the same result. Callers must not write into it. Arguments are
    scene entities, numbers, names or (nested) sequences of numbers.
    """

    @wraps(function)
    def remembering(env: ManagerBasedRLEnv, *args: P.args, **kwargs: P.kwargs) -> T:
        step, results = _remembered.get(env, (-1, {}))
        if step != env.common_step_counter:
            results = {}
            _remembered[env] = (env.common_step_counter, results)
        key = (function, *(_key(arg) for arg in args), *((name, _key(arg)) for name, arg in kwargs.items()))
        if key not in results:
            results[key] = function(env, *args, **kwargs)
        return results[key]

    return remembering


def _key(argument: Any) -> Hashable:
    """Return something hashable that is equal for equal arguments."""
    if isinstance(argument, SceneEntityCfg):
        # Every term has its own copy of a scene entity; the names say what is selected.
        return argument.name, _key(argument.joint_names), _key(argument.body_names), argument.preserve_order
    if isinstance(argument, list | tuple):
        return tuple(_key(item) for item in argument)
    return argument


@once_per_step
def upright_commanded(env: ManagerBasedRLEnv, command_name: str, min_height: float) -> torch.Tensor:
    """Return whether the robot is told to walk or stand rather than squat: the gate of HOMIE's rewards.

    True where the commanded height is at least ``min_height`` [m], shape ``[N]``.
    """
    return env.command_manager.get_command(command_name)[:, HEIGHT] >= min_height


@once_per_step
def command_speed(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Return the norm of the commanded (vx, vy, yaw rate), in their own units, shape ``[N]``."""
    return torch.linalg.vector_norm(env.command_manager.get_command(command_name)[:, VELOCITY], dim=1)


@once_per_step
def base_axes(env: ManagerBasedRLEnv, name: str) -> torch.Tensor:
    """Return the x, y and z axis of an asset's root in the world as the columns of matrices, shape ``[N, 3, 3]``."""
    return matrix_from_quat(env.scene[name].data.root_quat_w.torch)


@once_per_step
def body_positions(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Return the origins of the bodies' frames in the world [m], shape ``[N, B, 3]``."""
    return env.scene[asset_cfg.name].data.body_pos_w.torch[:, asset_cfg.body_ids]


@once_per_step
def body_velocities(env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Return the velocities of the bodies' centers of mass in the world [m/s], shape ``[N, B, 3]``."""
    return env.scene[asset_cfg.name].data.body_lin_vel_w.torch[:, asset_cfg.body_ids]


@once_per_step
def contact_forces(env: ManagerBasedRLEnv, sensor_cfg: SceneEntityCfg) -> torch.Tensor:
    """Return the sums of normal contact forces on the bodies in the world [N], shape ``[N, B, 3]``.

    Friction is not in them: a level sole gives a vertical force however hard it drags, the riser of a stair a
    horizontal one.
    """
    return env.scene[sensor_cfg.name].data.net_normal_forces_w.torch[:, sensor_cfg.body_ids]


@once_per_step
def points_on_bodies(
    env: ManagerBasedRLEnv, asset_cfg: SceneEntityCfg, points: Sequence[Sequence[float]]
) -> torch.Tensor:
    """Return points fixed to each body in the world [m], shape ``[N, B, P, 3]``; given in the frame of a body [m]."""
    positions = body_positions(env, asset_cfg).unsqueeze(2)
    rotations = env.scene[asset_cfg.name].data.body_quat_w.torch[:, asset_cfg.body_ids].unsqueeze(2)
    offsets = _as_tensor(tuple(map(tuple, points)), str(positions.device))
    return positions + quat_apply(rotations, offsets)


@lru_cache(maxsize=16)
def _as_tensor(rows: tuple[tuple[float, ...], ...], device: str) -> torch.Tensor:
    return torch.tensor(rows, device=device)


class LandingDetector:
    """Times the flights of bodies and says when they end.

    Like the reference it looks at the contact once a policy step and lets a body count as touching for one more step,
    so a foot that bounces when it lands has landed once. The contact sensor's own timers count physics steps: there
    the bounce replaces the flight before it, and the landing is missed.
    """

    def __init__(self, num_envs: int, num_bodies: int, step_dt: float, device: str):
        """Start with no flight of B bodies in N environments in progress; ``step_dt`` is the policy step [s]."""
        self._step_dt = step_dt
        self._flight = torch.full((num_envs, num_bodies), -torch.inf, device=device)
        self._touched = torch.zeros(num_envs, num_bodies, dtype=torch.bool, device=device)

    def reset(self, env_ids: Sequence[int] | torch.Tensor | slice | None = None) -> None:
        """Forget the flights of environments. The first touch of an episode ends none."""
        ids = slice(None) if env_ids is None else env_ids
        self._flight[ids] = -torch.inf
        self._touched[ids] = False

    def update(self, contact: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Advance one policy step, in which the bodies touch something or not; the mask [N, B] is kept.

        Returns whether a flight ended in this step, and how long the flights have been [s], both ``[N, B]``. A flight
        time means nothing where none ended.
        """
        touching = contact | self._touched
        landed = touching & (self._flight > 0.0)
        air_time = self._flight + self._step_dt
        self._flight = air_time.masked_fill(touching, 0.0)
        self._touched = contact
        return landed, air_time


_detectors: WeakKeyDictionary[Any, dict[Hashable, LandingDetector]] = WeakKeyDictionary()
"""For every environment its detectors: one, unless terms disagree about the bodies or about what a contact is."""


def landing_detector(env: ManagerBasedRLEnv, sensor_cfg: SceneEntityCfg, contact_force: float) -> LandingDetector:
    """Return the detector that an environment's terms share; a contact is a vertical force above that [N]."""
    detectors = _detectors.setdefault(env, {})
    key = (_key(sensor_cfg), contact_force)
    if key not in detectors:
        num_bodies = contact_forces(env, sensor_cfg).shape[1]
        detectors[key] = LandingDetector(env.num_envs, num_bodies, env.step_dt, env.device)
    return detectors[key]


@once_per_step
def landings(
    env: ManagerBasedRLEnv, sensor_cfg: SceneEntityCfg, contact_force: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which flights end in this step and how long they have been [s], as :class:`LandingDetector` does."""
    contact = contact_forces(env, sensor_cfg)[..., 2] > contact_force
    return landing_detector(env, sensor_cfg, contact_force).update(contact)
