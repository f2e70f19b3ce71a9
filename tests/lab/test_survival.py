# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""In PhysX: a resumed run goes on where its robots were, and a robot whose state is NaN costs one step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPT = Path(__file__).with_name("survival_probe.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("survival") / "found.pt"
    command = [sys.executable, str(SCRIPT), "Himloco-G1-Rough-v0", "ovphysx", "survive", str(out)]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=550, check=False)
    assert out.is_file(), f"exit code {result.returncode}:\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
    return torch.load(out, weights_only=True)["survive"]


def test_robots_go_on_where_they_were(found: dict[str, Any]) -> None:
    saved, walked, loaded = found["saved"], found["walked"], found["loaded"]
    assert not torch.equal(saved["position"], walked["position"])
    for name in ("lengths", "levels", "origins", "steps", "tracking"):
        assert torch.equal(loaded[name], saved[name]), name
    for name in ("position", "velocity", "joint_position", "joint_velocity"):
        torch.testing.assert_close(loaded[name], saved[name], atol=1e-4, rtol=1e-4, msg=name)
    assert len(set(saved["levels"].tolist())) > 1  # not where all of them begin
    assert found["returns"][0] == found["returns"][1]
    assert found["went_on"] == 3


def test_nan_costs_a_step_and_nan_that_stays_ends_the_run(found: dict[str, Any]) -> None:
    assert found["finite"] and found["networks_finite"]
    assert "environment 5" in found["message"]
    assert "broke in 3 steps in a row" in found["stopped"] or "does not help" in found["stopped"]
    assert "the last good checkpoint is" in found["stopped"]
    assert found["environments"].tolist() == [5]
    assert found["replayed_sound"] is None  # the state before the step was sound
