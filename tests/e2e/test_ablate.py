# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/ablate.py`` from end to end: the variant with the most code of its own, two iterations of four robots."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import ablate
import pytest

WORDS = ["--variants", "reference", "--seeds", "3", "--samples", "128", "--num_envs", "4", "--disturbances", "none"]
WORDS += ["env.episode_length_s=0.2"]


def test_a_run_is_made_recorded_reported_and_not_made_again(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs, docs = tmp_path / "logs" / "ablations" / "reference_seed3", tmp_path / "docs" / "log"
    logs.mkdir(parents=True)
    (logs / "left_by_an_interrupted_run").touch()
    command = [sys.executable, str(repository / "tools" / "ablate.py"), *WORDS]
    first = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False)
    assert first.returncode == 0, first.stderr + (logs / "output.txt").read_text()[-2000:]
    rows = list(csv.DictReader((docs / "ablations" / "reference_seed3.csv").open()))
    assert [row["samples"] for row in rows] == ["64", "128"]
    assert all(float(row["velocity_error"]) > 0 and 1 <= float(row["perplexity"]) <= 32 for row in rows)
    assert float(rows[-1]["length"]) <= 10 and float(rows[-1]["disturbances"]) == 0.0
    assert rows[-1]["tracking_error"] and rows[-1]["return"]
    record = json.loads((docs / "ablations" / "reference_seed3.json").read_text())
    assert "ReferencePPO" in record["command"] and record["samples"] == 128
    assert "| `reference` |" in (docs / "ablations.md").read_text() and (docs / "ablations.png").is_file()
    assert not (logs / "left_by_an_interrupted_run").exists() and list(logs.glob("logs/rsl_rl/*/*/model_1.pt"))

    start, made = time.time(), (docs / "ablations" / "reference_seed3.json").stat().st_mtime
    monkeypatch.chdir(tmp_path)
    assert ablate.main(WORDS) == 0
    assert "scripts/train.py" not in capsys.readouterr().out
    assert (docs / "ablations" / "reference_seed3.json").stat().st_mtime == made < start
