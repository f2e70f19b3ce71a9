# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The environments that are measured: the tasks, and variants with one thing done as Isaac Lab does it."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from isaaclab.app import launch_simulation
from isaaclab.envs import ManagerBasedRLEnv, mdp
from isaaclab.managers import SceneEntityCfg
from isaaclab.sensors import RayCasterCfg, patterns

from himloco_lab.compat import prepare_process
from himloco_lab.robots.description import find_description
from himloco_lab.robots.policy_layout import SCAN_RESOLUTION, SCAN_SIZE
from himloco_lab.robots.urdf import load_model
from himloco_lab.tasks import load_config

from . import subject


def _rough() -> Any:
    """The rough task as it is."""
    return load_config(subject.ROUGH)


def _flat() -> Any:
    """The flat task as it is."""
    return load_config(subject.FLAT)


def _newton_actuators() -> Any:
    """Compute the PD law by Newton's Warp kernels."""
    cfg = _rough()
    cfg.sim.use_newton_actuators = True
    return cfg


def _ray_caster() -> Any:
    """Scan the terrain by 187 rays a robot."""
    cfg = _rough()
    cfg.scene.height_scanner = RayCasterCfg(
        prim_path=f"{{ENV_REGEX_NS}}/Robot/{load_model(find_description(subject.ROBOT)).root}",
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


CONFIGS: dict[str, Callable[[], Any]] = {
    "rough": _rough,
    "flat": _flat,
    "newton actuators": _newton_actuators,
    "ray caster": _ray_caster,
}
"""Configurations by the name of their case; the robot's own variants come beside them."""


@contextlib.contextmanager
def open_environment(name: str, num_envs: int, seed: int) -> Iterator[ManagerBasedRLEnv]:
    """Build one of :data:`CONFIGS` in ``ovphysx`` on the CPU.

    Args:
        name: Which one, or which of the robot's own variants.
        num_envs: Number of robots.
        seed: Seed of everything random.
    """
    prepare_process()
    cfg = (CONFIGS | subject.VARIANTS)[name]()
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
