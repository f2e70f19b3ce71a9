# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Robots of an Isaac Lab task, for the suites.

The conditions are the same for every policy and engine, but for what a suite changes for some robots.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils.math import euler_xyz_from_quat, quat_apply, yaw_quat
from isaaclab.utils.string import ResolvableString

from himloco_lab.deployment.manifest import START_NOISE
from himloco_lab.deployment.terrain import LEVELS
from himloco_lab.playing.policies import COMMAND_TERM
from himloco_lab.robots.description import find_description
from himloco_lab.robots.policy_layout import FALL_TILT
from himloco_lab.robots.urdf import load_model

from .arena import Array, Push, State, decimation_of

if TYPE_CHECKING:
    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper
    from tensordict import TensorDict

    from himloco_lab.playing.policies import EnvPolicy
    from himloco_lab.tasks.velocity.mdp.actions.joint_actions import DelayedJointPositionAction
    from himloco_lab.tasks.velocity.mdp.commands.gait_command import GaitCommand
    from himloco_lab.tasks.velocity.mdp.commands.upper_body_command import UpperBodyCommand

LOADED = 1.0
"""Normal force from which a foot carries load [N]; the threshold of the reward ``feet_slip``."""
SENSOR = "contact_forces"
"""Name of the contact sensor in all tasks."""
ACTION_TERM = "joint_pos"
"""Name of the policy's action in all tasks."""
ARMS_TERM = "upper_body"
"""Name of the arms' command in the tasks that have one."""

Estimate = Callable[["TensorDict"], torch.Tensor]
"""Observations -> velocity of the base as a policy estimates it [m/s], shape ``[N, 3]``."""


