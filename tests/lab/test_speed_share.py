# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The curriculum of a quadruped's speeds, in a real environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .test_env import probe

TASK = "Himloco-Go2-Flat-v0"


def same(share: float) -> list[Any]:
    """Ranges of vx, vy and of the fast robots' vx, all the same share of ±1 m/s."""
    return [pytest.approx((-share, share), abs=1e-6)] * 3


def test_speeds_grow_with_tracking_and_survive_a_checkpoint(tmp_path: Path) -> None:
    found = probe(tmp_path, TASK, "ovphysx", "speeds", script="speed_share_probe.py")["speeds"]
    # 0.5 at first; after 399 steps nothing, after 400 one step more, not below 0.8 of the reward, above it again
    assert found["ranges"] == [same(share) for share in (0.5, 0.5, 0.6, 0.6, 0.7)]
    assert found["fastest"] == same(1.0)
    one, faster = pytest.approx((-1.0, 1.0)), pytest.approx((-1.2, 1.2))
    assert found["wider"] == [one, one, faster], "the full share leaves the fast robots to their own curriculum"
    assert found["restored"] == [same(0.7), [one, one, faster]]
    speeds = found["drawn"].abs().amax(dim=(0, 1))
    assert (speeds <= 0.5).all() and (speeds > 0.45).all()
