# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The same conditions for every policy and engine, and the means to change them for some robots."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch

from .arena import START_NOISE


def make_nominal(env_cfg: Any, seconds: float, physics_dt: float | None = None) -> None:
    """Take randomisation, noise and curricula out of a task: the robot as described, ground of friction 1.

    A slippery robot slips: the ground's coefficient counts only where it is the smaller one. In training the mean of
    both does, which never gets below 0.5.

    Args:
        env_cfg: The task's configuration, changed in place; randomisations of any name go.
        seconds: How long an episode must last at least [s].
        physics_dt: Physics step [s]; the task's own when None. The policy's rate stays.

    Raises:
        ValueError: If the policy's step is no multiple of *physics_dt*.
    """
    events = env_cfg.events
    for name in [name for name, term in vars(events).items() if term is not None]:
        params = getattr(events, name).params
        if name == "material":
            friction = dict.fromkeys(("static_friction_range", "dynamic_friction_range"), (1.0, 1.0))
            params.update(friction, restitution_range=(0.0, 0.0))
        elif name == "reset_base":
            params["velocity_range"] = {}
        elif name == "reset_joints":
            params.update(scale_range=(1.0, 1.0), offset_range=(-START_NOISE, START_NOISE))
        else:
            setattr(events, name, None)
    for name in vars(env_cfg.curriculum):
        setattr(env_cfg.curriculum, name, None)
    ground = env_cfg.scene.terrain.physics_material
    ground.friction_combine_mode = "min"
    if type(env_cfg.sim.physics).__name__ == "NewtonCfg":
        # Newton's MuJoCo solver takes the larger coefficient, whatever the mode says
        ground.static_friction = ground.dynamic_friction = 0.0
    action = env_cfg.actions.joint_pos
    action.torque_offset = action.torque_noise = 0.0
    env_cfg.episode_length_s = max(env_cfg.episode_length_s, seconds + 10.0)
    if physics_dt is not None:
        step = env_cfg.sim.dt * env_cfg.decimation
        decimation = round(step / physics_dt)
        if abs(decimation * physics_dt - step) > 1e-9:
            raise ValueError(f"a policy step of {step} s is no multiple of a physics step of {physics_dt} s")
        env_cfg.sim.dt, env_cfg.decimation = physics_dt, decimation
        env_cfg.sim.render_interval = decimation


@dataclasses.dataclass(frozen=True)
class Changes:
    """What is different for each robot; None leaves all as they are. Shape ``[R]`` each."""

    payload: np.ndarray | None = None
    """Mass added to the trunk [kg]."""
    friction: np.ndarray | None = None
    """Coulomb coefficient of the robot's shapes; a contact's is the smaller one of it and the ground's 1."""
    delay: np.ndarray | None = None
    """Physics steps by which actions act late."""


def apply(env: Any, changes: Changes, trunk: str) -> None:
    """Change robots of a running task, after a reset.

    Args:
        env: The task, unwrapped.
        changes: What to change.
        trunk: Body that carries the payload.
    """
    if changes.payload is not None:
        robot = env.scene["robot"]
        body = cast("Sequence[int]", robot.find_bodies(trunk)[0])
        mass = robot.data.body_mass.torch.clone()
        mass[:, body] += torch.as_tensor(changes.payload, dtype=torch.float, device=env.device).unsqueeze(-1)
        robot.set_masses_index(masses=mass)
    if changes.friction is not None:
        term = env.event_manager.get_term_cfg("material")
        for value in np.unique(changes.friction):
            ids = torch.as_tensor(np.flatnonzero(changes.friction == value), device=env.device)
            ends = (float(value), float(value))
            term.func(env, ids, **{**term.params, "static_friction_range": ends, "dynamic_friction_range": ends})
    if changes.delay is not None:
        action = env.action_manager.get_term("joint_pos")
        action.hold_delay(torch.as_tensor(changes.delay))


def place(env: Any, levels: np.ndarray, columns: np.ndarray) -> None:
    """Choose the ground under each robot, from the next reset on.

    Args:
        env: The task, unwrapped.
        levels: Row of the terrain, shape ``[R]``.
        columns: Column of the terrain, shape ``[R]``.
    """
    terrain = env.scene.terrain
    terrain.terrain_levels[:] = torch.as_tensor(levels)
    terrain.terrain_types[:] = torch.as_tensor(columns)
    terrain.env_origins[:] = terrain.terrain_origins[terrain.terrain_levels, terrain.terrain_types]
