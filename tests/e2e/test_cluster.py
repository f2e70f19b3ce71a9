# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The cluster's scripts, run by a stub of Slurm (tests/e2e/slurm) that executes what it is given.

Training is played by a stand-in here; with ``tests/trials/slurm_trial.sh`` the same goes through the real one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = {"JOB_NAME": "walk", "EXPERIMENT": "g1", "TASK": "Himloco-G1-Flat-v0", "TIME": "1:00:00", "MEMORY": "4G"}
NUMBERS = {"SEEDS": "2", "FIRST_SEED": "7", "CPUS": "2", "GPUS": "0", "MAX_ITERATIONS": "12", "MAX_RESTARTS": "3"}


class Cluster:
    """A login node with Slurm's stubs on the PATH, and a folder that plays the image's root."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder, self.scripts = folder, repository / "docker/cluster"
        stubs = repository / "tests/e2e/slurm"
        self.root, self.logs, self.history = folder / "root", folder / "logs", folder / "history"
        workspace = self.root / "workspace/himloco_lab"
        workspace.mkdir(parents=True)
        shutil.copy(stubs / "stand_in.sh", workspace / "himloco.sh")
        (folder / "image.sif").touch()
        paths = {"IMAGE": folder / "image.sif", "LOG_DIR": self.logs, "CACHE_DIR": folder / "cache"}
        self.settings = {**NAMES, **NUMBERS, **{key: str(path) for key, path in paths.items()}}
        self.environment = {
            **{"PATH": f"{stubs}:{os.environ['PATH']}", "STUB_ROOT": str(self.root)},
            **{"STUB_HISTORY": str(self.history), "STUB_APPTAINER": str(folder / "apptainer")},
        }

    def submit(self, *arguments: str, text: str | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run submit.sh and wait until all that it submitted has ended."""
        file = self.folder / "walk.env"
        file.write_text("".join(f"{key}={value}\n" for key, value in self.settings.items()) if text is None else text)
        return subprocess.run(
            [self.scripts / "submit.sh", file, *arguments],
            env=self.environment | extra,
            cwd=self.folder,
            text=True,
            capture_output=True,
            timeout=120,
        )

    def models(self, seed: int) -> list[int]:
        """Return the iterations of the seed's checkpoints; it must have one run only."""
        (run,) = (self.logs / "rsl_rl/g1").glob(f"*_walk_seed{seed}")
        return sorted(int(path.stem.removeprefix("model_")) for path in run.glob("model_*.pt"))

    def trainings(self) -> list[str]:
        """Return the command lines that training was started with."""
        return (self.root / "trainings").read_text().splitlines()


@pytest.fixture
def cluster(tmp_path: Path, repository: Path) -> Cluster:
    """Return a cluster on which nothing runs yet."""
    return Cluster(tmp_path, repository)


def test_every_seed_of_the_array_is_trained_in_the_container(cluster: Cluster) -> None:
    outcome = cluster.submit("env.decimation=4", "a b;$(touch x)")
    assert outcome.returncode == 0, outcome.stderr
    assert cluster.models(7) == cluster.models(8) == [0, 5, 10, 11]
    for seed, line in zip((7, 8), sorted(cluster.trainings()), strict=True):
        assert line.startswith("<-p><scripts/train.py><--task><Himloco-G1-Flat-v0><--experiment_name><g1>")
        assert f"<--run_name><walk_seed{seed}><--seed><{seed}>" in line
        assert line.endswith("<--max_iterations><12><--device><cpu><env.decimation=4><a b;$(touch x)>")
        assert "--resume" not in line
    started = (cluster.folder / "apptainer").read_text()
    assert started.count("<--containall>") == 2
    assert "<--nv>" not in started
    assert f"{cluster.logs}:/workspace/himloco_lab/logs" in started


def test_a_job_whose_time_is_over_queues_itself_again_and_goes_on(cluster: Cluster) -> None:
    outcome = cluster.submit(STUB_TIME="1.5")
    assert outcome.returncode == 0, outcome.stderr
    assert sorted(cluster.history.read_text().splitlines()) == [
        f"task {task}, restart {restart}: 0" for task in (0, 1) for restart in (0, 1)
    ]
    for seed in (7, 8):
        saved = cluster.models(seed)
        assert saved[-1] == 11, "twelve iterations, the first of which is 0"
        resumed = [line for line in cluster.trainings() if f"walk_seed{seed}>" in line and "--resume" in line]
        (left,) = re.findall(r"<--max_iterations><(\d+)>", "".join(resumed))
        assert 12 - int(left) - 1 in saved, "it goes on from a checkpoint"
        assert f"<--load_run><2026-01-01_00-00-00_walk_seed{seed}>" in resumed[0]
    told = (cluster.logs / "slurm-walk-0.out").read_text()
    assert "seed 7, restart 0" in told
    assert "goes back into the queue" in told
    assert "goes on from 2026-01-01_00-00-00_walk_seed7, iteration" in told