def make_nominal(env_cfg: Any, seconds: float, physics_dt: float | None = None) -> None:
    """Take randomization, noise and curricula out of a task: the robot as described, ground of friction 1.

    A slippery robot slips: the ground's coefficient counts only where it is the smaller one. In training the mean of
    both does, which never gets below 0.5.

    Args:
        env_cfg: The task's configuration, changed in place; randomizations of any name go.
        seconds: How long an episode must last at least [s].
        physics_dt: Physics step [s], of which the policy's must be a multiple; the task's own when None.
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
        decimation = decimation_of(env_cfg.sim.dt * env_cfg.decimation, physics_dt)
        env_cfg.sim.dt, env_cfg.decimation, env_cfg.sim.render_interval = physics_dt, decimation, decimation


def terrain_kinds(env_cfg: Any) -> list[str]:
    """Return the kinds of ground, in the order of the columns of :func:`spread_terrain`; flat ground has none."""
    generator = env_cfg.scene.terrain.terrain_generator
    return list(generator.sub_terrains) if generator is not None and generator.curriculum else []


def spread_terrain(env_cfg: Any, columns: int = 1, exact: bool = False, kinds: Collection[str] | None = None) -> None:
    """Give every kind of ground the same number of columns, with all levels.

    Args:
        env_cfg: The task's configuration, changed in place.
        columns: For each kind.
        exact: Whether level k is exactly as difficult as k / 10, and not anything up to the next one, as in training.
        kinds: Those that are needed; all of the task's when None.
    """
    generator = env_cfg.scene.terrain.terrain_generator
    if kinds is not None:
        generator.sub_terrains = {kind: cfg for kind, cfg in generator.sub_terrains.items() if kind in kinds}
    if exact:
        generator.class_type = ResolvableString("himloco_lab.terrains.sub_terrains:ExactLevelsGenerator")
    generator.num_rows, generator.num_cols = LEVELS, columns * len(generator.sub_terrains)
    for kind in generator.sub_terrains.values():
        kind.proportion = 1.0 / len(generator.sub_terrains)


class EnvArena:
    """An :class:`.arena.Arena` in whatever engine the task was built with."""

    def __init__(self, vec_env: RslRlVecEnvWrapper, policy: EnvPolicy, estimate: Estimate | None = None) -> None:
        """Find what is asked for.

        Args:
            vec_env: The task, its configuration made by :func:`make_nominal`.
            policy: What acts.
            estimate: Returns the policy's estimate of the velocity; None if it makes none.
        """
        self._vec_env, self._policy, self._estimate = vec_env, policy, estimate
        self.env: Any = vec_env.unwrapped
        """The task, unwrapped."""
        self._robot = self.env.scene["robot"]
        self._gait = cast("GaitCommand", self.env.command_manager.get_term(COMMAND_TERM))
        has_arms = ARMS_TERM in self.env.command_manager.active_terms
        self._arms = cast("UpperBodyCommand", self.env.command_manager.get_term(ARMS_TERM)) if has_arms else None
        feet = self._gait.cfg.foot_body_names
        self._feet = SceneEntityCfg("robot", body_names=feet, preserve_order=True)
        self._soles = SceneEntityCfg(SENSOR, body_names=feet, preserve_order=True)
        self._feet.resolve(self.env.scene)
        self._soles.resolve(self.env.scene)
        model = load_model(find_description(self.env.cfg.scene.robot.spawn.robot))
        self.links = (model.root, *(joint.child for joint in model.joints.values()))
        found = self._robot.find_bodies(list(self.links), preserve_order=True)[0]
        self._link_ids = torch.tensor(found, device=self.env.device)
        self.num_robots, self.dt = int(self.env.num_envs), float(self.env.step_dt)
        self.mass = float(self._robot.data.body_mass.torch.sum(dim=1).mean())
        self.arms = tuple(self._arms.joint_names) if self._arms else ()
        self.arm_default, self.arm_limits = np.zeros(0), np.zeros((0, 2))
        if self._arms:
            self.arm_default = self._arms.default[0].cpu().numpy()
            self.arm_limits = torch.stack(self._arms.limits, dim=-1)[0].cpu().numpy()
        self._action = cast("DelayedJointPositionAction", self.env.action_manager.get_term(ACTION_TERM))
        self._is_pushing = False
        self._fallen = torch.zeros(self.num_robots, dtype=torch.bool, device=self.env.device)

    def reset(self, seed: int) -> None:
        """Stand all robots up."""
        with torch.inference_mode():
            self._action.hold_delay(0)
            self.env.seed(seed)
            torch.manual_seed(seed)
            self._observations, _ = self._vec_env.reset()
            self._fallen[:] = False
            data = self._robot.data
            self._start = data.root_link_pose_w.torch.clone()
            self._start_joints = data.joint_pos.torch.clone()
            self._start_yaw = euler_xyz_from_quat(self._start[:, 3:])[2]

    def step(self, command: Array, arms: Array | None = None, push: Push | None = None) -> State:
        """Let the policy act once."""
        with torch.inference_mode():
            self._gait.hold(torch.as_tensor(command))
            if self._arms is not None:
                self._arms.hold(self._arms.default if arms is None else torch.as_tensor(arms))
            self._push(push)
            observations = self._observations
            actions = self._policy(observations)
            self._observations, _, dones, _ = self._vec_env.step(actions)
            # episodes are long enough; who leaves the ground fails
            self._fallen |= dones.to(self._fallen.device).bool()
            # not every task ends an episode for leaning, but the figures of all engines count it
            upright = -self._robot.data.projected_gravity_b.torch[:, 2]
            self._fallen |= upright < math.cos(FALL_TILT)
            unknown = torch.full((self.num_robots, 3), torch.nan)
            estimate = unknown if self._estimate is None else self._estimate(observations)
            return self._state(actions, estimate)

    def hold(self) -> None:
        """Put all robots back into the pose that they started in."""
        with torch.inference_mode():
            self._robot.write_root_link_pose_to_sim_index(root_pose=self._start)
            self._robot.write_root_velocity_to_sim_index(root_velocity=torch.zeros_like(self._start[:, :6]))
            self._robot.write_joint_position_to_sim_index(position=self._start_joints)
            self._robot.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(self._start_joints))

    def _push(self, push: Push | None) -> None:
        """Set the forces for this step, turned from the frame of the start into the world's."""
        composer = self._robot.permanent_wrench_composer
        was_pushing, self._is_pushing = self._is_pushing, push is not None
        if push is None:
            if was_pushing:
                composer.reset()
            return
        device = self.env.device
        asked = torch.as_tensor(push.force, dtype=torch.float, device=device)
        force = quat_apply(yaw_quat(self._start[:, 3:]), asked)
        forces = torch.zeros(self.num_robots, self._robot.num_bodies, 3, device=device)
        robots = torch.arange(self.num_robots, device=device)
        forces[robots, self._link_ids[torch.as_tensor(push.links, device=device)]] = force
        composer.set_forces_and_torques_index(forces=forces, torques=torch.zeros_like(forces), is_global=True)

    def _state(self, actions: torch.Tensor, estimate: torch.Tensor) -> State:
        data, effort = self._robot.data, self._robot.actuators.applied_effort.torch
        pose = data.root_link_pose_w.torch
        cos, sin = self._start_yaw.cos(), self._start_yaw.sin()
        dx, dy = (pose[:, :2] - self._start[:, :2]).unbind(-1)
        turned = euler_xyz_from_quat(pose[:, 3:])[2] - self._start_yaw
        turned = torch.atan2(turned.sin(), turned.cos())
        force = self.env.scene[SENSOR].data.net_normal_forces_w.torch[:, self._soles.body_ids, 2]
        values = {
            "velocity": torch.cat([data.root_lin_vel_b.torch[:, :2], data.root_ang_vel_b.torch[:, 2:]], dim=1),
            "height": self._gait.base_height(),
            "pose": torch.stack([cos * dx + sin * dy, cos * dy - sin * dx, turned], dim=-1),
            "fallen": self._fallen,
            "power": (effort * data.joint_vel.torch).abs().sum(dim=1),
            "joint_vel": data.joint_vel.torch,
            "contacts": force > LOADED,
            "foot_speed": data.body_link_lin_vel_w.torch[:, self._feet.body_ids, :2].norm(dim=-1),
            "actions": actions,
            "estimate": estimate,
        }
        return State(**{name: value.cpu().numpy().copy() for name, value in values.items()})


