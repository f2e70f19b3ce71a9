# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The count of memory that is alive, by hand, and the line to full size, against a third update."""

from __future__ import annotations

import pytest
import torch
from benchmarks.learner import EAGER
from benchmarks.peak_memory import LiveMemory, measure_peak


def test_memory_is_counted_while_it_is_alive() -> None:
    with LiveMemory() as memory:
        a = torch.zeros(1000)  # 4,000 bytes
        b = a.view(10, 100)[2:]  # no memory of its own
        a.add_(1.0)
        assert (memory.live, memory.peak) == (4000, 4000)
        c = torch.cat((a, a))
        assert (memory.live, memory.peak) == (12000, 12000)
        del c
        d = a.double()
        assert (memory.live, memory.peak) == (12000, 12000)
        del a  # b still holds it
        assert memory.live == 12000
        del b, d
        assert (memory.live, memory.peak) == (0, 12000)


def test_what_a_gradient_needs_is_alive_until_it_is_taken() -> None:
    with LiveMemory() as memory:
        weight = torch.ones(100, requires_grad=True)
        loss = (weight.exp() * 2.0).sum()  # exp keeps its result; the product is gone once it is summed
        assert memory.live == 400 + 400 + 4
        assert memory.peak == 400 + 400 + 400 + 4
        loss.backward()
        del loss
        assert memory.live == 400 + 400  # the weight and its gradient


@pytest.mark.parametrize("name", ["HIM, as trained", "PPO"])
def test_peaks_lie_on_a_line(name: str) -> None:
    one, other, third = (measure_peak(EAGER[name], envs, 50) for envs in (16, 32, 64))
    assert other + 2 * (other - one) == pytest.approx(third, rel=0.01)
    assert third > 64 * 50 * 4 * 763  # the rollout alone
