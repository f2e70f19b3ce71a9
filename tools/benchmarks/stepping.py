# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Rates of an environment under random actions, of its physics alone, and where the time of a step goes."""

from __future__ import annotations

import argparse
import contextlib
import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from isaaclab.actuators import IdealPDActuatorCfg, ImplicitActuatorCfg
from isaaclab.app import launch_simulation
from isaaclab.envs import ManagerBasedRLEnv, mdp
from isaaclab.managers import SceneEntityCfg
from isaaclab.sensors import RayCasterCfg, patterns
from isaaclab.utils import replace

from himloco_lab.compat import prepare_process
from himloco_lab.robots.g1 import G1_CFG, G1_DESCRIPTION, G1_LEG_JOINTS, G1_UPPER_JOINTS
from himloco_lab.robots.policy_layout import SCAN_RESOLUTION, SCAN_SIZE
from himloco_lab.robots.urdf import load_model
from himloco_lab.tasks import load_config

from . import FLAT, ROUGH

ACTION_STD = 0.6
"""Standard deviation of the random actions: what an untrained policy draws."""
BLOCK = 10
"""Environment steps between two looks at physics alone."""
PHYSICS_BLOCK = 4
"""Steps' worth of physics alone in each look: 0.08 s, in which a robot without control does not get far."""


def _newton_actuators() -> Any:
    """Rough, with the PD law computed by Newton's Warp kernels."""
    cfg = load_config(ROUGH)
    cfg.sim.use_newton_actuators = True
    return cfg


def _ray_caster() -> Any:
    """Rough, with the terrain scanned by 187 rays a robot."""
    cfg = load_config(ROUGH)
    cfg.scene.height_scanner = RayCasterCfg(
        prim_path=f"{{ENV_REGEX_NS}}/Robot/{load_model(G1_DESCRIPTION).root}",
        update_period=cfg.decimation * cfg.sim.dt,
        offset=RayCasterCfg.OffsetCfg(pos=(0.0, 0.0, 20.0)),
        ray_alignment="yaw",
        pattern_cfg=patterns.GridPatternCfg(resolution=SCAN_RESOLUTION, size=SCAN_SIZE),
        mesh_prim_paths=["/World/ground"],
        global_world_only=True,
    )
    cfg.observations.critic.height_scan.func = mdp.height_scan
    cfg.observations.critic.height_scan.params = {"sensor_cfg": SceneEntityCfg("height_scanner")}
    return cfg


def _engine_drives() -> Any:
    """Move the upper body by the engine's own joint drives, as HOMIE does."""
    cfg = load_config(ROUGH)
    motors = cfg.scene.robot.actuators["explicit"]
    values = (
        "stiffness",
        "damping",
        "armature",
        "joint_effort_limit",
        "actuator_velocity_limit",
        "joint_velocity_limit",
    )

    def only(joints: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Any]:
        return {name: {joint: getattr(motors, name)[joint] for joint in joints} for name in names}

    cfg.scene.robot.actuators = {
        "explicit": IdealPDActuatorCfg(
            joint_names_expr=list(G1_LEG_JOINTS), **only(G1_LEG_JOINTS, (*values, "actuator_effort_limit"))
        ),
        "implicit": ImplicitActuatorCfg(joint_names_expr=list(G1_UPPER_JOINTS), **only(G1_UPPER_JOINTS, values)),
    }
    return cfg


def _stock() -> Any:
    """Isaac Lab's own rough G1 task, to compare with; changed only where it would not run here.

    The robot is ours and so are the names of its joints; textures and arrows, which are downloads, are left out. Its
    terrain, sensors (contacts of all bodies, 187 rays), rewards and events are Isaac Lab's.
    """
    # here, as our tasks' rewards are not found where Isaac Lab's were loaded before them
    from isaaclab_tasks.core.velocity.config.g1.rough_env_cfg import G1RoughEnvCfg

    cfg: Any = G1RoughEnvCfg()
    cfg.scene.robot = replace(G1_CFG, prim_path="{ENV_REGEX_NS}/Robot")
    cfg.scene.terrain.visual_material = None
    cfg.scene.sky_light.spawn.texture_file = None
    cfg.commands.base_velocity.debug_vis = False
    for term, joints in {
        "joint_deviation_arms": [".*_shoulder_.*", ".*_elbow_joint"],
        "joint_deviation_fingers": [".*_wrist_.*"],  # as near to fingers as this robot gets
        "joint_deviation_torso": ["waist_yaw_joint"],
    }.items():
        getattr(cfg.rewards, term).params["asset_cfg"].joint_names = joints
    return cfg


CONFIGS: dict[str, Callable[[], Any]] = {
    "rough": functools.partial(load_config, ROUGH),
    "flat": functools.partial(load_config, FLAT),
    "newton actuators": _newton_actuators,
    "ray caster": _ray_caster,
    "stock": _stock,
    "engine drives": _engine_drives,
}
"""Environment configurations by the name of their case."""


