# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the tools share: the clone they stand in, the machine they run on, and their Markdown tables."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).resolve().parent
"""This folder, which is not part of the installed packages."""
ROOT = TOOLS.parent
"""Root of the clone."""
PACKAGES = ("isaaclab", "ovphysx", "torch", "rsl-rl-lib", "warp-lang", "numpy")
"""Packages whose version can change a measurement."""


def python_command() -> list[str]:
    """``himloco.sh -p`` where this process runs in its environment, so that its checks count; else this Python."""
    environment = Path(os.environ.get("HIMLOCO_VENV") or ROOT / ".venv").resolve()
    ours = environment == Path(sys.prefix).resolve() and (environment / ".himloco/stamp").is_file()
    return [str(ROOT / "himloco.sh"), "-p"] if ours else [sys.executable]


def tools_environment() -> dict[str, str]:
    """Environment variables of a process that imports modules of this folder, by ``"module:Class"`` for example."""
    path = os.pathsep.join(filter(None, (str(TOOLS), os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def commit_of(repository: Path = ROOT) -> str:
    """The commit that is checked out, with ``+`` behind it if code is changed; ``unknown`` outside of git."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(repository), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "-uno", "--", "exts", "source", "scripts")
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def describe_machine() -> dict[str, Any]:
    """CPU, usable cores, memory [GB], Python and package versions."""
    import psutil  # keeps the reports readable where only the tests' tools are installed

    return {
        "cpu": cpu_model(Path("/proc/cpuinfo")),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def cpu_model(cpuinfo: Path) -> str:
    """Model name of the first processor in Linux's ``/proc/cpuinfo``; the architecture where there is none."""
    found = re.search(r"^model name\s*: (.+)", cpuinfo.read_text() if cpuinfo.is_file() else "", re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True) -> str:
    """A Markdown table whose lines end in newlines; all columns but the first are set to the right as *numbers*."""
    lines = [header, ["---", *["---:" if numbers else "---"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