def apply(
    env: Any, trunk: str, payload: Array | None = None, friction: Array | None = None, delay: Array | None = None
) -> None:
    """Change robots of a running task, after a reset; None leaves all as they are, shape ``[R]`` else.

    Args:
        env: The task, unwrapped.
        trunk: Body that carries the payload.
        payload: Mass added to the trunk [kg].
        friction: Coulomb coefficient of the robot's shapes; a contact's is the smaller one of it and the ground's 1.
        delay: Physics steps by which actions act late.
    """
    if payload is not None:
        robot = env.scene["robot"]
        body = cast("Sequence[int]", robot.find_bodies(trunk)[0])
        mass = robot.data.body_mass.torch.clone()
        mass[:, body] += torch.as_tensor(payload, dtype=torch.float, device=env.device).unsqueeze(-1)
        robot.set_masses_index(masses=mass)
    if friction is not None:
        term = env.event_manager.get_term_cfg("material")
        for value in np.unique(friction):
            ids = torch.as_tensor(np.flatnonzero(friction == value), device=env.device)
            ends = (float(value), float(value))
            term.func(env, ids, **{**term.params, "static_friction_range": ends, "dynamic_friction_range": ends})
    if delay is not None:
        env.action_manager.get_term(ACTION_TERM).hold_delay(torch.as_tensor(delay))


def place(env: Any, levels: np.ndarray, columns: np.ndarray) -> None:
    """Choose the terrain's row and column for each robot of a task, shape ``[R]`` each, from the next reset on."""
    terrain = env.scene.terrain
    terrain.terrain_levels[:] = torch.as_tensor(levels)
    terrain.terrain_types[:] = torch.as_tensor(columns)
    terrain.env_origins[:] = terrain.terrain_origins[terrain.terrain_levels, terrain.terrain_types]
