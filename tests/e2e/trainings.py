# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Short trainings for tests, and what they leave behind."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

# Episodes of half a second, so that every statistic of an episode's end is seen within a few iterations.
SMALL = ["--num_envs", "8", "--device", "cpu", "--seed", "3", "env.episode_length_s=0.5", "agent.num_steps_per_env=24"]
RUN_NAME = r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d"


def train(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run *command* in *folder* and return how it ended."""
    return subprocess.run(list(command), cwd=folder, capture_output=True, text=True, timeout=500, check=False)


def scalars(run: Path) -> dict[str, list[float]]:
    """Return every curve of a run's TensorBoard files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def the_only_run(folder: Path, pattern: str = RUN_NAME) -> Path:
    """Return the run folder in *folder* whose name is *pattern*, and check that there is one."""
    runs = [path for path in folder.glob("logs/rsl_rl/*/*") if re.fullmatch(pattern, path.name)]
    assert len(runs) == 1, runs
    return runs[0]
