# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``--resume`` continues, and which checkpoints are refused before a simulation is built."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.dummy_rollouts import DummyRollouts
from isaaclab.utils import to_dict
from isaaclab_rl.entrypoints.common import write_run_manifest
from isaaclab_rl.rsl_rl import handle_deprecated_rsl_rl_cfg
from isaaclab_rl.rsl_rl.utils import check_rsl_rl_version
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] - its documented place

from himloco_lab.commands.train import Plan, check_checkpoint, plan_run
from himloco_lab.errors import CliError
from himloco_lab.runs.loading import build_runner
from himloco_lab.runs.run_folder import claim, earlier_checkpoint, remember_folder, write_configs
from himloco_lab.setup.machine import check_shared_memory
from himloco_lab.tasks.velocity.config.g1.agents.rsl_rl_him_cfg import G1FlatHIMRunnerCfg

FLAT, ROUGH = "Himloco-G1-Flat-v0", "Himloco-G1-Rough-v0"


def planned(*argv: str, task: str = FLAT) -> Plan:
    plan = plan_run(["--task", task, "--device", "cpu", "--num_envs", "4", *argv])
    handle_deprecated_rsl_rl_cfg(plan.agent_cfg, check_rsl_rl_version())
    return plan


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the Flat task's networks after iteration 59 of 100, written without a simulation."""
    cfg: Any = to_dict(handle_deprecated_rsl_rl_cfg(G1FlatHIMRunnerCfg(), check_rsl_rl_version()))
    runner = build_runner(DummyRollouts(4), cfg | {"num_steps_per_env": 2}, None, "cpu")
    runner.last_iteration, runner._total_it = 59, 100
    runner.made_with["task"] = FLAT
    path = tmp_path_factory.mktemp("made") / "model_59.pt"
    runner.save(str(path))
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> Path:
    """A stopped run of the Flat task that was started with ``--max_iterations 100``."""
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "logs" / "rsl_rl" / "himloco_g1_flat" / "2026-01-01_10-00-00_walk"
    write_run_manifest(str(folder), library="rsl_rl", task=FLAT, metadata={"agent": "rsl_rl_cfg_entry_point"})
    plan = planned("--max_iterations", "100")
    write_configs(folder, plan.env_cfg, plan.agent_cfg, None)
    for name in ("model_0.pt", "model_59.pt"):
        (folder / name).write_bytes(checkpoint.read_bytes())
    return folder


@pytest.mark.parametrize(
    ("flags", "same_folder", "iterations"),
    [
        (("--resume", "--max_iterations", "100"), True, 40),  # the command it was started with: to its end
        (("--resume", "--max_iterations", "7"), True, 7),  # so many more
        (("--resume", "--run_name", "walk"), True, 3000),
        (("--resume", "--load_run", ".*walk", "--max_iterations", "100"), True, 40),
        (("--resume", "--run_name", "turn", "--max_iterations", "100"), False, 100),  # a run of its own
        (("--resume", "--checkpoint", "0", "--max_iterations", "100"), False, 100),  # not where the run has come to
        (("--checkpoint", "latest", "--max_iterations", "100"), False, 100),
    ],
)
def test_resume_goes_on_in_the_same_folder_or_starts_a_run(
    run: Path, flags: tuple[str, ...], same_folder: bool, iterations: int
) -> None:
    plan = planned(*flags)
    assert plan.resume_path is not None and plan.resume_path.parent == run
    assert plan.continues is same_folder
    assert check_checkpoint(plan) == iterations


def test_another_tasks_run_is_not_continued(run: Path) -> None:
    with pytest.raises(CliError, match=rf"model_59\.pt is of a run of {FLAT}, not {ROUGH}; name the run") as error:
        planned("--resume", "--experiment_name", "himloco_g1_flat", task=ROUGH)
    assert error.value.code == 1


