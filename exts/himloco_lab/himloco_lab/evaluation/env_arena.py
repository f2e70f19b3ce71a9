# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Robots of an Isaac Lab task, for the suites."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils.math import euler_xyz_from_quat, quat_apply, yaw_quat

from himloco_lab.playing.policies import COMMAND_TERM
from himloco_lab.robots.description import find_description
from himloco_lab.robots.policy_layout import FALL_TILT
from himloco_lab.robots.urdf import load_model

from .arena import Array, Push, State

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


class EnvArena:
    """An :class:`.arena.Arena` in whatever engine the task was built with."""

    def __init__(self, vec_env: RslRlVecEnvWrapper, policy: EnvPolicy, estimate: Estimate | None = None) -> None:
        """Find what is asked for.

        Args:
            vec_env: The task, its configuration made by :func:`.conditions.make_nominal`.
            policy: What acts.
            estimate: Tells the policy's estimate of the velocity, if it has one.
        """
        self._vec_env, self._policy, self._estimate = vec_env, policy, estimate
        self._env: Any = vec_env.unwrapped
        self._robot = self._env.scene["robot"]
        self._gait = cast("GaitCommand", self._env.command_manager.get_term(COMMAND_TERM))
        has_arms = ARMS_TERM in self._env.command_manager.active_terms
        self._arms = cast("UpperBodyCommand", self._env.command_manager.get_term(ARMS_TERM)) if has_arms else None
        feet = self._gait.cfg.foot_body_names
        self._feet = SceneEntityCfg("robot", body_names=feet, preserve_order=True)
        self._soles = SceneEntityCfg(SENSOR, body_names=feet, preserve_order=True)
        self._feet.resolve(self._env.scene)
        self._soles.resolve(self._env.scene)
        model = load_model(find_description(self._env.cfg.scene.robot.spawn.robot))
        self.links = (model.root, *(joint.child for joint in model.joints.values()))
        found = self._robot.find_bodies(list(self.links), preserve_order=True)[0]
        self._link_ids = torch.tensor(found, device=self._env.device)
        self.num_robots, self.dt = int(self._env.num_envs), float(self._env.step_dt)
        self.mass = float(self._robot.data.body_mass.torch.sum(dim=1).mean())
        self.arms = tuple(self._arms.joint_names) if self._arms else ()
        self.arm_default, self.arm_limits = np.zeros(0), np.zeros((0, 2))
        if self._arms:
            self.arm_default = self._arms.default[0].cpu().numpy()
            self.arm_limits = torch.stack(self._arms.limits, dim=-1)[0].cpu().numpy()
        self._action = cast("DelayedJointPositionAction", self._env.action_manager.get_term(ACTION_TERM))
        self._is_pushing = False
        self._fallen = torch.zeros(self.num_robots, dtype=torch.bool, device=self._env.device)

    @property
    def env(self) -> Any:
        """The task, unwrapped."""
        return self._env

    def reset(self, seed: int) -> None:
        """Stand all robots up."""
        with torch.inference_mode():
            self._action.hold_delay(0)
            self._env.seed(seed)
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
        if push is None:
            if self._is_pushing:
                composer.reset()
            self._is_pushing = False
            return
        self._is_pushing = True
        device = self._env.device
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
        force = self._env.scene[SENSOR].data.net_normal_forces_w.torch[:, self._soles.body_ids, 2]
        speed = data.body_link_lin_vel_w.torch[:, self._feet.body_ids, :2].norm(dim=-1)
        values = {
            "velocity": torch.cat([data.root_lin_vel_b.torch[:, :2], data.root_ang_vel_b.torch[:, 2:]], dim=1),
            "height": self._gait.base_height(),
            "pose": torch.stack([cos * dx + sin * dy, cos * dy - sin * dx, turned], dim=-1),
            "fallen": self._fallen,
            "power": (effort * data.joint_vel.torch).abs().sum(dim=1),
            "joint_vel": data.joint_vel.torch,
            "contacts": force > LOADED,
            "foot_speed": speed,
            "actions": actions,
            "estimate": estimate,
        }
        return State(**{name: value.cpu().numpy().copy() for name, value in values.items()})
