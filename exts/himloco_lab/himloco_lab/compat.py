# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Work-arounds for Isaac Lab outside Isaac Sim: no CUDA driver, few cores, several processes."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import sys
from typing import Any

TIMER_SLACK = 2_000_000
"""By how much a thread's sleep may be longer than asked for [ns]; Linux allows 50,000 by default."""


def allow_pageable_host_memory() -> bool:
    """Let Warp's requests for pinned host memory fall back to pageable memory when there is no CUDA device.

    Isaac Lab's PhysX articulation asks for pinned staging buffers even on the CPU. Pinning needs the CUDA driver, so
    without one the allocation fails with ``Failed to allocate 64 bytes on device 'cpu'``. Pinning only speeds up
    copies to a GPU, so dropping it where there is no GPU changes nothing else.

    Warp loads only when something asks for it and its functions are imported by name in places, so the allocator that
    all of them end up with is what is replaced. Calling this twice does no harm. Returns whether it is replaced.
    """
    import warp

    if warp.is_cuda_available():
        return False
    warp.init()
    cpu: Any = warp.get_device("cpu")
    cpu.pinned_allocator = cpu.default_allocator
    return True


def share_of_cores() -> int:
    """Return how many CPU cores this process has for itself, when a launcher started several of them here."""
    return max(len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)


def raise_timer_slack() -> None:
    """Let threads that start from now on wake up late from sleeps that are meant to be short.

    A thread of ovphysx's cooking service sleeps for a microsecond at a time as long as the process lives, even where
    cooking is off. That is 7,000 wake-ups a second, each of which interrupts a thread of PhysX or of torch: an update
    on two cores took 1.5 s with it and 0.8 s without (docs/log/training.md). New threads inherit the timer slack of the
    one that starts them. It delays sleeps by :data:`TIMER_SLACK` at most; waiting for work is no sleep.
    """
    if sys.platform.startswith("linux"):
        set_timer_slack = 29  # PR_SET_TIMERSLACK of prctl(2)
        ctypes.CDLL(None).prctl(set_timer_slack, ctypes.c_ulong(TIMER_SLACK), 0, 0, 0)


def limit_physx_threads() -> bool:
    """Let ``ovphysx`` start as many threads as this process has cores, where Isaac Lab always asks for eight.

    Two processes with eight threads each on two cores spend their time on switching between them. With one core,
    PhysX works in the calling thread. Its cooking service (UJITSO), which caches cooked meshes between runs, stays off:
    terrain and robots are cooked within seconds. Returns whether there is an ``ovphysx``.
    """
    if importlib.util.find_spec("ovphysx") is None:
        return False
    import ovphysx

    config: Any = ovphysx.PhysXConfig

    def limited(*args: Any, num_threads: int = 8, carbonite_overrides: Any = None, **kwargs: Any) -> Any:
        cores = share_of_cores()  # asked for late: the processes are started after this module is loaded
        return config(
            *args,
            num_threads=min(num_threads, cores) if cores > 1 else 0,
            carbonite_overrides={**(carbonite_overrides or {}), "/physics/cooking/ujitsoCollisionCooking": False},
            **kwargs,
        )

    ovphysx.PhysXConfig = limited
    return True


@functools.cache
def prepare_process() -> None:
    """Apply what this machine needs; the tasks' package calls it when it is imported."""
    allow_pageable_host_memory()
    if limit_physx_threads():
        raise_timer_slack()
