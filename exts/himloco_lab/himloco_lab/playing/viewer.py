# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Isaac Lab's viser viewer with sliders for the command, buttons, and what is measured beside what is commanded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from isaaclab_visualizers.viser import ViserVisualizer

from .steering import Steering

if TYPE_CHECKING:
    from .viewer_cfg import PlayViewerCfg

FRAME = 0.03
"""Least simulated time between two pictures [s]: every second policy step, 25 a second. A picture is a message for each
link and costs as much as half a step of the simulation [measured]."""
REFRESH = 0.2
"""Seconds between two updates of the measured values."""
EYE = np.array([1.6, -1.8, 0.5])
"""Where a new camera stands, seen from the robot [m]."""


class PlayViewer(ViserVisualizer):
    """The viewer of ``scripts/play.py``."""

    _steering: Steering | None = None
    _sliders: tuple[tuple[int, Any], ...] = ()
    _table: Any = None
    _follow: Any = None
    _shown_at = 0.0
    _unseen = 0.0
    paused = 0.0
    """Seconds for which the simulation was paused from the page."""

    def __init__(self, cfg: PlayViewerCfg) -> None:
        """Start with nobody looking."""
        super().__init__(cfg)
        self._seen_at: dict[int, np.ndarray] = {}

    def add_controls(self, steering: Steering) -> None:
        """Put sliders, buttons and the table of measured values into the sidebar."""
        gui = self._server.gui
        self._steering = steering
        sliders = []
        with gui.add_folder("Command", order=-2.0):
            self._table = gui.add_markdown("")
            for index, axis in enumerate(steering.axes):
                if axis.low == axis.high:
                    continue  # nothing to choose
                slider = gui.add_slider(axis.label, axis.low, axis.high, 0.01, steering.command[index])
                slider.on_update(lambda event, index=index: steering.set(index, float(event.target.value)))
                sliders.append((index, slider))
            gui.add_button("Stand").on_click(lambda _: steering.rest())
        self._sliders = tuple(sliders)
        with gui.add_folder("Robot", order=-1.0):
            for label, request in (("Push", "push"), ("Reset", "reset"), ("Next terrain", "terrain")):
                gui.add_button(label).on_click(lambda _, request=request: steering.ask(request))
            self._follow = gui.add_checkbox("Follow", initial_value=True)

    def step(self, dt: float) -> None:
        """Draw what is new, if it is time to; *dt* [s] is 0 while drawing or the simulation is paused."""
        if self.is_training_paused():  # asked again and again, by a loop that waits for nothing else
            start = time.perf_counter()
            time.sleep(FRAME)
            super().step(0.0)
            self.paused += time.perf_counter() - start
            return
        self._unseen += dt
        if dt > 0.0 and self._unseen < FRAME:
            return
        super().step(self._unseen)
        self._unseen = 0.0

    def follow(self, position: list[float]) -> bool:
        """Keep every camera on the robot's *position* [m]; return whether it is time to :meth:`show` what it does."""
        if self._steering is None or not self._server.get_clients():
            return False
        self._move_cameras(np.asarray(position))
        return time.monotonic() - self._shown_at >= REFRESH

    def show(self, measured: list[float]) -> None:
        """Show vx, vy [m/s], yaw rate [rad/s] and base height [m] beside what is commanded."""
        assert self._steering is not None, "follow() has seen it."
        self._shown_at = time.monotonic()
        rows = [
            f"| {axis.label} | {wanted:.2f} | {found:.2f} |"
            for axis, wanted, found in zip(self._steering.axes, self._steering.command, measured, strict=True)
        ]
        self._table.content = "\n".join(["| | command | measured |", "|---|---:|---:|", *rows])
        for index, slider in self._sliders:
            wanted = self._steering.command[index]
            if abs(slider.value - wanted) > 5e-3:  # the keyboard or "Stand" moved it
                slider.value = wanted

    def _move_cameras(self, position: np.ndarray) -> None:
        """Point every camera at the robot when it is new, and again 0.1 m later, to send little."""
        for key, client in self._server.get_clients().items():
            camera, seen_at = client.camera, self._seen_at.get(key)
            if seen_at is not None and np.linalg.norm((position - seen_at)[:2]) < 0.1:
                continue
            self._seen_at[key] = position
            if seen_at is None or self._follow.value:
                # Where it is to be, not how far it is to go: a slow page reports its camera late, and moving the camera
                # moves the point that it looks at as well
                offset = EYE if seen_at is None else np.asarray(camera.position) - np.asarray(camera.look_at)
                camera.position = position + offset
                camera.look_at = position

    def _apply_pending_camera_pose(self) -> None:
        """Let Isaac Lab place the first camera, which knows no robot, and then place it anew."""
        pending = self._pending_camera_pose
        super()._apply_pending_camera_pose()
        if pending is not None and self._pending_camera_pose is None:
            self._seen_at.clear()

    @property
    def _server(self) -> Any:
        """viser's server; it is there once the simulation has started."""
        return self._viewer._server  # pyright: ignore[reportOptionalMemberAccess]
