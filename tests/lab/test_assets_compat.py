# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Pinned host memory on machines without CUDA."""

from __future__ import annotations

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
