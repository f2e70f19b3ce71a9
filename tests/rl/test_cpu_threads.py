# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Threads of rollout and update."""

import pytest
import torch

from himloco_rl.runners.cpu_threads import one_thread_but_for


class Algorithm:
    def update(self, fails: bool = False) -> int:
        if fails:
            raise RuntimeError("no")
        return torch.get_num_threads()


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_only_the_update_has_all_threads() -> None:
    algorithm = Algorithm()
    with one_thread_but_for(algorithm, "update", "cpu"):
        assert torch.get_num_threads() == 1
        assert algorithm.update() == 3
        assert torch.get_num_threads() == 1
        with pytest.raises(RuntimeError, match="no"):
            algorithm.update(fails=True)
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    assert "update" not in vars(algorithm)


@pytest.mark.usefixtures("three_threads")
def test_a_gpu_changes_nothing() -> None:
    with one_thread_but_for(Algorithm(), "update", "cuda:0"):
        assert torch.get_num_threads() == 3
