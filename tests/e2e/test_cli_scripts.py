# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The scripts themselves, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TASKS = tuple(f"Himloco-G1-{kind}-v0" for kind in ("Flat", "Rough-Perceptive", "Rough", "Sturdy"))
QUADRUPEDS = tuple(
    f"Himloco-{robot}-{kind}-v0" for robot in ("A1", "Aliengo", "Go1", "Go2") for kind in ("Flat", "Rough")
)


@pytest.fixture
def run(repository, tmp_path):
    """Run one of the scripts, or Python with other arguments, in an empty folder."""

    def command(*argv: str, folder: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        scripts = [str(repository / part) if part.startswith("scripts/") else part for part in argv]
        return subprocess.run(
            [sys.executable, *scripts], cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )

    return command


def assert_refused(result: subprocess.CompletedProcess[str], code: int, *named: str) -> None:
    """Check that the last line on stderr is the only complaint and names what it must."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    complaint = result.stderr.splitlines()[-1]
    assert complaint.startswith("error: ")
    for part in named:
        assert part in complaint


@pytest.mark.parametrize("script", ["train", "list_envs", "zero_agent", "random_agent"])
def test_a_wrong_python_says_so(run, repository, script):
    pretend = f"import sys, runpy; sys.version_info = (3, 11, 4); sys.path.insert(0, {str(repository / 'scripts')!r});"
    path = str(repository / "scripts" / f"{script}.py")
    result = run("-c", f"{pretend} sys.argv = [{path!r}]; runpy.run_path({path!r}, run_name='__main__')")
    assert_refused(result, 1, "Python 3.11.4", "3.12", "./himloco.sh -p")


def test_a_python_without_the_packages_says_so(run):
    assert_refused(run("-S", "scripts/train.py"), 1, "no package", "./himloco.sh -p")


def test_an_unknown_task(run):
    result = run("scripts/train.py", "--task", "Himloco-G1-Ruogh-v0")
    assert_refused(result, 2, "Himloco-G1-Ruogh-v0", "did you mean Himloco-G1-Rough-v0")
    assert len(result.stderr.splitlines()) == 1


def test_a_wrong_flag_is_refused_before_the_learner_is_loaded(run):
    code = (
        "import sys; from himloco_lab.commands.train import main;"
        f" code = main(['--task', {TASKS[0]!r}, '--numenvs', '4']); print(code, 'himloco_rl' in sys.modules)"
    )
    result = run("-c", code)
    assert result.stdout.splitlines()[-1] == "2 False", result.stderr


def test_a_log_folder_that_cannot_be_written(run, tmp_path):
    (tmp_path / "logs").write_text("a file where the folder should be")
    result = run("scripts/train.py", "--task", TASKS[0], "--num_envs", "2", "--device", "cpu")
    assert_refused(result, 1, "cannot create the log folder", str(tmp_path / "logs"))


@pytest.mark.skipif("ISAAC_PATH" in os.environ, reason="Isaac Sim is here")
def test_isaac_sim_where_there_is_none(run, tmp_path):
    result = run("scripts/train.py", "--task", TASKS[0], "--device", "cpu", "physics=isaacsim_physx")
    assert_refused(result, 1, "Isaac Sim is not installed", "physics=ovphysx")
    assert not (tmp_path / "logs").exists()


def test_list_envs_shows_tasks_configurations_and_presets(run):
    result = run("scripts/list_envs.py")
    assert result.returncode == 0, result.stderr
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    for task, name in zip(TASKS, ("G1Flat", "G1RoughPerceptive", "G1Rough", "G1Sturdy"), strict=True):
        assert f"{name}EnvCfg" in rows[task]
        assert f"{name}HIMRunnerCfg" in rows[task]
        assert "newton_mjwarp, ovphysx, physx" in rows[task]
    for task in QUADRUPEDS:
        assert f"{task.split('-')[1]}{task.split('-')[2]}EnvCfg" in rows[task]
    assert set(rows) - {"task", *TASKS, *QUADRUPEDS} == {"-" * len(TASKS[1])}


def test_list_envs_without_presets_needs_no_simulator(run):
    code = (
        "import sys; from himloco_lab.commands.list_envs import main;"
        " main(['--no_presets']); print('torch' in sys.modules)"
    )
    result = run("-c", code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "False"
    assert all(task in result.stdout for task in TASKS)


def test_list_envs_with_an_unknown_keyword(run):
    assert_refused(run("scripts/list_envs.py", "--no_presets", "--keyword", "Go9"), 2, "Go9", TASKS[0])


def test_isaac_lab_lists_our_tasks(run, repository):
    result = run("-m", "isaaclab", "list_envs", folder=repository)
    assert result.returncode == 0, result.stderr
    listed = [line.split("|")[2].strip() for line in result.stdout.splitlines() if line.count("|") > 3]
    assert set(TASKS) <= {name for name in listed if name.startswith("Himloco-")}
    assert not [name for name in listed if name.startswith("Isaac-")], "the repository shows its own tasks only"


@pytest.mark.parametrize("policy", ["zero", "random"])
def test_agents_step_a_task(run, policy):
    result = run(
        *(f"scripts/{policy}_agent.py", "--task", TASKS[0], "--num_envs", "3", "--max_steps", "12", "--device", "cpu")
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert f"{policy} actions of shape (3, 12), 12 steps" in result.stdout
    assert "12 steps of 3 environments" in result.stdout


def test_agents_refuse_bad_input(run):
    assert_refused(run("scripts/zero_agent.py", "--task", TASKS[0], "--max_steps", "0"), 2, "--max_steps 0")
