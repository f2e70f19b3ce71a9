# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Playing: a policy acts, a person steers, the viewer shows what comes of it."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch

from .policies import COMMAND_TERM
from .steering import KEY_HELP, Steering, WindowKeys, gait_axes, press, terminal_keys
from .viewer import PlayViewer

if TYPE_CHECKING:
    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper

    from himloco_lab.tasks.velocity.mdp.commands.gait_command import GaitCommand

    from .film import EnvFilm
    from .policies import EnvPolicy

PUSH = 1.0
"""Change of velocity of a push, in a random direction [m/s]; twice what the task's own pushes reach at most."""


class PlaySession:
    """One sitting with a policy."""

    def __init__(
        self,
        vec_env: RslRlVecEnvWrapper,
        policy: EnvPolicy,
        ranges: Any,
        command: Sequence[float] | None = None,
        film: EnvFilm | None = None,
        has_window: bool = False,
    ) -> None:
        """Connect environment, policy, viewer, film and keyboard.

        Args:
            vec_env: The task.
            policy: What acts in it.
            ranges: What the task draws commands from, :class:`GaitCommandCfg.Ranges`.
            command: vx, vy [m/s], yaw rate [rad/s], base height [m] to begin with. None commands standing where there
                is something to steer with, a viewer or a terminal, and otherwise leaves it to the task.
            film: Takes what happens; closed by whoever opened it.
            has_window: Whether Isaac Sim's window is open and takes keys.
        """
        self._vec_env, self._policy = vec_env, policy
        self._env: Any = vec_env.unwrapped
        self._gait = cast("GaitCommand", self._env.command_manager.get_term(COMMAND_TERM))
        axes = gait_axes(ranges.lin_vel_x, ranges.lin_vel_y, ranges.ang_vel_z, list(ranges.height))
        self.steering = Steering(axes)
        self._viewers = [viewer for viewer in self._env.sim.visualizers if isinstance(viewer, PlayViewer)]
        for index, value in enumerate(command or ()):
            self.steering.set(index, value)
        for viewer in self._viewers:
            viewer.add_controls(self.steering)
        self._window = WindowKeys(self.steering) if has_window else None
        self._steers = command is not None or bool(self._viewers) or has_window
        self._film = film
        self._falls = 0

    def run(self, max_steps: int | None, real_time: bool) -> str:
        """Play until *max_steps* (None for no end), Ctrl-C or the last viewer closes; return in a line how it went.

        Raises:
            VideoError: If the film cannot be written.
        """
        steps, waited, start = 0, 0.0, time.perf_counter()
        with contextlib.suppress(KeyboardInterrupt), terminal_keys() as keys, torch.inference_mode():
            if keys is not None and self._steers:
                print(f"[INFO] Keys in this terminal: {KEY_HELP}")
            observations = self._vec_env.get_observations()
            due = time.perf_counter()
            while self._env.sim.is_running() and (max_steps is None or steps < max_steps):
                self._steer(keys)
                observations, _, dones, extras = self._vec_env.step(self._policy(observations))
                self._falls += int((dones.bool() & ~extras["time_outs"].bool()).sum())
                self._show()
                steps += 1
                due = max(due + self._env.step_dt, time.perf_counter() - 0.1)  # a slow machine does not catch up
                if real_time:
                    asleep = time.perf_counter()
                    time.sleep(max(due - asleep, 0.0))
                    waited += time.perf_counter() - asleep
        seconds = time.perf_counter() - start - max((viewer.paused for viewer in self._viewers), default=0.0)
        simulated = steps * self._env.step_dt
        speed = f"{simulated / max(seconds, 1e-9):.2f} x real time"
        if real_time:
            speed += f" ({simulated / max(seconds - waited, 1e-9):.2f} without waiting)"
        return f"[INFO] {steps} steps of {self._env.num_envs} robot(s), {speed}, {self._falls} falls"

    def _steer(self, keys: Callable[[], list[str]] | None) -> None:
        """Carry out what the person wants."""
        if not self._steers:
            return
        for key in keys() if keys else ():
            press(self.steering, key)
        if self._window is not None:
            self._window.read()
        self._gait.hold(self.steering.command)
        actions = {"push": self._push, "reset": self._env.sim.request_reset, "terrain": self._next_terrain}
        with contextlib.suppress(queue.Empty):
            while True:
                actions[self.steering.requests.get_nowait()]()

    def _push(self) -> None:
        """Change every robot's velocity at once, in a random horizontal direction."""
        robot = self._env.scene["robot"]
        velocity = robot.data.root_vel_w.torch.clone()
        angle = 2.0 * torch.pi * torch.rand(len(velocity), device=velocity.device)
        velocity[:, 0] += PUSH * angle.cos()
        velocity[:, 1] += PUSH * angle.sin()
        robot.write_root_velocity_to_sim_index(root_velocity=velocity)

    def _next_terrain(self) -> None:
        """Move on to the next kind of ground, if there are several, and start a new episode there."""
        terrain = self._env.scene.terrain
        if terrain.terrain_origins is not None:
            terrain.terrain_types[:] = (terrain.terrain_types + 1) % terrain.terrain_origins.shape[1]
            terrain.env_origins[:] = terrain.terrain_origins[terrain.terrain_levels, terrain.terrain_types]
        self._env.sim.request_reset()

    def _show(self) -> None:
        """Show the first robot to the viewers and the film."""
        if not self._viewers and self._film is None:
            return
        data = self._env.scene["robot"].data
        position = data.root_pos_w.torch[0].tolist()
        due = [viewer for viewer in self._viewers if viewer.follow(position)]
        if not due and self._film is None:
            return
        vx, vy, _ = data.root_lin_vel_b.torch[0].tolist()
        measured = [vx, vy, float(data.root_ang_vel_b.torch[0, 2]), float(self._gait.base_height()[0])]
        for viewer in due:
            viewer.show(measured)
        if self._film is not None:
            labels = [axis.label for axis in self.steering.axes]
            self._film.step(labels, self._gait.command[0].tolist(), measured)
