# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Run folders and the checkpoints in them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch
from isaaclab_rl.entrypoints.common import write_run_manifest

from himloco_lab.errors import CliError
from himloco_lab.runs.checkpoints import find_checkpoint, find_resumed_checkpoint
from himloco_lab.runs.run_folder import make_run_folder

TASK = {"task": "Himloco-G1-Flat-v0", "agent_entry": "rsl_rl_cfg_entry_point"}
DEFAULT = "model_.*.pt"  # Isaac Lab's default of load_checkpoint


def write_run(root: Path, name: str, *models: str) -> Path:
    run = root / name
    write_run_manifest(str(run), library="rsl_rl", task=TASK["task"], metadata={"agent": TASK["agent_entry"]})
    for model in models:
        torch.save({"iter": 0}, run / model)
    return run


@pytest.fixture
def root(tmp_path) -> Path:
    """An experiment of two finished runs and one that has not saved anything yet."""
    write_run(tmp_path, "2026-01-01_10-00-00", "model_0.pt", "model_9.pt", "model_10.pt")
    write_run(tmp_path, "2026-01-02_10-00-00_rough", "model_0.pt", "model_50.pt", "model_100.pt", "other.pt")
    write_run(tmp_path, "2026-01-03_10-00-00")
    return tmp_path


@pytest.mark.parametrize(
    ("load_run", "checkpoint", "expected"),
    [
        (".*", DEFAULT, "2026-01-02_10-00-00_rough/model_100.pt"),  # newest run that has any, newest model
        ("-1", "-1", "2026-01-02_10-00-00_rough/model_100.pt"),  # as legged_gym says it
        ("2026-01-01", DEFAULT, "2026-01-01_10-00-00/model_10.pt"),  # 10 comes after 9
        ("2026-01-01_10-00-00", "model_9.pt", "2026-01-01_10-00-00/model_9.pt"),
        (".*", "50", "2026-01-02_10-00-00_rough/model_50.pt"),
        (".*_rough", "other.pt", "2026-01-02_10-00-00_rough/other.pt"),
        (".*", r"model_1\d?.pt", "2026-01-01_10-00-00/model_10.pt"),
    ],
)
def test_resume_finds(root, load_run, checkpoint, expected):
    assert find_resumed_checkpoint(root, load_run, checkpoint) == root / expected


@pytest.mark.parametrize(
    ("load_run", "checkpoint", "named"),
    [
        ("2027", DEFAULT, "2026-01-03_10-00-00"),  # the runs there are
        ("2026-01-02", "model_7.pt", "model_100.pt"),  # the models there are
        ("2026-01-03", DEFAULT, "nor any other"),
        ("[", DEFAULT, "--load_run ["),
        (".*", "model_(", "--checkpoint model_("),
    ],
)
def test_resume_says_what_there_is(root, load_run, checkpoint, named):
    with pytest.raises(CliError) as error:
        find_resumed_checkpoint(root, load_run, checkpoint)
    assert named in str(error.value)


def test_a_truncated_checkpoint_gives_way_to_the_one_before_unless_it_is_named(root, capsys):
    run = root / "2026-01-02_10-00-00_rough"
    path = run / "model_100.pt"
    path.write_bytes(path.read_bytes()[:-200])
    assert find_resumed_checkpoint(root, ".*", DEFAULT) == run / "model_50.pt"
    assert find_checkpoint(str(run), root, **TASK) == run / "model_50.pt"
    assert find_checkpoint("latest", root, **TASK).name in ("model_50.pt", "model_10.pt")
    said = capsys.readouterr().out
    assert f"[WARNING] {path} is no checkpoint of PyTorch, or a truncated one" in said
    assert "taking model_50.pt instead" in said
    with pytest.raises(CliError, match=r"model_100\.pt is no checkpoint"):
        find_resumed_checkpoint(root, ".*", "model_100.pt")
    with pytest.raises(CliError, match=r"model_100\.pt is no checkpoint"):
        find_checkpoint(str(path), root, **TASK)
    for other in run.glob("model_*.pt"):
        other.write_bytes(b"")
    other_run = root / "2026-01-01_10-00-00"
    assert find_checkpoint("latest", root, **TASK) == other_run / "model_10.pt"
    assert f"choose another: taking an earlier run's, {other_run}" in capsys.readouterr().out
    with pytest.raises(CliError, match=r"model_100\.pt is no checkpoint"):  # the newest of those that are none
        find_resumed_checkpoint(root, run.name, DEFAULT)


class Hostile:
    def __reduce__(self):
        return print, ("executed",)


def test_a_checkpoint_that_wants_to_run_something_is_refused(root, capsys):
    path = root / "2026-01-02_10-00-00_rough" / "model_100.pt"
    torch.save({"iter": 1, "infos": Hostile()}, path)
    with pytest.raises(CliError, match=r"wants to run (builtins\.)?print") as error:
        find_checkpoint(str(path), root, **TASK)
    assert error.value.code == 1
    assert "executed" not in capsys.readouterr().out


def test_selectors_follow_the_manifest_not_the_name(root):
    write_run(root, "1999-12-31_00-00-00", "model_3.pt")  # written last
    assert find_checkpoint("latest", root, **TASK).parent.name == "1999-12-31_00-00-00"
    assert find_checkpoint("best", root, **TASK).name == "model_3.pt"
    with pytest.raises(CliError, match="no run of Himloco-G1-Rough-v0"):
        find_checkpoint("latest", root, task="Himloco-G1-Rough-v0", agent_entry=TASK["agent_entry"])


def test_a_path_may_be_a_file_or_a_run(root):
    run = root / "2026-01-01_10-00-00"
    assert find_checkpoint(str(run), root, **TASK) == run / "model_10.pt"
    assert find_checkpoint(str(run / "model_9.pt"), root, **TASK) == run / "model_9.pt"
    with pytest.raises(CliError, match=r"beside it is .*model_10\.pt"):
        find_checkpoint(str(run / "model_11.pt"), root, **TASK)


def test_run_folders_are_named_as_isaac_lab_names_them(tmp_path):
    assert make_run_folder(tmp_path / "logs", "walk", "2026-01-01_10-00-00").name == "2026-01-01_10-00-00_walk"
    assert make_run_folder(tmp_path / "logs", "", "2026-01-01_10-00-00").name == "2026-01-01_10-00-00"


def _make(root: Path, queue) -> None:
    queue.put(str(make_run_folder(root, "walk", "2026-01-01_10-00-00")))


def test_runs_of_one_second_do_not_share_a_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=_make, args=(tmp_path / "logs", queue)) for _ in range(8)]
    for process in processes:
        process.start()
    folders = {queue.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(folders) == 8
    assert {Path(folder).name.removeprefix("2026-01-01_10-00-00_walk") for folder in folders} == {
        "", "-2", "-3", "-4", "-5", "-6", "-7", "-8"
    }  # fmt: skip


def test_a_log_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "logs").write_text("a file where the folder should be")
    with pytest.raises(CliError, match=r"cannot create the log folder .*(Not a directory|File exists)") as error:
        make_run_folder(tmp_path / "logs" / "g1", "")
    assert error.value.code == 1
    with pytest.raises(CliError, match="File name too long"):
        make_run_folder(tmp_path, "x" * 300)


def test_a_log_folder_without_permission():
    with pytest.raises(CliError, match=r"cannot create the log folder /sys/himloco.*not permitted|denied|Read-only"):
        make_run_folder(Path("/sys/himloco"), "")  # a place where not even root creates folders
