# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module has no types)

"""A film of a robot in Isaac Lab, drawn by MuJoCo: Isaac Lab's own pictures need Isaac Sim or a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
import torch

from himloco_lab.deployment.video import Film, write_table
from himloco_lab.robots.description import find_description
from himloco_lab.robots.height_field import HeightField
from himloco_lab.robots.mjcf_builder import GROUND, make_spec, replace_ground

if TYPE_CHECKING:
    from himloco_lab.terrains.height_map import HeightMapTerrainImporter

AIM = 0.75
"""Greatest height above the ground that the camera looks at [m], or that of a smaller robot; the robot squats in the
picture, which does not go along."""
SMOOTH = 0.1
"""Share of a step of the ground by which the camera follows in a picture."""
SCENE = 3.0
"""Size of the scene [m], by which MuJoCo chooses where shadows fall and what is too near and too far to be seen."""
LIGHT = 4.0
"""Distance of the light from where the camera looks [m]."""
SHADOW = 1024
"""Edge of the shadows' map, in pixels: MuJoCo's 4096 takes as long as the rest of a picture on a CPU."""
JUMP = 0.5
"""Distance between two pictures from which a robot did not walk, but was put there [m]."""
REACH = 6
"""Distance from the middle of the piece of ground that is drawn to its edges [m]."""
CELL = 0.05
"""Spacing of the heights that are drawn [m], that of the terrain's own samples."""
SLACK = 2.0
"""Distance from the middle at which the piece moves on with the robot [m]."""


def place(model: mujoco.MjModel, data: mujoco.MjData, root_pose: np.ndarray, joints: Mapping[str, float]) -> None:
    """Put a robot where Isaac Lab has it, and compute where that puts its bodies.

    Args:
        model: From :func:`~himloco_lab.robots.mjcf_builder.make_spec`.
        data: Its state, changed.
        root_pose: Position [m] and quaternion in Isaac Lab's order (x, y, z, w), shape ``[7]``.
        joints: Name -> position [rad]; a :class:`KeyError` names one that the model does not have.
    """
    data.qpos[:3] = root_pose[:3]
    data.qpos[3:7] = root_pose[[6, 3, 4, 5]]  # MuJoCo begins with w
    for name, position in joints.items():
        data.qpos[model.joint(name).qposadr[0]] = position
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)  # lights are placed relative to it
    mujoco.mj_camlight(model, data)


class EnvFilm:
    """Films the first robot of a task, with what it is asked for and what it does."""

    def __init__(self, env: Any, path: Path) -> None:
        """Build what is drawn of a task (unwrapped); the folder of *path* exists."""
        self._env = env
        self._robot = env.scene["robot"]
        self._ground = GroundWindow(env.scene.terrain)
        description = find_description(str(env.cfg.scene.robot.spawn.robot))
        spec = make_spec(description, timestep=env.physics_dt, terrain=self._ground.field())
        spec.stat.extent = SCENE
        spec.visual.quality.shadowsize = SHADOW
        self.model: mujoco.MjModel = spec.compile()
        self.data = mujoco.MjData(self.model)
        if env.scene.terrain.level is not None:
            self.model.geom(GROUND).pos[2] = env.scene.terrain.level
        self._film = Film(self.model, path, env.step_dt)
        self._film.camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        self._above = min(AIM, float(env.cfg.scene.robot.init_state.pos[2]))
        self._aim = np.full(3, np.inf)
        self._steps = 0

    def step(self, axes: Sequence[str], command: Sequence[float], measured: Sequence[float]) -> None:
        """Draw a picture if one is due; call it after every policy step.

        Args:
            axes: What the numbers are, with units.
            command: What the robot is asked for.
            measured: What it does.
        """
        self._steps += 1
        if not self._film.is_due():
            return
        self._take_pose()
        rows = (
            (f"{self._steps * self._env.step_dt:.2f} s", *axes),
            ("command", *(f"{value:z.2f}" for value in command)),
            ("measured", *(f"{value:z.2f}" for value in measured)),
        )
        self._film.add(self.data, lambda picture: write_table(picture, rows))

    def close(self) -> int:
        """Finish the file; return how many pictures it holds."""
        return self._film.close()

    def _take_pose(self) -> None:
        """Bring robot, ground and camera to where the robot is."""
        found = self._robot.data
        pose = found.root_pose_w.torch[0].cpu().numpy().astype(float)
        if self._ground.follow(pose[:3], self.model):
            mujoco.mjr_uploadHField(self.model, self._film.renderer._mjr_context, self.model.hfield(GROUND).id)
        aim = np.array([pose[0], pose[1], self._ground.height_at(pose[:3]) + self._above])
        if np.linalg.norm(aim[:2] - self._aim[:2]) < JUMP:
            aim[2] = self._aim[2] + SMOOTH * (aim[2] - self._aim[2])
        self._film.camera.lookat[:] = self._aim = aim
        # shadows are drawn near the light's axis only, and freckled where that is far
        self.model.light_pos[0] = aim - LIGHT * self.model.light_dir[0]
        joints = dict(zip(self._robot.joint_names, found.joint_pos.torch[0].tolist(), strict=True))
        place(self.model, self.data, pose, joints)


class GroundWindow:
    """Ground that goes along with a robot: all of a terrain, 160 m long, would be millions of triangles."""

    def __init__(self, terrain: HeightMapTerrainImporter) -> None:
        """Look around the origin of a terrain."""
        self._terrain = terrain
        axis = torch.arange(-REACH, REACH + 0.5 * CELL, CELL, device=terrain.device)
        self._grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)  # [X, Y, 2]
        self._middle = np.zeros(2)

    def field(self) -> HeightField | None:
        """Return the heights around the middle; None for level ground."""
        if self._terrain.level is not None:
            return None
        middle = torch.as_tensor(self._middle, dtype=torch.float, device=self._grid.device)
        return HeightField(self._terrain.height_at(self._grid + middle).cpu().numpy().astype(float), CELL)

    def height_at(self, position: np.ndarray) -> float:
        """Return the height of the ground below a position [m], shape ``[3]``."""
        point = torch.as_tensor(position[None, :2], dtype=torch.float, device=self._grid.device)
        return float(self._terrain.height_at(point)[0])

    def follow(self, position: np.ndarray, model: mujoco.MjModel) -> bool:
        """Move the ground of a *model* on if the robot comes near its edge, and return whether that was so.

        *position* is the robot's [m], shape ``[3]``.
        """
        if self._terrain.level is not None or np.abs(position[:2] - self._middle).max() <= SLACK:
            return False
        self._middle = np.round(position[:2])  # at whole meters the pattern on the ground stays where it is
        field = self.field()
        assert field is not None
        replace_ground(model, field)
        model.geom(GROUND).pos[:2] = self._middle
        return True
