# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One run of a campaign: ``scripts/train.py`` in a process of its own, and its curves."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.launches import python_command
from benchmarks.machine import describe
from plot_run import read_run

from himloco_lab.errors import FAILURE, INTERRUPTED, CliError

from .campaign import CURVES, Run, write_record


def make_run(run: Run, repository: Path, logs: Path, records: Path) -> None:
    """Train, and keep the record; what an interrupted attempt left is thrown away first.

    Args:
        run: The run.
        repository: Folder of the repository, whose ``scripts/train.py`` is started.
        logs: Folder of the runs' own logs and checkpoints, which stay there.
        records: Folder of the records.

    Raises:
        CliError: If the training fails.
        KeyboardInterrupt: If it is interrupted.
    """
    folder = (logs / run.name).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    commit, start = commit_of(repository), time.perf_counter()
    output = folder / "output.txt"
    command = [*python_command(repository), str(repository / "scripts" / "train.py"), *run.arguments]
    code = _run(command, folder, output)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    found = list(folder.glob("logs/rsl_rl/*/*"))
    if code != 0 or len(found) != 1:
        last = (output.read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise CliError(f"{run.name} ended with code {code} ({last}); its output is in {output}", FAILURE)
    facts = {
        **{"date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "commit": commit, "machine": describe()},
        "minutes": round((time.perf_counter() - start) / 60.0, 2),
    }
    write_record(records, run, read_run(found[0], CURVES), facts)


@contextlib.contextmanager
def only_campaign(logs: Path) -> Iterator[None]:
    """Hold the logs' folder, so that no second campaign trains beside this one and into the same files.

    Raises:
        CliError: If another one holds it.
    """
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = f"another campaign is at work in {logs}; wait for it, or name other folders by --logs and --out"
            raise CliError(message, FAILURE) from None
        yield


def commit_of(repository: Path) -> str:
    """The commit that is checked out, with ``+`` behind it if code is changed; ``unknown`` outside of git."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(repository), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "-uno", "--", "exts", "source", "scripts")
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _run(command: list[str], folder: Path, output: Path) -> int:
    """Run a command to its end, or end it with this process; return its exit code."""
    with output.open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            return process.wait()
        finally:  # Ctrl-C reaches both; SIGTERM only this process
            if process.poll() is None:
                process.terminate()
                process.wait()
