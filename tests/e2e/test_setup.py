# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""himloco.sh on a machine made of stand-ins: a PATH with the system's tools and stub Pythons and a stub uv.

The stub Python answers as the interpreter it plays; the stub uv writes down what it is asked to do. So every way a
set-up can go takes milliseconds and needs no network, while the script under test is the real one.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stub_machine import Machine


@pytest.fixture
def machine(tmp_path: Path, repository: Path) -> Machine:
    """Return a machine without any Python."""
    return Machine(tmp_path, repository)


@pytest.fixture
def ready(machine: Machine) -> Machine:
    """Return a machine on which the environment is installed."""
    machine.python("python3.12")
    machine.uv()
    outcome = machine.run("-i")
    assert outcome.returncode == 0, outcome.stderr
    assert machine.locked_installs() == 1
    return machine


def one_error_line(outcome: subprocess.CompletedProcess[str]) -> str:
    """Return the only line on stderr of a run that failed."""
    assert outcome.returncode not in (0, 126, 127), outcome
    assert outcome.stdout == ""
    (line,) = outcome.stderr.splitlines()
    return line


# --- which Python ---


def test_a_given_python_of_another_version_is_named(machine: Machine) -> None:
    given = machine.python("python3.11", "3.11.7")
    line = one_error_line(machine.run("-p", "x.py", PYTHON=str(given)))
    assert str(given) in line
    assert "3.11.7" in line
    assert "3.12" in line.replace(str(given), "")
    assert not (machine.clone / ".venv").exists()


def test_a_given_python_that_does_not_run_is_named_with_its_reason(machine: Machine) -> None:
    line = one_error_line(machine.run("-i", PYTHON=str(machine.broken("python3.12"))))
    assert "python3.12 does not run (pyenv: not found)" in line


def test_a_given_python_that_does_not_exist(machine: Machine) -> None:
    line = one_error_line(machine.run("-t", PYTHON="/no/python"))
    assert "PYTHON=/no/python does not run (/no/python: No such file or directory)" in line


def test_a_wrong_given_python_is_refused_beside_a_finished_environment(ready: Machine) -> None:
    assert "3.10.1" in one_error_line(ready.run("-p", "x.py", PYTHON=str(ready.python("old", "3.10.1"))))


def test_another_implementation_is_refused(machine: Machine) -> None:
    given = machine.python("pypy", implementation="PyPy")
    assert "PyPy 3.12.4" in one_error_line(machine.run("-i", PYTHON=str(given)))


def test_a_shim_that_fails_is_passed_over_and_the_newest_of_pyenv_taken(machine: Machine) -> None:
    machine.broken("python3.12")
    machine.python("python3", "3.11.2")
    versions = machine.home / ".pyenv/versions"
    for version in ("3.12.1", "3.12.9"):
        machine.python(versions / f"{version}/bin/python", version)
    newest = machine.python(versions / "3.12.10/bin/python", "3.12.10")
    machine.python(versions / "3.13.0/bin/python", "3.13.0")
    machine.uv()
    outcome = machine.run("-i")
    assert outcome.returncode == 0, outcome.stderr
    (venv,) = [line for line in machine.log("uv") if line.startswith("venv")]
    assert f"--python {newest} " in venv


def test_the_python_that_uv_knows_is_taken_last(machine: Machine) -> None:
    machine.python(machine.home / "uv/python3.12")
    machine.uv()
    outcome = machine.run("-i", STUB_KNOWN="1")
    assert outcome.returncode == 0, outcome.stderr
    (venv,) = [line for line in machine.log("uv") if line.startswith("venv")]
    assert "--python 3.12 " in venv and venv.endswith("--no-python-downloads")


def test_where_no_python_can_be_had_it_says_how_to_get_one(machine: Machine) -> None:
    machine.uv()
    outcome = machine.run("-i")
    assert outcome.returncode == 1
    known, downloaded = [line for line in machine.log("uv") if line.startswith("venv")]
    assert known == f"{downloaded} --no-python-downloads"
    for way in ("apt-get install python3.12", "pyenv install 3.12", "PYTHON=DIR/bin/python ./himloco.sh -i"):
        assert way in outcome.stderr


# --- the finished environment ---


def test_a_finished_environment_is_not_installed_again(ready: Machine) -> None:
    before = ready.log("uv")
    assert ready.run("-i").returncode == 0
    assert ready.run("-p", "x.py").returncode == 0
    assert ready.log("uv") == before


