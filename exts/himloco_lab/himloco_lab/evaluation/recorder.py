# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Records robots of an Isaac Lab task under given commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from isaaclab.managers import SceneEntityCfg

from himloco_lab.playing.policies import COMMAND_TERM

from .commands import Command
from .metrics import Recording

if TYPE_CHECKING:
    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper

    from himloco_lab.playing.policies import EnvPolicy
    from himloco_lab.tasks.locomotion.mdp.commands.gait_command import GaitCommand

STANDING = 2.0
"""Seconds for which the robots stand before the command steps."""
LOADED = 1.0
"""Normal force from which a foot carries load [N]; the threshold of the reward ``feet_slip``."""
SENSOR = "contact_forces"
"""Name of the contact sensor in all tasks."""


class EnvRecorder:
    """Robots of one environment, each under a command of its own."""

    def __init__(self, vec_env: RslRlVecEnvWrapper, commands: Sequence[Command], rest: Command) -> None:
        """Find what is recorded.

        Args:
            vec_env: The task; as many robots as commands, or a multiple.
            commands: What the robots are asked for; robot i gets command i modulo their number.
            rest: What they are asked for at first.
        """
        self._vec_env, self._rest = vec_env, rest
        self._env: Any = vec_env.unwrapped
        self._gait = cast("GaitCommand", self._env.command_manager.get_term(COMMAND_TERM))
        self._commands = np.array([commands[index % len(commands)] for index in range(self._env.num_envs)])
        feet = self._gait.cfg.foot_body_names
        self._feet = SceneEntityCfg("robot", body_names=feet, preserve_order=True)
        self._soles = SceneEntityCfg(SENSOR, body_names=feet, preserve_order=True)
        self._feet.resolve(self._env.scene)
        self._soles.resolve(self._env.scene)

    def record(
        self, policy: EnvPolicy, seconds: float, seed: int, on_step: Callable[[], None] | None = None
    ) -> Recording:
        """Let *policy* act from a reset on.

        Args:
            policy: What acts.
            seconds: Time under the command [s].
            seed: The same seed starts the same robots in the same way.
            on_step: Called after every step, for a progress bar.
        """
        dt = self._env.step_dt
        start, end = round(STANDING / dt), round((STANDING + seconds) / dt)
        kept: dict[str, list[np.ndarray]] = {name: [] for name in ("measured", "alive", "power", "slip", "actions")}
        alive = torch.ones(self._env.num_envs, dtype=torch.bool, device=self._env.device)
        with torch.inference_mode():
            self._env.seed(seed)
            torch.manual_seed(seed)
            self._gait.hold(self._rest)
            observations, _ = self._vec_env.reset()
            for step in range(end):
                if step == start:
                    self._gait.hold(torch.as_tensor(self._commands))
                actions = policy(observations)
                observations, _, dones, _ = self._vec_env.step(actions)
                alive &= ~dones.to(alive.device).bool()
                for name, values in {**self._state(), "alive": alive, "actions": actions}.items():
                    kept[name].append(values.cpu().numpy().copy())
                if on_step is not None:
                    on_step()
        series = {name: np.stack(values) for name, values in kept.items()}
        mass = float(self._env.scene["robot"].data.body_mass.torch.sum(dim=1).mean())
        rest = np.array(self._rest)
        return Recording(dt=dt, start=start, mass=mass, command=self._commands, rest=rest, **series)

    def _state(self) -> dict[str, torch.Tensor]:
        """What one step leaves behind; of a robot that has just been reset it means nothing."""
        robot = self._env.scene["robot"]
        data, effort = robot.data, robot.actuators.applied_effort.torch
        velocity, turn = data.root_lin_vel_b.torch[:, :2], data.root_ang_vel_b.torch[:, 2:]
        force = self._env.scene[SENSOR].data.net_normal_forces_w.torch[:, self._soles.body_ids, 2]
        speed = data.body_lin_vel_w.torch[:, self._feet.body_ids, :2].norm(dim=-1)
        loaded = force > LOADED
        slip = (speed * loaded).sum(dim=1) / loaded.sum(dim=1)  # NaN in flight
        return {
            "measured": torch.cat([velocity, turn, self._gait.base_height().unsqueeze(1)], dim=1),
            "power": (effort * data.joint_vel.torch).abs().sum(dim=1),
            "slip": slip,
        }
