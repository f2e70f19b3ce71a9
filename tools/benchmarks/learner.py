# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One update of HIM beside one of rsl_rl's PPO."""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import statistics
import time
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from isaaclab.utils import to_dict
from isaaclab_rl.rsl_rl import RslRlMLPModelCfg, handle_deprecated_rsl_rl_cfg
from isaaclab_rl.rsl_rl.utils import check_rsl_rl_version
from rsl_rl.algorithms import PPO
from rsl_rl.utils import resolve_callable

from himloco_lab.him_cfg import HIMActorCfg
from himloco_lab.tasks import load_config
from himloco_rl.observations import mirror_batch

from . import FLAT
from .dummy_rollouts import DummyRollouts

_HIM_KEYS = {field.name for field in fields(HIMActorCfg)} - {field.name for field in fields(RslRlMLPModelCfg)}
"""What an actor of rsl_rl does not know."""


@dataclass(frozen=True)
class Learner:
    """One way to learn."""

    him: bool
    """HIM, or rsl_rl's PPO on the flattened history."""
    symmetry: dict[str, Any] | None = None
    """Its symmetry settings."""
    algorithm: dict[str, Any] = field(default_factory=dict)
    """Further settings of the algorithm."""
    compiled: bool = False
    """By ``torch.compile``."""


AS_TRAINED = {"use_data_augmentation": True, "use_mirror_loss": True, "mirror_estimator": True}
"""The tasks' symmetry settings."""

EAGER: dict[str, Learner] = {
    "HIM": Learner(True),
    "HIM, in turn": Learner(True, algorithm={"estimator_schedule": "interleaved", "estimator_num_epochs": None}),
    "PPO": Learner(False),
    "HIM, augmented": Learner(True, {"use_data_augmentation": True}),
    "PPO, augmented": Learner(False, {"use_data_augmentation": True, "data_augmentation_func": mirror_batch}),
    "HIM, as trained": Learner(True, AS_TRAINED),
}
"""Learners that the part ``learner`` compares."""
COMPILED: dict[str, Learner] = {
    "HIM": EAGER["HIM"],
    "HIM, compiled": Learner(True, compiled=True),
    "HIM, as trained": EAGER["HIM, as trained"],
    "HIM, as trained, compiled": Learner(True, AS_TRAINED, compiled=True),
}
"""Learners that the part ``compile`` compares."""


def measure_learner(num_envs: int, num_steps: int, updates: int, seed: int, compiled: bool = False) -> dict[str, Any]:
    """Time updates, one learner after the other, again and again.

    A rollout has *num_steps* steps of each environment. So many *updates* of all learners of :data:`EAGER`, or of
    :data:`COMPILED`, are measured after one that is not.

    Returns:
        Median milliseconds of an update for each learner [ms], seconds of the first rollout and update [s], and, if
        something cannot be compiled here, what the compiler says.
    """
    torch.manual_seed(seed)
    env = DummyRollouts(num_envs)
    learners = {name: build_learner(one, env, num_steps) for name, one in (COMPILED if compiled else EAGER).items()}
    result: dict[str, Any] = {"first_s": {}}
    for name, learner in list(learners.items()):
        start = time.perf_counter()
        try:
            collect(learner, env, num_steps)
            learner.update()
        except RuntimeError as error:  # torch's own for everything that its compiler meets
            if "compiled" not in name:
                raise
            result["compile_error"] = str(error).strip().splitlines()[0]
            del learners[name]
        result["first_s"][name] = time.perf_counter() - start
    times: dict[str, list[float]] = {name: [] for name in learners}
    for _ in range(updates):
        for name, learner in learners.items():
            collect(learner, env, num_steps)
            start = time.perf_counter()
            learner.update()
            times[name].append(1e3 * (time.perf_counter() - start))
    return result | {"update_ms": {name: statistics.median(values) for name, values in times.items()}}


def build_learner(case: Learner, env: DummyRollouts, num_steps: int, agent: Any | None = None, **algorithm: Any) -> PPO:
    """Build a learner for *env* and rollouts of *num_steps* steps.

    Its networks have the sizes of the configuration *agent*, the Flat task's if None; settings of the *algorithm* come
    before the case's own.
    """
    chosen: Any = agent or load_config(FLAT, "rsl_rl_cfg_entry_point")
    cfg: dict[str, Any] = copy.deepcopy(to_dict(handle_deprecated_rsl_rl_cfg(chosen, check_rsl_rl_version())))
    cfg |= {"num_steps_per_env": num_steps, "multi_gpu": None}
    cfg["torch_compile_mode"] = "default" if case.compiled else None
    if not case.him:
        cfg["actor"] = {key: value for key, value in cfg["actor"].items() if key not in _HIM_KEYS}
        cfg["actor"]["class_name"] = "MLPModel"
        known = inspect.signature(PPO).parameters
        cfg["algorithm"] = {key: value for key, value in cfg["algorithm"].items() if key in known}
        cfg["algorithm"]["class_name"] = "PPO"
        cfg["obs_groups"].pop("estimator")
    cfg["algorithm"] |= algorithm | case.algorithm | {"symmetry_cfg": copy.copy(case.symmetry)}
    builder: Any = resolve_callable(cfg["algorithm"]["class_name"])
    with contextlib.redirect_stdout(io.StringIO()):  # the models print themselves
        return builder.construct_algorithm(env.get_observations(), env, cfg, "cpu")


def collect(learner: PPO, env: DummyRollouts, num_steps: int) -> None:
    """Fill a learner's storage; not part of what is timed."""
    obs = env.get_observations()
    with torch.inference_mode():
        for _ in range(num_steps):
            obs, rewards, dones, extras = env.step(learner.act(obs))
            learner.process_env_step(obs, rewards, dones, extras)
        learner.compute_returns(obs)
