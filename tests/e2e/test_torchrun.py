# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``torchrun … scripts/train.py --distributed`` from end to end, with a process that is killed on the way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import torch


def second_process(torchrun: subprocess.Popen[str]) -> psutil.Process:
    """Return the process with rank 1."""
    children = psutil.Process(torchrun.pid).children()
    return next(child for child in children if child.environ().get("RANK") == "1")


def losses(run: Path) -> list[int]:
    """Iterations of the value loss in a run's curves."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    return [event.step for event in events.Scalars("Loss/value")]


def test_a_killed_process_is_restarted_and_the_run_goes_on_by_itself(repository: Path, tmp_path: Path) -> None:
    script = str(repository / "scripts" / "train.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["--max_restarts", "1", script, "--distributed", "--task", "Himloco-G1-Flat-v0", "--device", "cpu"]
    command += ["--num_envs", "4", "--max_iterations", "6", "--seed", "3", "agent.save_interval=2"]
    output = tmp_path / "output.txt"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    torchrun = subprocess.Popen(
        command, cwd=tmp_path, stdout=output.open("w"), stderr=subprocess.STDOUT, env=environment, text=True
    )
    try:
        deadline = time.monotonic() + 400
        while "\nit 4/" not in output.read_text():
            assert torchrun.poll() is None and time.monotonic() < deadline, output.read_text()[-3000:]
            time.sleep(0.1)
        second_process(torchrun).kill()
        code = torchrun.wait(timeout=400)
    finally:
        torchrun.kill()
    text = output.read_text()
    assert code == 0, text[-4000:]
    runs = [path for path in tmp_path.glob("logs/rsl_rl/*/*") if re.match(r"\d{4}-", path.name)]
    assert len(runs) == 1
    assert f"torchrun started this run again: it goes on in {runs[0]}" in text
    assert torch.load(runs[0] / "model_5.pt", weights_only=True)["iter"] == 5
    assert losses(runs[0]) == [0, 1, 2, 3, 4, 5]  # every iteration once
    # and only the first process has written anything
    written = [path for path in (tmp_path / "logs").rglob("*") if path.is_file()]
    assert [path for path in written if runs[0] not in path.parents] == []
