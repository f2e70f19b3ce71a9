# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A robot's world as a handful of tensors, for terms to read: no simulator, every number set by the test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from isaaclab.managers import ManagerTermBase, RewardTermCfg, SceneEntityCfg
from isaaclab.utils.string import resolve_matching_names

from himloco_lab.tasks.velocity.config.g1.rewards_cfg import G1RewardsCfg

LEG_JOINTS = [
    f"{side}_{joint}_joint"
    for side in ("left", "right")
    for joint in ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
]
ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
UPPER_JOINTS = ["waist_yaw_joint", *(f"{side}_{joint}_joint" for side in ("left", "right") for joint in ARM)]
# Neither the order of the names nor that of the configuration, so that a term that ignores names fails.
JOINTS = sorted(LEG_JOINTS + UPPER_JOINTS)
BODIES = ["right_knee_link", "left_ankle_roll_link", "left_hip_yaw_link", "pelvis"]
BODIES += ["right_ankle_roll_link", "left_knee_link", "right_hip_yaw_link"]
SENSOR_BODIES = ["pelvis", "right_ankle_roll_link", "left_knee_link", "left_ankle_roll_link"]

WALK = (0.5, 0.2, -0.3, 0.74)
STAND = (0.0, 0.0, 0.0, 0.74)
SQUAT = (0.0, 0.0, 0.0, 0.5)


class Proxy:
    """Isaac Lab's array wrapper as far as a term looks at it."""

    def __init__(self, tensor: torch.Tensor):
        self.torch = tensor


class Entity(SimpleNamespace):
    """A scene entity that finds joints and bodies by name."""

    @staticmethod
    def _find(keys: Any, names: list[str], preserve_order: bool) -> tuple[list[int], list[str]]:
        return resolve_matching_names(keys, names, preserve_order)

    def find_joints(self, keys: Any, preserve_order: bool = False) -> tuple[list[int], list[str]]:
        return self._find(keys, self.joint_names, preserve_order)

    def find_bodies(self, keys: Any, preserve_order: bool = False) -> tuple[list[int], list[str]]:
        return self._find(keys, self.body_names, preserve_order)


class Scene(dict):
    """Entities by name, and the ground."""

    ground: Any = 0.0

    @property
    def terrain(self) -> SimpleNamespace:
        return SimpleNamespace(height_at=self._height_at)

    def _height_at(self, points: torch.Tensor) -> Any:
        ground: Any = self.ground
        return ground(points) if callable(ground) else torch.full(points.shape[:-1], float(ground))