def test_a_finished_environment_costs_less_than_a_second(ready: Machine) -> None:
    """With a real Python in it, which is asked who it is before it runs what is wanted."""
    ready.script(ready.clone / ".venv/bin/python", f'#!/usr/bin/env bash\nexec {sys.executable} "$@"\n')
    before, start = ready.log("uv"), _seconds_of_children()
    outcome = ready.run("-p", "-c", "print('here')")
    assert (outcome.stdout, outcome.stderr) == ("here\n", "")
    assert _seconds_of_children() - start < 1.0
    assert ready.log("uv") == before


def _seconds_of_children() -> float:
    """Time on a core of all processes that were waited for: what other tests take does not count [s]."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_arguments_working_folder_and_exit_code_pass_through(ready: Machine) -> None:
    outcome = ready.run("-p", "a b.py", "", "--x=$HOME", "*", STUB_EXIT="7")
    assert outcome.returncode == 7
    assert outcome.stdout == outcome.stderr == ""
    assert ready.log("python") == [f"<{ready.home}><a b.py><><--x=$HOME><*>"]


def test_a_user_without_a_home_gets_one(ready: Machine, tmp_path: Path) -> None:
    (ready.bin / "mktemp").symlink_to(shutil.which("mktemp") or pytest.skip("no mktemp here"))
    python = ready.clone / ".venv/bin/python"
    python.write_text(python.read_text().replace("\n", '\n[[ $1 != x.py ]] || { echo "$HOME"; exit; }\n', 1))
    for home in ("/nonexistent", "/dev/null"):
        own = tmp_path / f"himloco-home-{os.geteuid()}"
        assert ready.run("-p", "x.py", HOME=home, TMPDIR=str(tmp_path)).stdout.strip() == str(own)
        assert own.stat().st_mode & 0o777 == 0o700
    own.rmdir()
    own.symlink_to("/usr")  # somebody else's doing
    given = ready.run("-p", "x.py", HOME="/nonexistent", TMPDIR=str(tmp_path)).stdout.strip()
    assert Path(given).parent == tmp_path
    assert given != str(own)
    assert ready.run("-p", "x.py").stdout.strip() == str(ready.home)


def test_an_environment_is_trimmed_before_it_is_tried(machine: Machine) -> None:
    machine.python("python3.12")
    machine.uv()
    trim = machine.script("trim", '#!/usr/bin/env bash\necho "$1" >"$HOME/trimmed"\n')
    assert machine.run("-i", HIMLOCO_TRIM=str(trim)).returncode == 0
    assert (machine.home / "trimmed").read_text().strip() == str(machine.clone / ".venv")
    shutil.rmtree(machine.clone / ".venv")
    outcome = machine.run("-i", HIMLOCO_TRIM="/no/program")
    assert outcome.returncode == 1
    assert "HIMLOCO_TRIM=/no/program failed" in outcome.stderr


def test_tests_run_from_the_repository_and_take_pytest_arguments(ready: Machine) -> None:
    assert ready.run("-t", "-k", "a or b", STUB_EXIT="1").returncode == 1
    assert ready.log("python") == [f"<{ready.clone}><-m><pytest><-k><a or b>"]


def test_p_installs_first(machine: Machine) -> None:
    machine.python("python3.12")
    machine.uv()
    assert machine.run("-p", "x.py").returncode == 0
    assert machine.locked_installs() == 1
    assert machine.log("python") == [f"<{machine.home}><x.py>"]


def test_a_search_path_is_for_what_runs_and_not_for_the_installers(machine: Machine) -> None:
    machine.python("python3.12")
    machine.uv()
    for _ in range(2):
        assert machine.run("-p", "x.py", PYTHONPATH="/mine").returncode == 0
    assert machine.log("python") == [f"<{machine.home}><x.py>PYTHONPATH=/mine"] * 2
    assert not any("/mine" in line for line in machine.log("uv"))


def test_both_packages_are_installed_editable_and_the_rest_by_hash(ready: Machine) -> None:
    lock, packages = ready.log("uv")[-2:]
    assert lock.endswith(f"--require-hashes -r {ready.clone}/requirements.lock")
    assert packages.endswith(f"--no-deps -e {ready.clone}/source/himloco_rl -e {ready.clone}/exts/himloco_lab")


def test_a_changed_lock_is_installed_into_what_is_there(ready: Machine) -> None:
    kept = ready.clone / ".venv/kept"
    kept.touch()
    with (ready.clone / "requirements.lock").open("a") as lock:
        lock.write("more==1 \\\n    --hash=sha256:22\n")
    assert ready.run("-i").returncode == 0
    assert ready.locked_installs() == 2
    assert kept.exists()


def test_a_changed_package_file_is_installed_again(ready: Machine) -> None:
    with (ready.clone / "exts/himloco_lab/pyproject.toml").open("a") as file:
        file.write("# changed\n")
    assert ready.run("-p", "x.py").returncode == 0
    assert ready.locked_installs() == 2


def test_an_environment_whose_python_is_gone_is_made_anew(ready: Machine) -> None:
    ready.broken(str(ready.clone / ".venv/bin/python"))
    assert ready.run("-p", "x.py").returncode == 0
    assert ready.locked_installs() == 2


def test_a_moved_environment_is_made_anew(ready: Machine) -> None:
    moved = ready.home / "moved"
    shutil.move(ready.clone / ".venv", moved)
    (ready.clone / ".venv").mkdir()
    (moved / "old").touch()
    assert ready.run("-i", HIMLOCO_VENV=str(moved)).returncode == 0
    assert not (moved / "old").exists()
    assert ready.locked_installs() == 2


# --- what goes wrong ---


def test_an_install_that_was_killed_is_made_anew_and_completed(machine: Machine) -> None:
    machine.python("python3.12")
    machine.uv()
    half = machine.clone / ".venv/half-written"
    assert machine.run("-i", STUB_DIE="1").returncode == -signal.SIGKILL
    assert half.exists()
    half.write_text("damaged")
    outcome = machine.run("-p", "x.py")
    assert outcome.returncode == 0, outcome.stderr
    assert half.read_text() == "half\n"
    assert sum(line.startswith("venv") for line in machine.log("uv")) == 2
    before = machine.log("uv")
    machine.run("-i")
    assert machine.log("uv") == before


def test_two_at_once_install_once(machine: Machine) -> None:
    machine.python("python3.12")
    machine.uv()
    command = [machine.clone / "himloco.sh", "-i"]
    environment = machine.environment | {"STUB_SLEEP": "2"}
    first = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while machine.locked_installs() == 0 and first.poll() is None:
        time.sleep(0.02)
    second = machine.run("-i")
    assert first.wait() == 0
    assert second.returncode == 0
    assert "another himloco.sh is installing" in second.stderr
    assert machine.locked_installs() == 1


def test_a_folder_of_packages_that_does_not_exist_is_named(machine: Machine) -> None:
    machine.python("python3.12")
    machine.uv()
    assert "HIMLOCO_WHEELS=/no/wheels is no folder" in one_error_line(machine.run("-i", HIMLOCO_WHEELS="/no/wheels"))
    assert machine.locked_installs() == 0


def test_a_folder_of_somebody_else_is_refused_and_left_alone(machine: Machine) -> None:
    machine.python("python3.12")
    machine.uv()
    foreign = machine.home / "thesis"
    foreign.mkdir()
    (foreign / "chapter.tex").write_text("years of work")
    line = one_error_line(machine.run("-i", HIMLOCO_VENV=str(foreign)))
    assert f"{foreign} was not made by himloco.sh" in line
    assert [path.name for path in foreign.iterdir()] == ["chapter.tex"]


@pytest.mark.parametrize("root", [True, False], ids=["apt-get installs", "the user is told"])
def test_system_libraries_that_physx_lacks(machine: Machine, root: bool) -> None:
    machine.python("python3.12")
    machine.uv()
    missing = machine.home / "missing"
    missing.write_text("libGL.so.1\n")
    if root:
        if os.geteuid() != 0:
            pytest.skip("apt-get is for root")
        machine.script("apt-get", f'#!/usr/bin/env bash\necho "$*" >>"$HOME/apt.log"\n: >{missing}\n')
    outcome = machine.run("-p", "x.py")
    assert outcome.returncode == 0
    assert "PhysX needs libGL.so.1 of the system" in outcome.stderr
    assert any("libgl1" in line for line in machine.log("apt")) == root
    again = machine.run("-p", "x.py").stderr
    assert ("libgl1" in again) != root
    missing.unlink(missing_ok=True)
    machine.run("-p", "x.py")
    assert machine.run("-p", "x.py").stderr == ""


def test_an_unknown_option_is_named(machine: Machine) -> None:
    assert "'--instal'" in one_error_line(machine.run("--instal"))


def test_a_folder_that_cannot_be_made(machine: Machine) -> None:
    (machine.home / "file").touch()
    line = one_error_line(machine.run("-i", HIMLOCO_VENV=str(machine.home / "file/venv")))
    assert f"cannot write to {machine.home}/file/venv" in line


def test_the_lock_is_written_by_uv_with_what_follows(ready: Machine) -> None:
    (ready.clone / "requirements.in").touch()
    assert ready.run("--lock", "--upgrade-package", "onnx").returncode == 0
    assert ready.log("uv")[-1].startswith("pip compile ")
    assert ready.log("uv")[-1].endswith("requirements.in --upgrade-package onnx")
