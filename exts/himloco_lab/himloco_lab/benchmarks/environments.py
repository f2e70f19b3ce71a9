# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The environments that are measured: the tasks, and variants with one thing done as Isaac Lab does it."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from isaaclab.actuators import IdealPDActuatorCfg, ImplicitActuatorCfg
from isaaclab.app import launch_simulation
from isaaclab.envs import ManagerBasedRLEnv, mdp
from isaaclab.managers import SceneEntityCfg
from isaaclab.sensors import RayCasterCfg, patterns

from himloco_lab.assets.g1 import G1_LEG_JOINTS, G1_UPPER_JOINTS
from himloco_lab.compat import prepare_process
from himloco_lab.tasks.locomotion.config.g1.flat_env_cfg import G1FlatEnvCfg
from himloco_lab.tasks.locomotion.config.g1.rough_env_cfg import BASE, G1RoughEnvCfg

from .stock_g1 import stock_rough_cfg


def _rough() -> Any:
    """Himloco-G1-Rough-v0."""
    return G1RoughEnvCfg()


def _flat() -> Any:
    """Himloco-G1-Flat-v0."""
    return G1FlatEnvCfg()


def _engine_drives() -> Any:
    """Move the upper body by the engine's own joint drives, as HOMIE does."""
    cfg: Any = G1RoughEnvCfg()
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


def _newton_actuators() -> Any:
    """Compute the PD law by Newton's Warp kernels."""
    cfg = G1RoughEnvCfg()
    cfg.sim.use_newton_actuators = True
    return cfg


def _ray_caster() -> Any:
    """Scan the terrain by 187 rays a robot."""
    cfg: Any = G1RoughEnvCfg()
    cfg.scene.height_scanner = RayCasterCfg(
        prim_path=f"{{ENV_REGEX_NS}}/Robot/{BASE}",
        update_period=cfg.decimation * cfg.sim.dt,
        offset=RayCasterCfg.OffsetCfg(pos=(0.0, 0.0, 20.0)),
        ray_alignment="yaw",
        pattern_cfg=patterns.GridPatternCfg(resolution=0.1, size=(1.6, 1.0)),
        mesh_prim_paths=["/World/ground"],
        global_world_only=True,
    )
    cfg.observations.critic.height_scan.func = mdp.height_scan
    cfg.observations.critic.height_scan.params = {"sensor_cfg": SceneEntityCfg("height_scanner")}
    return cfg


CONFIGS: dict[str, Callable[[], Any]] = {
    "rough": _rough,
    "flat": _flat,
    "stock": stock_rough_cfg,
    "engine drives": _engine_drives,
    "newton actuators": _newton_actuators,
    "ray caster": _ray_caster,
}
"""Configurations by the name of their case."""


@contextlib.contextmanager
def open_environment(name: str, num_envs: int, seed: int) -> Iterator[ManagerBasedRLEnv]:
    """Build one of :data:`CONFIGS` in ``ovphysx`` on the CPU.

    Args:
        name: Which one.
        num_envs: Number of robots.
        seed: Seed of everything random.
    """
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
