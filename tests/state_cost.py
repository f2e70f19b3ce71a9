# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What noting the robots' state before every step costs: ``python tests/state_cost.py TASK NUM_ENVS STEPS``.

The state that a dump of a broken simulation needs, noted and timed in turn with the steps that it is noted before, in
PhysX on the CPU with one thread and random actions. Not collected by pytest.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch
from isaaclab.app import launch_simulation
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper
from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

import himloco_lab.tasks  # noqa: F401 - registers them
from himloco_lab.sim_state import IsaacLabState

WARM_UP = 5
"""Steps that do not count."""


def main() -> int:
    """Time both, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("num_envs", type=int)
    parser.add_argument("steps", type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cfg: Any = load_cfg_from_registry(args.task, "env_cfg_entry_point")
    cfg.sim.physics = cfg.sim.physics.ovphysx
    cfg.sim.device, cfg.seed, cfg.scene.num_envs = "cpu", 7, args.num_envs
    with launch_simulation(cfg, argparse.Namespace(headless=True, device="cpu", visualizer=None)):
        env = RslRlVecEnvWrapper(ManagerBasedRLEnv(cfg), clip_actions=100.0)
        state, notes, steps = IsaacLabState(env), [], []
        with torch.inference_mode():
            for _ in range(args.steps + WARM_UP):
                actions = 0.3 * torch.randn(args.num_envs, env.num_actions)
                start = time.perf_counter()
                state.note_episodes()
                noted = time.perf_counter()
                env.step(actions)
                notes.append(noted - start)
                steps.append(time.perf_counter() - noted)
        note, step = (1e3 * statistics.median(times[WARM_UP:]) for times in (notes, steps))
        print(
            f"{args.task}, {args.num_envs} robots: {note:.3f} of {step:.1f} ms (medians), {note / step:.2%}", flush=True
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