@contextlib.contextmanager
def open_environment(name: str, num_envs: int, seed: int) -> Iterator[ManagerBasedRLEnv]:
    """Build the one of :data:`CONFIGS` called *name* with *num_envs* robots, in ``ovphysx`` on the CPU."""
    prepare_process()
    cfg = CONFIGS[name]()
    cfg.sim.physics = cfg.sim.physics.ovphysx
    cfg.sim.device = "cpu"
    cfg.scene.num_envs = num_envs
    cfg.seed = seed
    with launch_simulation(cfg, argparse.Namespace(headless=True, device="cpu", visualizer=None)):
        env = ManagerBasedRLEnv(cfg)
        try:
            yield env
        finally:
            env.close()


def measure_stepping(case: str, num_envs: int, warm_up: int, steps: int, parts_steps: int, seed: int) -> dict[str, Any]:
    """Step an environment with random actions.

    Blocks of environment steps and blocks of the same physics steps alone take turns, so that both see the same
    states: robots that stand, fall and lie in the proportion that random actions lead to.

    After *warm_up* environment steps, so many *steps* of a case of :data:`CONFIGS` are measured, and *parts_steps* more
    by their parts.

    Returns:
        Rates [env-steps/s], milliseconds of each part of a step [ms], share of steps that end an episode.
    """
    start = time.perf_counter()
    torch.set_num_threads(1)  # as in the rollouts of HIMOnPolicyRunner
    with open_environment(case, num_envs, seed) as env, torch.inference_mode():
        env.reset()
        env.episode_length_buf.random_(0, int(env.max_episode_length))  # as at the start of a training
        built = time.perf_counter() - start
        _step(env, warm_up)
        blocks = max(1, steps // BLOCK)
        env_s, physics_s, ended = 0.0, 0.0, 0
        for _ in range(blocks):
            seconds, resets = _step(env, BLOCK)
            env_s, ended = env_s + seconds, ended + resets
            begin = time.perf_counter()
            for _ in range(PHYSICS_BLOCK * env.cfg.decimation):
                env.sim.step(render=False)
            physics_s += time.perf_counter() - begin
        return {
            "env_steps_per_s": num_envs * blocks * BLOCK / env_s,
            "physics_steps_per_s": num_envs * blocks * PHYSICS_BLOCK / physics_s,
            "ended_share": ended / (num_envs * blocks * BLOCK),
            "parts_ms": _parts(env, parts_steps),
            "build_s": built,
        }


def _step(env: Any, count: int) -> tuple[float, int]:
    """Take random steps; returns the seconds they took and the episodes that ended."""
    ended = torch.zeros((), dtype=torch.long, device=env.device)
    start = time.perf_counter()
    for _ in range(count):
        actions = ACTION_STD * torch.randn(env.num_envs, env.action_manager.total_action_dim, device=env.device)
        _, _, terminated, truncated, _ = env.step(actions)
        ended += (terminated | truncated).sum()
    return time.perf_counter() - start, int(ended)


def _parts(env: Any, steps: int) -> dict[str, float]:
    """Milliseconds of one step by part; what no part is charged for is Isaac Lab's own loop, ``rest`` [ms]."""
    timers = PartTimers()
    for owner, method, part in (
        (env.sim, "step", "physics"),
        (env.action_manager, "process_action", "actions"),
        (env.action_manager, "apply_action", "actions"),
        (env.scene, "write_data_to_sim", "writing commands"),
        (env.scene, "update", "sensors and state"),
        (env.termination_manager, "compute", "terminations"),
        (env.reward_manager, "compute", "rewards"),
        (env, "_reset_idx", "events and resets"),
        (env.event_manager, "apply", "events and resets"),
        (env.command_manager, "compute", "commands"),
        (env.observation_manager, "compute", "observations"),
    ):
        timers.wrap(owner, method, part)
    seconds, _ = _step(env, steps)
    parts = {name: 1e3 * value / steps for name, value in timers.seconds.items()}
    return parts | {"rest": 1e3 * seconds / steps - sum(parts.values())}


class PartTimers:
    """Adds up the time of wrapped methods; a part that calls another one is not charged for it."""

    def __init__(self) -> None:
        """Start with nothing measured."""
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = 0.0  # time of the parts that the running one has called

    def wrap(self, owner: Any, method: str, part: str) -> None:
        """Charge calls of ``owner.method``, which is replaced, to a part; several methods may share one."""
        function = getattr(owner, method)

        @functools.wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            before, self._inner, start = self._inner, 0.0, time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - start
                self.seconds[part] += seconds - self._inner
                self._inner = before + seconds

        setattr(owner, method, measured)
