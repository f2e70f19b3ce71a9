# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/evaluate.py`` and Ctrl-C: what is done is kept, and the same command goes on to the same numbers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FLAGS = ("--task", "Himloco-G1-Flat-v0", "--device", "cpu", "--engine", "mujoco")
SIZE = ("--suite", "tracking", "--num_commands", "6", "--robots", "12", "--duration", "3")
"""Seventy-two robots: nine slices of the pool for each policy."""


def command(repository: Path, out: Path, *policies: str) -> list[str]:
    script = str(repository / "scripts/evaluate.py")
    return [
        sys.executable,
        script,
        *FLAGS,
        *SIZE,
        "--output_dir",
        str(out),
        "--policy",
        *(policies or ("zero", "random")),
    ]


def parts(out: Path) -> list[Path]:
    """What is kept of a unit that is not done; not what is being written."""
    return [path for path in out.glob("unfinished/*/*.npz") if path.stem.isdecimal()]


def interrupted(repository: Path, out: Path) -> tuple[int, str]:
    """Start it, and press Ctrl-C once the second policy's first robots are done; return exit code and stderr."""
    process = subprocess.Popen(
        command(repository, out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # as from a terminal: a background process of a shell may be set to ignore the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        until = time.monotonic() + 300.0
        while not ((out / "results.json").exists() and parts(out)):
            assert process.poll() is None and time.monotonic() < until, process.communicate()
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: every process gets it
        errors = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    return process.returncode, errors


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(repository: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, errors = interrupted(repository, out)
    assert code == 130, errors
    assert "the same command goes on" in errors and "Traceback" not in errors, errors
    done = list(json.loads((out / "results.json").read_text()))
    assert done == ["tracking | zero | mujoco"]
    assert 0 < len(parts(out)) < 9

    found = subprocess.run(command(repository, out), capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    assert "tracking | zero | mujoco: measured before" in found.stdout
    assert not list(out.glob("unfinished/*/*")), "what is finished needs no parts"

    whole = tmp_path / "whole"
    assert subprocess.run(command(repository, whole, "random"), capture_output=True, timeout=300).returncode == 0
    key = "tracking | random | mujoco"
    assert json.loads((out / "results.json").read_text())[key] == json.loads((whole / "results.json").read_text())[key]
