# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module tells a type checker nothing about itself)

"""A simulated robot in the browser, with its remote control and its gantry."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import mujoco
import viser

from .simulated import SimulatedRobot

_PERIOD = 1.0 / 30.0
"""Time between two pictures [s]."""
_PRESS_TIME = 0.15
"""How long a button of the page holds the remote control's [s]."""


class Viewer:
    """A page on this computer alone."""

    def __init__(self, robot: SimulatedRobot, port: int) -> None:
        """Open the page.

        Args:
            robot: The robot, built with its meshes.
            port: The page's port on 127.0.0.1.
        """
        self._robot = robot
        self._server = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
        self._server.scene.add_grid("/ground", width=20.0, height=20.0)
        self._bodies = self._add_bodies()
        self._drawn = self._pressed = 0.0
        self._add_remote()

    def _add_bodies(self) -> dict[int, viser.FrameHandle]:
        model, scene = self._robot.model, self._server.scene
        frames: dict[int, viser.FrameHandle] = {}
        for geom in range(model.ngeom):
            mesh, body = int(model.geom_dataid[geom]), int(model.geom_bodyid[geom])
            if model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_MESH or mesh < 0:
                continue
            name = model.body(body).name
            if body not in frames:
                frames[body] = scene.add_frame(f"/{name}", show_axes=False)
            vertices = slice(model.mesh_vertadr[mesh], model.mesh_vertadr[mesh] + model.mesh_vertnum[mesh])
            faces = slice(model.mesh_faceadr[mesh], model.mesh_faceadr[mesh] + model.mesh_facenum[mesh])
            scene.add_mesh_simple(
                f"/{name}/{geom}",
                model.mesh_vert[vertices],
                model.mesh_face[faces],
                color=model.geom_rgba[geom][:3],
                wxyz=model.geom_quat[geom],
                position=model.geom_pos[geom],
            )
        return frames

    def _add_remote(self) -> None:
        gui, robot = self._server.gui, self._robot

        def button(label: str, action: Callable[[], None]) -> None:
            gui.add_button(label).on_click(lambda _: action())

        with gui.add_folder("Remote control"):
            for name in ("start", "A", "select", "up", "down"):
                button(name, lambda name=name: self._press(name))
            for name, label in (("ly", "forward"), ("lx", "right"), ("rx", "turn right")):
                slider = gui.add_slider(label, min=-1.0, max=1.0, step=0.05, initial_value=0.0)
                slider.on_update(
                    lambda event, name=name: setattr(
                        robot, "remote", dataclasses.replace(robot.remote, **{name: float(event.target.value)})
                    )
                )
        with gui.add_folder("Gantry"):
            for action in (robot.lower, robot.lift, robot.release):
                button(action.__name__, action)
            button("push", lambda: robot.push((250.0, 0.0, 0.0), 0.1))

    def _press(self, name: str) -> None:
        self._robot.remote = dataclasses.replace(self._robot.remote, buttons=frozenset({name}))
        self._pressed = time.monotonic()

    def show(self) -> None:
        """Draw the robot if it is time, and let a button go."""
        now = time.monotonic()
        if self._pressed and now - self._pressed > _PRESS_TIME:
            self._pressed = 0.0
            self._robot.remote = dataclasses.replace(self._robot.remote, buttons=frozenset())
        if now - self._drawn < _PERIOD:
            return
        self._drawn = now
        data = self._robot.data
        with self._server.atomic():
            for body, frame in self._bodies.items():
                frame.position, frame.wxyz = data.xpos[body], data.xquat[body]
