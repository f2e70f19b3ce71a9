# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The blows of ``Himloco-G1-Sturdy-v0`` in PhysX: their sizes and times, and Newton's second law."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from .test_env import probe


@pytest.fixture(scope="module")
def blows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("blows")
    return probe(folder, "Himloco-G1-Sturdy-v0", "ovphysx", "blows", script="punch_probe.py")["blows"]


def _spans(hit: np.ndarray) -> list[tuple[int, int]]:
    """First step and length of each blow that begins and ends within *hit*, shape [T]."""
    edges = np.diff(hit.astype(int))
    begins, ends = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1) + 1
    ends = ends[ends > begins[0]]
    return [(int(begin), int(end - begin)) for begin, end in zip(begins, ends, strict=False)]


def test_they_come_as_the_tours_do_and_a_quarter_harder(blows: dict[str, Any]) -> None:
    size = blows["forces"].norm(dim=-1).numpy()  # [T, N, B]
    assert ((size > 0).sum(axis=-1) <= 1).all(), "one link at a time"
    waits, sizes, links, directions = [], [], [], []
    for robot in range(size.shape[1]):
        spans = _spans(size[:, robot].any(axis=-1))
        assert {length for _, length in spans} == {4}  # 0.08 s at 50 Hz
        waits += [later[0] - earlier[0] - 4 for earlier, later in itertools.pairwise(spans)]
        for begin, _ in spans:
            one = blows["forces"][begin : begin + 4, robot]
            assert torch.equal(one, one[:1].expand(4, -1, -1)), "the force is constant"
            link = int(size[begin, robot].argmax())
            links.append(link)
            sizes.append(size[begin, robot, link])
            directions.append((one[0, link] / one[0, link].norm()).numpy())
    assert min(waits) >= 100 and max(waits) <= 300  # 2 to 6 s
    assert stats.kstest(sizes, stats.uniform(0.0, 750.0).cdf).pvalue > 1e-3
    for axis in range(3):  # Archimedes: each coordinate of a point on the sphere is uniform
        assert stats.kstest(np.array(directions)[:, axis], stats.uniform(-1.0, 2.0).cdf).pvalue > 1e-3
    names = np.array(blows["names"])
    counts = np.bincount(links, minlength=len(names))
    assert counts[names == "pelvis"] == 0
    assert stats.chisquare(counts[names != "pelvis"]).pvalue > 1e-3


def test_a_robot_in_free_fall_gains_the_impulse(blows: dict[str, Any]) -> None:
    gained = (blows["momentum"][-1] - blows["momentum"][0]).numpy()
    impulse = (blows["hit"].sum(dim=0) * blows["dt"]).numpy()
    impulse[:, 2] -= 9.81 * blows["mass"].numpy() * 4 * blows["dt"]
    assert np.linalg.norm(blows["hit"][0].numpy(), axis=1).max() > 300.0
    np.testing.assert_allclose(gained, impulse, atol=0.02 * np.abs(impulse).max())


def test_a_resumed_run_goes_on_with_them(blows: dict[str, Any]) -> None:
    assert blows["goes_on"]


def test_they_end(blows: dict[str, Any]) -> None:
    assert blows["active_after"] == 0.0
    assert blows["reset"] == 0.0