def test_what_does_not_fit_is_named_before_the_simulation(run: Path) -> None:
    path = str(run / "model_59.pt")
    with pytest.raises(CliError, match=rf"does not fit {ROUGH}: observation group 'critic' has 'height_scan' only"):
        check_checkpoint(planned("--checkpoint", path, task=ROUGH))
    with pytest.raises(
        CliError,
        match=rf"layer mlp\.2\.weight of the actor has shape \[128, 256\] there and \[64, 256\] here \(it was made with"
        rf" {FLAT}\)",
    ):
        check_checkpoint(planned("--checkpoint", path, "agent.actor.hidden_dims=[256,64,128]"))
    with pytest.raises(CliError, match=r"group 'policy' has 6 frames there and 3 here"):
        check_checkpoint(planned("--checkpoint", path, "env.observations.policy.history_length=3"))
    torch.save({"model": torch.zeros(3)}, path)
    with pytest.raises(CliError, match=r"model_59\.pt is no checkpoint of rsl_rl: it holds model, but no actor_state"):
        check_checkpoint(planned("--checkpoint", path))


def test_physx_without_shared_memory_says_so(run: Path) -> None:
    with pytest.raises(CliError, match=r"PhysX needs .*gone, which cannot be written here \(No such file"):
        check_shared_memory(planned("physics=ovphysx").env_cfg, str(run / "gone"))
    check_shared_memory(planned("physics=newton_mjwarp").env_cfg, str(run / "gone"))


def test_a_run_has_one_training_at_a_time(run: Path) -> None:
    with claim(run), pytest.raises(CliError, match=rf"another training writes to {run}"), claim(run):
        pass
    with claim(run):
        pass


def test_earlier_configurations_stay_beside_the_new_ones(run: Path) -> None:
    plan = planned("--resume", "--max_iterations", "100", "env.episode_length_s=7.5")
    old = (run / "params" / "env.yaml").read_text()
    write_configs(run, plan.env_cfg, plan.agent_cfg, 59)
    assert "episode_length_s: 7.5" in (run / "params" / "env.yaml").read_text()
    assert (run / "params" / "env_until_59.yaml").read_text() == old


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> TCPStore:
    """This process as one that torchrun has started, with the store that torchrun keeps."""
    store = TCPStore("127.0.0.1", 0, is_master=True)
    shared = {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "RANK": "0"}
    for name, value in (shared | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}).items():
        monkeypatch.setenv(name, value)
    return store


def test_what_torchrun_starts_again_goes_on_to_the_end_it_had(
    run: Path, torchrun: TCPStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--distributed", "--max_iterations", "7")
    assert planned(*flags).resume_path is None  # the first start
    remember_folder(run)
    plan = planned(*flags)
    assert plan.resume_path == run / "model_59.pt" and plan.continues
    assert f"it goes on in {run}" in capsys.readouterr().out
    assert check_checkpoint(plan) == 40  # of the 100 that it was started with
    (run / "model_59.pt").write_bytes(b"half a file")
    assert planned(*flags).resume_path == run / "model_0.pt"
    monkeypatch.setenv("RANK", "1")
    assert planned(*flags).resume_path is None  # it gets the first one's
    monkeypatch.setenv("RANK", "0")
    run.rename(run.with_name("elsewhere"))
    assert planned(*flags).resume_path is None
    assert f"{run} is not on this machine" in capsys.readouterr().out


def test_a_run_that_lost_a_process_at_its_very_end_makes_no_more(run: Path, torchrun: TCPStore) -> None:
    contents = torch.load(run / "model_59.pt", weights_only=True)
    torch.save(contents | {"total_iterations": 60}, run / "model_59.pt")
    remember_folder(run)
    assert check_checkpoint(planned("--distributed", "--max_iterations", "60")) == 0


def test_without_torchrun_nothing_is_remembered(run: Path) -> None:
    remember_folder(run)
    assert earlier_checkpoint() is None
