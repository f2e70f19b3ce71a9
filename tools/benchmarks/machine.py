# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The machine that a number belongs to."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("isaaclab", "ovphysx", "torch", "rsl-rl-lib", "warp-lang", "numpy")
"""Packages whose version can change a number."""


def describe() -> dict[str, Any]:
    """CPU, usable cores, memory [GB], Python and package versions."""
    import psutil  # keeps the report readable where only the tests' tools are installed

    return {
        "cpu": cpu_model(Path("/proc/cpuinfo")),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def cpu_model(cpuinfo: Path) -> str:
    """Model name of the first processor.

    Args:
        cpuinfo: Linux's ``/proc/cpuinfo``; where there is none, the architecture has to do.
    """
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def load_average() -> list[float]:
    """Processes that ran or wanted to, mean over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
