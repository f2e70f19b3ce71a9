# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Threads of rollout and update."""

from collections.abc import Iterator

import pytest
import torch
from dummy_env import DummyEnv, train_cfg

from himloco_rl.runners import HIMOnPolicyRunner
from himloco_rl.runners.him_on_policy_runner import cpu_threads


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_only_the_update_has_all_threads() -> None:
    seen: dict[str, set[int]] = {"step": set(), "update": set()}

    class Watched(DummyEnv):
        def step(self, actions: torch.Tensor) -> tuple:
            seen["step"].add(torch.get_num_threads())
            return super().step(actions)

    runner = HIMOnPolicyRunner(Watched(4), train_cfg(num_learning_epochs=1), None, "cpu")
    runner.alg.optimizer.register_step_post_hook(lambda *_: seen["update"].add(torch.get_num_threads()))
    runner.learn(2)
    assert seen == {"step": {1}, "update": {3}}
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_threads_are_given_back_after_an_error() -> None:
    with pytest.raises(RuntimeError, match="no"), cpu_threads(1, "cpu"):  # noqa: PT012
        assert torch.get_num_threads() == 1
        with cpu_threads(3, "cpu"):
            assert torch.get_num_threads() == 3
            raise RuntimeError("no")
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_a_gpu_changes_nothing() -> None:
    with cpu_threads(1, "cuda:0"):
        assert torch.get_num_threads() == 3
