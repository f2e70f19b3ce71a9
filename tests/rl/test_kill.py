# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``kill -9`` a few times; ``fault_trials.py kill`` does it thirty times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_killed_training_loses_no_checkpoint_and_goes_on(tmp_path: Path) -> None:
    script = str(Path(__file__).parents[1] / "trials" / "fault_trials.py")
    command = [sys.executable, script, "kill", str(tmp_path / "run"), "--kills", "4", "--seed", "7"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    assert "4 kills, " in result.stdout
    assert "4 resumes, 0 losses" in result.stdout
