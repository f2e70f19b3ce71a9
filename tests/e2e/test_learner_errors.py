# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the command line makes of settings, checkpoints and observations that the learner cannot work with: one line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from benchmarks.dummy_rollouts import DummyRollouts
from isaaclab.utils import to_dict
from isaaclab_rl.rsl_rl import handle_deprecated_rsl_rl_cfg
from isaaclab_rl.rsl_rl.utils import check_rsl_rl_version

from himloco_lab.commands.train import learn
from himloco_lab.errors import CliError
from himloco_lab.runs.loading import build_runner, load_checkpoint
from himloco_lab.tasks.velocity.config.g1.agents.rsl_rl_him_cfg import G1FlatHIMRunnerCfg


def settings(**algorithm: Any) -> dict[str, Any]:
    cfg: Any = to_dict(handle_deprecated_rsl_rl_cfg(G1FlatHIMRunnerCfg(), check_rsl_rl_version()))
    cfg["num_steps_per_env"] = 2
    cfg["algorithm"] |= algorithm
    return cfg


def build(env: Any = None, **algorithm: Any) -> Any:
    return build_runner(env or DummyRollouts(4), settings(**algorithm), None, "cpu")


def test_a_setting_that_cannot_work() -> None:
    with pytest.raises(CliError, match=r"num_mini_batches is 9, but a rollout has 8 samples .*choose 1 to 8") as error:
        build(num_mini_batches=9)
    assert "\n" not in str(error.value) and error.value.code == 2


def test_a_checkpoint_of_other_sizes(tmp_path: Path) -> None:
    cfg = settings()
    cfg["actor"]["estimator_cfg"] = {"preset": "himloco", "latent_dim": 8}
    runner = build_runner(DummyRollouts(4), cfg, None, "cpu")
    runner.save(str(tmp_path / "model_0.pt"))
    with pytest.raises(
        CliError, match=r"model_0\.pt does not fit Some-Task: size mismatch for .*sizes of its networks"
    ):
        load_checkpoint(build(), tmp_path / "model_0.pt", "Some-Task", None)


def test_nan_in_an_observation_ends_a_training_with_its_name(tmp_path: Path) -> None:
    class Broken(DummyRollouts):
        def step(self, actions: torch.Tensor) -> Any:
            result = super().step(actions)
            result[0]["policy"][3, 5] = float("nan")
            return result

    plan: Any = SimpleNamespace(agent_cfg=SimpleNamespace(max_iterations=1, init_at_random_ep_len=False), rank=0)
    with pytest.raises(
        CliError, match=r"'base_ang_vel' of group 'policy' \(shape \[4, 456\]\).*environment 3"
    ) as error:
        learn(plan, build(Broken(4)), tmp_path, 1)
    assert "\n" not in str(error.value) and error.value.code == 1
