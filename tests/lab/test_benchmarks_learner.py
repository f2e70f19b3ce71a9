# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The benchmark's part about the learner: what it compares, compiles and counts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from benchmarks.learner import EAGER
from benchmarks.memory import LiveMemory, measure_peak, storage_sizes
from benchmarks.report import render

from .test_benchmarks import PROVENANCE


def test_rollout_memory_at_full_size() -> None:
    sizes = storage_sizes(4096, 100)
    # policy 6 x 76, critic 79 + 187, actions, their mean and deviation 3 x 12, five scalars; and a byte for done
    shared = 456 + 266 + 36 + 5
    assert sizes["rsl_rl"] == 409_600 * (4 * shared + 1)
    assert sizes["himloco_rl"] == 409_600 * (4 * (shared + 75) + 1)  # and the estimator's next frame, 75
    assert sizes["HIMLoco"] == 409_600 * (4 * (shared + 266) + 1)  # and the critic's next observation


def test_every_learner_that_is_compared_learns() -> None:
    from benchmarks.learner import measure_learner

    result = measure_learner(num_envs=8, num_steps=4, updates=1, seed=0)
    assert list(result["update_ms"]) == list(EAGER) and min(result["update_ms"].values()) > 0.0
    assert "compile_error" not in result


def test_what_cannot_be_compiled_here_is_said_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import learner

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no C++ compiler\nsecond line")

    build = learner.build_learner

    def build_broken(case: learner.Learner, *args: Any, **kwargs: Any) -> Any:
        built = build(dataclasses.replace(case, compiled=False), *args, **kwargs)  # compiling takes minutes
        if case.compiled:
            built.actor.mlp._compiled_call_impl = broken
        return built

    monkeypatch.setattr(learner, "build_learner", build_broken)
    result = learner.measure_learner(num_envs=8, num_steps=4, updates=1, seed=0, compiled=True)
    assert result["compile_error"] == "no C++ compiler"
    assert list(result["update_ms"]) == ["HIM", "HIM, as trained"]
    part = {"sizes": {"flat_envs": 8, "learner_steps": 4}, **PROVENANCE, "ratios": {}, "runs": {"updates": [result]}}
    page = render({"compile": part})
    assert "`torch.compile` does not work here: no C++ compiler." in page


def test_whether_compiling_pays_is_said() -> None:
    run = {"update_ms": {"HIM": 100.0, "HIM, compiled": 80.0}, "first_s": {"HIM": 0.5, "HIM, compiled": 42.0}}
    part = {**PROVENANCE, "sizes": {"flat_envs": 8, "learner_steps": 4}, "runs": {"updates": [run]}}
    for low, high, words in ((0.7, 0.9, "it pays"), (1.1, 1.2, "it does not pay"), (0.9, 1.1, "no clear difference")):
        ratios = {"HIM, compiled / HIM": {"median": 1.0, "low": low, "high": high}}
        page = render({"compile": {**part, "ratios": ratios}})
        assert f"HIM, compiled / HIM: {words}." in page
    assert "| HIM, compiled | 42.0 |" in page


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
