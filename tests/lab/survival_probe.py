# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A training in real physics that is saved, resumed, and given robots whose state is NaN; see env_probe.py."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import torch
from env_probe import main
from isaaclab.utils import to_dict
from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper, handle_deprecated_rsl_rl_cfg
from isaaclab_rl.rsl_rl.utils import check_rsl_rl_version

from himloco_lab.sim_state import IsaacLabState, replay
from himloco_lab.sim_state.isaac_lab_state import memory_state_dict
from himloco_lab.tasks.velocity.config.g1.agents.rsl_rl_him_cfg import G1FlatHIMRunnerCfg
from himloco_rl.checkpoints import read_checkpoint
from himloco_rl.observations import NotFiniteError
from himloco_rl.runners import HIMOnPolicyRunner

BROKEN = 5
"""The robot whose velocity becomes NaN."""


def state_of(env: Any) -> dict[str, torch.Tensor]:
    """What a resumed run must go on with, straight from the engine and the managers."""
    data = env.scene["robot"].data
    state = {
        "position": data.root_pos_w.torch - env.scene.env_origins,
        "velocity": data.root_vel_w.torch,
        "joint_position": data.joint_pos.torch,
        "joint_velocity": data.joint_vel.torch,
        "lengths": env.episode_length_buf,
        "levels": env.scene.terrain.terrain_levels,
        "origins": env.scene.env_origins,
        "tracking": env.reward_manager._episode_sums["tracking_x_vel"],
        "steps": torch.tensor(env.common_step_counter),
        "velocity_target": env.scene["robot"].actuators.target_command.velocity.torch,
        "observation": env.obs_buf["policy"],
        "command": env.command_manager.get_command("base_velocity"),
        **memory_state_dict(env)["tensors"],
    }
    return {name: value.clone() for name, value in state.items()}


def break_in(env: Any, at: list[int]) -> Any:
    """Make the robot's velocity NaN before some steps, counted from now; returns what takes that back."""
    step, count = env.step, 0

    def breaking(action: torch.Tensor) -> Any:
        nonlocal count
        if count in at:
            ids = torch.tensor([BROKEN], device=env.device)
            velocity = torch.full((1, 6), float("nan"), device=env.device)
            env.scene["robot"].write_root_velocity_to_sim_index(root_velocity=velocity, env_ids=ids)
        count += 1
        return step(action)

    env.step = breaking
    return lambda: delattr(env, "step")


def survive(env: Any) -> dict[str, object]:
    """Learn, save, walk on, and load; then learn with NaN for a step, and with NaN that stays."""
    cfg: Any = to_dict(handle_deprecated_rsl_rl_cfg(G1FlatHIMRunnerCfg(), check_rsl_rl_version()))
    folder = Path(tempfile.mkdtemp())
    vec_env = RslRlVecEnvWrapper(env, clip_actions=100.0)
    runner = HIMOnPolicyRunner(cast("Any", vec_env), cfg | {"num_steps_per_env": 24}, str(folder), "cpu")
    runner.made_with |= {"task": sys.argv[1], "physics": type(env.cfg.sim.physics).__name__, "seed": env.cfg.seed}
    runner.learn(2)
    env.scene.terrain.terrain_levels[:] = torch.arange(env.num_envs) % 4  # as a long training might have it
    origins = env.scene.terrain.terrain_origins
    env.scene.env_origins[:] = origins[env.scene.terrain.terrain_levels, env.scene.terrain.terrain_types]
    with torch.inference_mode():
        env.reset()
    runner.learn(1)
    saved = state_of(env)
    path = folder / "model_2.pt"
    returns = list(runner.logger.rewbuffer)
    runner.learn(2)
    walked = state_of(env)
    runner.load(str(path))
    loaded = state_of(env)
    found: dict[str, object] = {"saved": saved, "walked": walked, "loaded": loaded}
    found["remembered"] = list(memory_state_dict(env)["tensors"])
    found["logged"] = [read_checkpoint(path)["environment_state"]["memory"]["log"], memory_state_dict(env)["log"]]
    found["returns"] = [returns, list(read_checkpoint(path)["logger_state"]["returns"])]
    runner.learn(1)
    found["went_on"] = runner.current_learning_iteration

    restore = break_in(env, [4])
    runner.learn(1)
    restore()
    # a foot that has not touched the ground yet has flown for -inf seconds (landing.py)
    values = [value for name, value in state_of(env).items() if not name.endswith("_flight")]
    found["finite"] = all(bool(torch.isfinite(value).all()) for value in values)
    found["networks_finite"] = all(bool(torch.isfinite(value).all()) for value in runner.alg.actor.parameters())
    found["message"] = runner._steps.message

    restore = break_in(env, list(range(3, 24)))
    try:
        runner.learn(1)
        found["stopped"] = ""
    except NotFiniteError as error:
        found["stopped"] = str(error)
    restore()
    (kept,) = folder.glob("not_finite_*.pt")
    shutil.copy(kept, Path(sys.argv[4]).parent)  # for scripts/replay.py
    dump = read_checkpoint(kept)
    found["environments"] = dump["environments"]
    found["replayed_sound"] = replay(vec_env, dump, runner.alg.layout).message
    found["origins"] = (env.scene.env_origins[0].clone(), dump["state"]["origins"][BROKEN])
    pose = dump["state"]["scene"]["articulation"]["robot"]["root_pose"][BROKEN, :3]
    found["places"] = (env.scene["robot"].data.root_pos_w.torch[0].clone(), pose + found["origins"][1])
    state, start = IsaacLabState(vec_env), time.perf_counter()
    for _ in range(50):
        state.note_episodes()
    found["snapshot_ms"] = 1000.0 * (time.perf_counter() - start) / 50
    return found


if __name__ == "__main__":
    main({"survive": (lambda cfg: None, survive)})