class World:
    """A stand-in environment: two environments, all quantities zero, upright, command WALK."""

    num_envs = 2
    device = "cpu"
    step_dt = 0.02

    def __init__(self) -> None:
        self.common_step_counter = 1
        self.command = torch.tensor([WALK, WALK])
        self.command_manager = SimpleNamespace(get_command=self._get_command)
        n, j, b = self.num_envs, len(JOINTS), len(BODIES)
        self.joint_pos = torch.zeros(n, j)
        self.joint_vel = torch.zeros(n, j)
        self.effort = torch.zeros(n, j)
        self.target = torch.zeros(n, j)
        self.default_joint_pos = torch.zeros(n, j)
        self.limits = torch.tensor([-1.0, 1.0]).repeat(n, j, 1)
        self.soft_limits = torch.tensor([-0.9, 0.9]).repeat(n, j, 1)
        self.root_pos = torch.zeros(n, 3)
        self.root_quat = torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(n, 1)
        self.lin_vel_b = torch.zeros(n, 3)
        self.lin_vel_w = torch.zeros(n, 3)
        self.ang_vel_b = torch.zeros(n, 3)
        self.gravity_b = torch.tensor([0.0, 0.0, -1.0]).repeat(n, 1)
        self.body_pos = torch.zeros(n, b, 3)
        self.body_vel = torch.zeros(n, b, 3)
        self.body_quat = torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(n, b, 1)
        self.forces = torch.zeros(n, len(SENSOR_BODIES), 3)
        self.action = torch.zeros(n, 12)
        self.prev_action = torch.zeros(n, 12)
        self.scene = Scene(robot=self._robot(), contact_forces=self._sensor())
        self.action_manager = self._action_manager()

    def _get_command(self, name: str) -> torch.Tensor:
        assert name == "base_velocity"
        return self.command

    def _robot(self) -> Entity:
        data = SimpleNamespace(
            joint_pos=Proxy(self.joint_pos),
            joint_vel=Proxy(self.joint_vel),
            default_joint_pos=Proxy(self.default_joint_pos),
            joint_pos_limits=Proxy(self.limits),
            soft_joint_pos_limits=Proxy(self.soft_limits),
            root_pos_w=Proxy(self.root_pos),
            root_quat_w=Proxy(self.root_quat),
            root_lin_vel_b=Proxy(self.lin_vel_b),
            root_lin_vel_w=Proxy(self.lin_vel_w),
            root_ang_vel_b=Proxy(self.ang_vel_b),
            projected_gravity_b=Proxy(self.gravity_b),
            body_pos_w=Proxy(self.body_pos),
            body_quat_w=Proxy(self.body_quat),
            body_lin_vel_w=Proxy(self.body_vel),
        )
        legs = SimpleNamespace(
            joint_names_expr=[".*_hip_.*", ".*_knee_.*", ".*_ankle_.*"],
            stiffness={".*_hip_.*": 100.0, ".*_knee_.*": 150.0, ".*_ankle_.*": 40.0},
            actuator_effort_limit={".*_hip_.*": 88.0, ".*_knee_.*": 139.0, ".*_ankle_.*": 35.0},
            actuator_velocity_limit=20.0,
        )
        return Entity(
            joint_names=JOINTS,
            num_joints=len(JOINTS),
            body_names=BODIES,
            num_bodies=len(BODIES),
            data=data,
            cfg=SimpleNamespace(actuators={"legs": legs}),
            actuators=SimpleNamespace(
                applied_effort=Proxy(self.effort), target_command=SimpleNamespace(position=Proxy(self.target))
            ),
        )

    def _sensor(self) -> Entity:
        return Entity(
            body_names=SENSOR_BODIES,
            num_bodies=len(SENSOR_BODIES),
            data=SimpleNamespace(net_normal_forces_w=Proxy(self.forces)),
        )

    def _action_manager(self) -> Any:
        world = self
        term_cfg = SimpleNamespace(asset_name="robot", joint_names=LEG_JOINTS, preserve_order=True, scale=0.25)

        class Actions:
            @property
            def action(self) -> torch.Tensor:
                return world.action

            @property
            def prev_action(self) -> torch.Tensor:
                return world.prev_action

            def get_term(self, name: str) -> SimpleNamespace:
                assert name == "joint_pos"
                return SimpleNamespace(cfg=term_cfg, raw_actions=world.action)

        return Actions()

    # -- what a test sets

    def set_command(self, first: tuple[float, ...], second: tuple[float, ...]) -> None:
        self.command = torch.tensor([first, second])

    def joint(self, tensor: torch.Tensor, name: str, first: float, second: float = 0.0) -> None:
        tensor[:, JOINTS.index(name)] = torch.tensor([first, second])

    def body(self, tensor: torch.Tensor, name: str, *values: float) -> None:
        tensor[:, BODIES.index(name)] = torch.tensor(values)

    def force(self, side: str, *values: float, env: int | None = None) -> None:
        envs = slice(None) if env is None else env
        self.forces[envs, SENSOR_BODIES.index(f"{side}_ankle_roll_link")] = torch.tensor(values)

    def act(self, action: torch.Tensor) -> None:
        self.prev_action, self.action = self.action, action

    def step(self) -> None:
        self.common_step_counter += 1


class Term:
    """A term of G1RewardsCfg, prepared and called as the reward manager does it."""

    def __init__(self, world: World, name: str):
        cfg: RewardTermCfg = getattr(G1RewardsCfg(), name)
        for value in cfg.params.values():
            if isinstance(value, SceneEntityCfg):
                value.resolve(world.scene)  # type: ignore[arg-type]
        self.world, self.cfg, self.func = world, cfg, cfg.func
        if isinstance(cfg.func, type) and issubclass(cfg.func, ManagerTermBase):
            self.func = cfg.func(cfg, world)  # type: ignore[arg-type]
        for value in cfg.params.values():
            if isinstance(value, SceneEntityCfg):
                value.finalize("cpu")

    def __call__(self) -> list[float]:
        value = self.func(self.world, **self.cfg.params)
        assert value is not None
        assert value.shape == (self.world.num_envs,)
        return value.tolist()

    def reset(self, env_ids: Any) -> None:
        self.func.reset(env_ids=env_ids)


def near(*values: float) -> Any:
    return pytest.approx(list(values), rel=1e-5, abs=1e-6)
