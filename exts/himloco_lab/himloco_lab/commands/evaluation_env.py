# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Measures a policy in one of Isaac Lab's engines."""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

import numpy as np
from isaaclab_rl.entrypoints.common import set_hydra_args
from rich.progress import Progress

from himloco_lab.commands.evaluation_plan import Unit
from himloco_lab.evaluation.conditions import make_nominal
from himloco_lab.runs.checkpoints import recorded_agent
from himloco_lab.runs.loading import check_policy, open_any, open_env, velocity_estimate
from himloco_lab.setup.machine import check_launch


def measure_in_env(args: argparse.Namespace, unit: Unit, bar: Progress) -> dict[str, Any]:
    """Build the task under nominal conditions, and do the job with all robots at once.

    Args:
        args: The command line.
        unit: What to measure.
        bar: Shows how far it is.

    Returns:
        What the suite found.
    """
    env_cfg, agent_cfg, job = unit.engine.env_cfg, unit.engine.agent_cfg, unit.job
    env_cfg.scene.num_envs = job.num_robots
    steps = job.num_steps(env_cfg.sim.dt * env_cfg.decimation)
    make_nominal(env_cfg, job.num_steps(1.0), job.physics_dt)
    if unit.trials or any(one.group == "terrain" for one in unit.conditions):
        from himloco_lab.evaluation.robustness import spread_terrain

        if unit.trials:  # three columns: who runs stays on its kind of ground
            spread_terrain(env_cfg, columns=3, exact=True, kinds={one.kind for one in unit.trials})
        else:
            spread_terrain(env_cfg)
    check_launch(env_cfg, args)
    set_hydra_args(list(unit.engine.overrides))

    from isaaclab.app import launch_simulation

    source = unit.source
    recorded = recorded_agent(source.path) if source.is_checkpoint and source.path else {}
    if source.is_checkpoint and source.path:
        check_policy(source.path, args.task, env_cfg, agent_cfg, recorded)
    with launch_simulation(env_cfg, args), contextlib.ExitStack() as cleanup:
        vec_env = open_env(args.task, env_cfg, agent_cfg, recorded, cleanup)
        named = source.path or source.name
        policy = open_any(vec_env, args.task, agent_cfg, named, source.is_checkpoint, args.seed, args.history)

        from himloco_lab.evaluation.env_arena import EnvArena
        from himloco_lab.evaluation.suites import result_of, run_job

        arena = EnvArena(vec_env, policy, velocity_estimate(vec_env, policy, agent_cfg))
        task = bar.add_task(unit.key, total=steps)

        def on_step() -> None:
            bar.advance(task)

        if unit.suite == "robustness":
            return _robustness(arena, unit, on_step)
        if unit.suite == "velocities":
            return _velocities(arena, unit, on_step)
        return result_of(run_job(arena, job, range(job.num_robots), on_step))


def _robustness(arena: Any, unit: Unit, on_step: Any) -> dict[str, Any]:
    """Make it difficult for each robot in its way, and tell who stood."""
    from himloco_lab.evaluation.conditions import Changes, apply, place
    from himloco_lab.evaluation.recorder import record
    from himloco_lab.evaluation.robustness import RestlessArms, impulses, largest_survived, summarise_robustness

    chosen, job = unit.conditions, unit.job

    def sizes(group: str, otherwise: float) -> np.ndarray | None:
        if not any(one.group == group for one in chosen):
            return None
        return np.array([one.size if one.group == group else otherwise for one in chosen])

    levels = sizes("terrain", 0.0)
    if levels is not None:
        place(arena.env, levels.astype(int), np.array([max(one.column, 0) for one in chosen]))
    delay = sizes("delay", 0.0)
    changes = Changes(sizes("payload", 0.0), sizes("friction", 1.0), None if delay is None else delay.astype(int))
    trunk = arena.env.cfg.terminations.base_contact.params["sensor_cfg"].body_names
    arms = RestlessArms(arena, chosen, job.seed) if sizes("arms", 0.0) is not None else None
    recording = record(
        arena,
        job.commands,
        np.array(job.rest),
        job.seconds,
        job.seed,
        arms=arms,
        push=impulses(chosen, arena.dt),
        after_reset=lambda: apply(arena.env, changes, trunk),
        on_step=on_step,
    )
    rows = summarise_robustness(recording, chosen)
    return {"rows": rows, "largest": largest_survived(rows)}


def _velocities(arena: Any, unit: Unit, on_step: Any) -> dict[str, Any]:
    """Let every robot follow its command on its ground."""
    from himloco_lab.evaluation.conditions import place
    from himloco_lab.evaluation.recorder import record
    from himloco_lab.evaluation.velocities import places, summarise_velocities

    job = unit.job
    place(arena.env, *places(unit.trials, arena.env.cfg))
    recording = record(arena, job.commands, np.array(job.rest), job.seconds, job.seed, on_step=on_step)
    return {"rows": summarise_velocities(recording, unit.trials)}