def test_a_job_whose_node_is_taken_away_goes_on(cluster: Cluster) -> None:
    outcome = cluster.submit(STUB_PREEMPT="1.5")
    assert outcome.returncode == 0, outcome.stderr
    assert "task 0, restart 0: 143" in cluster.history.read_text()
    assert "(stopped by Slurm)" in (cluster.logs / "slurm-walk-1.out").read_text()
    assert cluster.models(7)[-1] == cluster.models(8)[-1] == 11


def test_a_job_that_fails_is_not_started_again(cluster: Cluster) -> None:
    outcome = cluster.submit("agent.fail=2")
    assert outcome.returncode == 2
    assert sorted(cluster.history.read_text().splitlines()) == ["task 0, restart 0: 2", "task 1, restart 0: 2"]


def test_a_job_gives_up_after_its_restarts(cluster: Cluster) -> None:
    cluster.settings |= {"MAX_RESTARTS": "0", "SEEDS": "1"}
    assert cluster.submit(STUB_TIME="1").returncode == 1
    assert "giving up" in (cluster.logs / "slurm-walk-0.out").read_text()


def test_a_job_whose_time_is_too_short_for_an_iteration_says_so_and_stops(cluster: Cluster) -> None:
    cluster.settings |= {"SEEDS": "1"}
    outcome = cluster.submit("agent.slow=2", STUB_TIME="0.5")
    assert outcome.returncode == 1
    assert cluster.history.read_text() == "task 0, restart 0: 1\n"
    told = (cluster.logs / "slurm-walk-0.out").read_text()
    assert "seed 7 has no new checkpoint after TIME=1:00:00: giving up" in told
    assert "set a longer TIME" in told


def test_a_gpu_is_asked_for_and_several_go_through_torchrun(cluster: Cluster) -> None:
    cluster.settings |= {"GPUS": "2", "SEEDS": "1"}
    assert cluster.submit().returncode == 0
    assert "<--nv>" in (cluster.folder / "apptainer").read_text()
    (line,) = cluster.trainings()
    assert line.startswith("<-p><-m><torch.distributed.run><--standalone><--nproc_per_node><2><scripts/train.py>")
    assert "<--distributed>" in line
    assert "<--device>" not in line


def test_a_seed_does_not_take_another_seeds_run(cluster: Cluster, repository: Path) -> None:
    workspace = cluster.root / "workspace/himloco_lab"
    for name in ("walk_seed1", "walk_seed10", "old_walk_seed1", "walk_seed1-2", "walk_seed1-2x", "other"):
        run = workspace / "logs/rsl_rl/g1" / f"2026-01-01_00-00-00_{name}"
        run.mkdir(parents=True)
        (run / "model_3.pt").write_text("3")
    (workspace / "logs/rsl_rl/g1/2026-01-02_00-00-00_walk_seed1").mkdir()  # has saved nothing
    command = [repository / "docker/cluster/train_seed.sh", "T", "g1", "walk", "1"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(cluster.root), "MAX_ITERATIONS": "5"}
    done = subprocess.run(command, cwd=workspace, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (line,) = cluster.trainings()
    assert "<--load_run><2026-01-01_00-00-00_walk_seed1-2>" in line
    assert "<--max_iterations><1>" in line
    done = subprocess.run(command, cwd=workspace, env=environment, capture_output=True, text=True)
    assert "has all its 5 iterations" in done.stdout


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SEEDS": "0"}, "SEEDS=0"),
        ({"SEEDS": "two"}, "SEEDS=two"),
        ({"JOB_NAME": "a b"}, "JOB_NAME=a b"),
        ({"EXPERIMENT": "../up"}, "EXPERIMENT=../up"),
        ({"MAX_ITERATIONS": "1e3"}, "MAX_ITERATIONS=1e3"),
        ({"LOG_DIR": "logs"}, "LOG_DIR=logs"),
        ({"CACHE_DIR": "/a,/b:/c"}, "CACHE_DIR=/a,/b:/c"),
        ({"TIME": ""}, "TIME is missing"),
        ({"IMAGE": "/no/image.sif"}, "no image /no/image.sif"),
        ({"SPEED": "1"}, "SPEED=1"),
    ],
)
def test_wrong_settings_are_named_and_nothing_is_submitted(
    cluster: Cluster, change: dict[str, str], named: str
) -> None:
    cluster.settings |= change
    outcome = cluster.submit()
    assert outcome.returncode == 2
    (line,) = outcome.stderr.splitlines()
    assert named in line
    assert not cluster.history.exists()


def test_settings_are_read_and_not_executed(cluster: Cluster) -> None:
    text = "".join(f"{key}={value}\n" for key, value in cluster.settings.items())
    outcome = cluster.submit(text=text + "ACCOUNT=$(touch executed)`touch executed`\ntouch executed\n")
    assert outcome.returncode == 2
    assert "'touch executed' is no setting" in outcome.stderr
    cluster.submit(text=text + "PARTITION=$(touch executed); touch executed\n")
    assert not list(cluster.folder.rglob("executed"))
