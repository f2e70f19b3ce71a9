# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Recordings in files, and a job of which a part is done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from himloco_lab.deployment.manifest import ManifestError
from himloco_lab.evaluation import mujoco_arena
from himloco_lab.evaluation.mujoco_arena import find_mujoco_policy, measure
from himloco_lab.evaluation.suites import Job, load, save
from himloco_lab.evaluation.tour import TourRecording
from himloco_lab.evaluation.tracking import Recording

ROBOT = "himloco_lab.robots.g1.g1_description:G1_DESCRIPTION"
REST = (0.0, 0.0, 0.0, 0.74)
LIMITS = np.array([[-0.8, -0.5, -0.8], [1.2, 0.5, 0.8]])


def test_a_recording_survives_its_file_bit_for_bit(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    alive, values = draw.random((4, 2)) > 0.5, draw.standard_normal((4, 4, 2))
    links = np.full((12, 2), "left_knee_link")
    punches = {"punch_time": draw.random((12, 2)), "punch_force": draw.random((12, 2)), "punch_link": links}
    tour = TourRecording(0.02, alive, *values, **punches)
    shapes = {"measured": (4, 2, 4), "contacts": (4, 2, 2), "pose": (4, 2, 3), "estimate": (4, 2, 3)}
    series = {
        name: draw.standard_normal(shapes.get(name, (4, 2))) for name in [*shapes, "power", "foot_speed", "actions"]
    }
    series["estimate"][:] = np.nan
    tracking = Recording(0.02, 100, 33.3, command=np.ones((2, 4)), rest=np.zeros(4), alive=alive, **series)
    for recording in (tour, tracking):
        save(recording, tmp_path / "0.npz")
        back = load(tmp_path / "0.npz")
        assert type(back) is type(recording)
        for name, value in vars(recording).items():
            np.testing.assert_array_equal(
                getattr(back, name), value, err_msg=name, strict=isinstance(value, np.ndarray)
            )
        assert type(back.dt) is float
    assert [path.name for path in tmp_path.iterdir()] == ["0.npz"]


def test_what_was_done_before_is_read_and_only_the_rest_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mujoco_arena, "SLICE", 2)
    zero = find_mujoco_policy("zero", None, ROBOT)
    job = Job("tracking", 7, 0.02, np.tile(REST, (6, 1)), REST, LIMITS)
    kept, again = tmp_path / "kept", tmp_path / "again"
    for folder, first in ((kept, 2), (again, 4)):
        folder.mkdir()
        mujoco_arena._Worker(zero, job, folder)(range(first, first + 2))
    marked = load(kept / "2.npz")
    assert isinstance(marked, Recording)
    marked.power[:] = 1234.5  # as nobody would measure it
    save(marked, kept / "2.npz")

    seen: list[int] = []
    joined = measure(zero, job, kept, seen.append)
    assert seen[0] == 2 and sum(seen) == 6
    assert (joined.power[:, 2:4] == 1234.5).all() and (joined.power[:, [0, 1, 4, 5]] < 1234.5).all()
    alone = load(again / "4.npz")
    assert isinstance(alone, Recording)
    np.testing.assert_array_equal(joined.measured[:, 4:], alone.measured)
    assert not kept.exists()


class Linear(torch.nn.Module):
    """Actions by a matrix."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(torch.randn(inputs, 12, generator=torch.Generator().manual_seed(2)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weights


def test_a_torchscript_file_acts_in_mujoco_and_one_of_another_layout_is_refused(tmp_path: Path) -> None:
    fits, other = tmp_path / "fits.pt", tmp_path / "other.pt"
    torch.jit.script(Linear(456)).save(str(fits))
    torch.jit.script(Linear(450)).save(str(other))
    seen = np.random.default_rng(0).standard_normal((1, 456)).astype(np.float32)
    actions = find_mujoco_policy("fits", fits, ROBOT).make_policy(0, 0)(seen)
    np.testing.assert_allclose(actions, seen[0] @ Linear(456).weights.detach().numpy(), rtol=1e-5, atol=1e-5)
    with pytest.raises(ManifestError, match=r"other\.pt .* cannot take .*\[N, 456\]"):
        find_mujoco_policy("other", other, ROBOT)
