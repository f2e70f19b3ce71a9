# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What an iteration reduces, counted against the formula; the model of many GPUs, against numbers worked by hand."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from statistics import NormalDist

import pytest
import scaling
from benchmarks.scaling_model import Cluster, Link, Work, pays_until, predict, reduction_time

from himloco_lab.errors import CliError

FAST, SLOW = Link(100.0, 1.0), Link(10.0, 5.0)
"""100 and 10 B/s, 1 and 5 s."""


@pytest.mark.parametrize(
    ("gpus", "shared", "seconds"),
    [
        (1, True, 0.0),
        (4, True, 0.5 + 2 * 0.75 * 80 / 100 + 2 * 2 * 1.0),  # inside one machine: 3/4 of the bytes, twice; log2 4 = 2
        (16, True, 0.5 + 1.2 + 4.0 + 2 * 0.75 * 80 / 10 + 2 * 2 * 5.0),  # and between four of them, over one link
        (16, False, 0.5 + 1.2 + 4.0 + 2 * 0.75 * 20 / 10 + 2 * 2 * 5.0),  # or over one for each of four GPUs
    ],
)
def test_a_reduction_by_hand(gpus: int, shared: bool, seconds: float) -> None:
    cluster = Cluster("test", 4, FAST, SLOW, shared)
    assert reduction_time(80, gpus, cluster, call=0.5) == pytest.approx(seconds)


def test_one_gpu_is_its_own_measure_and_two_by_hand() -> None:
    work = Work(10.0, 0.2, steps=10, optimizer_steps=4, step_floor=0.2, optimizer_floor=0.1, call=0.25, jitter=0.1)
    cluster = Cluster("test", 4, Link(math.inf, 0.0), SLOW, shared=True)
    alone = predict({8: 3}, 1, cluster, work)
    assert alone["weak_efficiency"] == alone["strong_efficiency"] == 1.0
    assert alone["weak_s"] == alone["strong_s"] == 10.0
    two = predict({8: 3}, 2, cluster, work)
    slowest = 0.1 * NormalDist().inv_cdf(1.625 / 2.25)
    assert two["reducing_s"] == pytest.approx(3 * 0.25)
    assert two["weak_s"] == pytest.approx(10.0 + 8.0 * slowest + 0.75)
    # of a rollout's 8 s the launches' 2 s stay and half of the other 6; of an update's 2 s 0.4 and half of 1.6
    assert two["strong_s"] == pytest.approx(5.0 * (1 + slowest) + 1.2 + 0.75)
    assert two["strong_speedup"] == pytest.approx(2 * two["strong_efficiency"])


def test_it_pays_until_the_first_that_does_not() -> None:
    rows = [{"gpus": float(gpus), "share": share} for gpus, share in ((1, 1.0), (2, 0.6), (4, 0.4), (8, 0.7))]
    assert pays_until(rows, "share") == 2


def test_an_iteration_reduces_parameters_times_steps_and_few_numbers_more() -> None:
    from benchmarks import subject
    from benchmarks.group_traffic import iteration_traffic

    traffic = iteration_traffic(subject.ROUGH, height_scan=True)
    # facts 1.1: actor 111 -> 512 -> 256 -> 256 -> 12 and twelve deviations; critic 79 + 187 heights -> 1
    actor = 111 * 512 + 512 + 512 * 256 + 256 + 256 * 256 + 256 + 256 * 12 + 12 + 12
    critic = (79 + 187) * 512 + 512 + 512 * 256 + 256 + 256 * 256 + 256 + 256 + 1
    # encoder 456 -> 256 -> 256 -> 35, target 75 -> 256 -> 256 -> 32 (of the next frame's 76 numbers four are commands,
    # and three are the velocity's), 64 prototypes of 32 numbers
    encoder = 456 * 256 + 256 + 256 * 256 + 256 + 256 * 35 + 35
    target = 75 * 256 + 256 + 256 * 256 + 256 + 256 * 32 + 32
    estimator = encoder + target + 64 * 32
    assert traffic.policy_parameters == actor + critic
    assert traffic.estimator_parameters == estimator
    assert traffic.policy_steps == traffic.estimator_steps == 5 * 4
    assert traffic.gradient_bytes == 4 * 20 * (actor + critic + estimator)
    # in every step of the estimator Sinkhorn on both branches: the batch's size, the sum, three times 64 sums
    sinkhorn = 20 * 2
    # and mean and deviation of the advantages, and one divergence a step
    assert traffic.calls == {
        4 * (actor + critic): 20,
        4 * estimator: 20,
        4 * 64: 3 * sinkhorn,
        4: 2 * sinkhorn + 2 + 20,
    }


def test_the_page_shows_what_the_command_computes(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scaling.main(["--out", str(tmp_path / "scaling")]) == 0
    said = capsys.readouterr().out
    kept, made = (list(csv.DictReader((folder / "scaling.csv").open())) for folder in (repository / "docs", tmp_path))
    assert made == kept
    page = (repository / "docs" / "scaling.md").read_text()
    for line in said.splitlines():
        if line.startswith(("|", "At least")):
            assert line in page, line
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_assumptions_can_be_replaced_and_must_make_sense(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"--update_share 1.5: must be less than 1"):
        scaling._compute(["--out", str(tmp_path / "x"), "--update_share", "1.5"])
    with pytest.raises(CliError, match=r"--jitter -1.0: must be greater than zero"):
        scaling._compute(["--out", str(tmp_path / "x"), "--jitter", "-1"])
    assert list(tmp_path.iterdir()) == []
