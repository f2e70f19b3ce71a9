# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Pinned host memory on machines without CUDA, and ovphysx's threads."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import warp

ALLOCATE = "import warp; warp.zeros(16, dtype=float, device='cpu', pinned=True); print('allocated')"
PREPARE = "from himloco_lab.compat import prepare_process; prepare_process(); prepare_process(); "


def _python(code: str) -> subprocess.CompletedProcess[str]:
    path = {"PYTHONPATH": ":".join(sys.path)}
    return subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True)


def test_pinned_memory_can_be_asked_for() -> None:
    assert _python(PREPARE + ALLOCATE).stdout.splitlines()[-1] == "allocated"


@pytest.mark.skipif(warp.is_cuda_available(), reason="with CUDA, pinned memory needs no help")
def test_the_fallback_is_still_needed() -> None:
    """Fails on the day that Warp can do without it: then compat.py can go."""
    assert "Failed to allocate" in _python(ALLOCATE).stderr


@pytest.mark.parametrize("processes", [1, 2, 10**6])
def test_physx_gets_the_threads_its_process_has_cores_for(processes: int) -> None:
    """With one core none of its own: it works in the calling one. Isaac Lab asks for eight; its settings stay."""
    pytest.importorskip("ovphysx")
    ask = "import ovphysx; c = ovphysx.PhysXConfig(num_threads=8, carbonite_overrides={'/a': 1}); "
    code = PREPARE + ask + "print(c.num_threads, len(c.carbonite_overrides), c.carbonite_overrides['/a'])"
    path = {"PYTHONPATH": ":".join(sys.path), "LOCAL_WORLD_SIZE": str(processes)}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True)
    cores = len(os.sched_getaffinity(0)) // processes
    assert done.stdout.split()[-3:] == [str(min(cores, 8) if cores > 1 else 0), "2", "1"], done.stderr
