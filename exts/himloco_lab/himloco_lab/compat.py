# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What has to be different on machines that Isaac Lab did not have in mind."""

from __future__ import annotations

import functools
from typing import Any


def allow_pageable_host_memory() -> bool:
    """Let Warp's requests for pinned host memory fall back to pageable memory when there is no CUDA device.

    Isaac Lab's PhysX articulation asks for pinned staging buffers even on the CPU. Pinning needs the CUDA driver, so
    without one the allocation fails with ``Failed to allocate 64 bytes on device 'cpu'``. Pinning only speeds up
    copies to a GPU, so dropping it where there is no GPU changes nothing else.

    Warp loads only when something asks for it and its functions are imported by name in places, so the allocator that
    all of them end up with is what is replaced. Calling this twice does no harm.

    Returns:
        Whether the fallback is in place.
    """
    import warp

    if warp.is_cuda_available():
        return False
    warp.init()
    cpu: Any = warp.get_device("cpu")
    cpu.pinned_allocator = cpu.default_allocator
    return True


@functools.cache
def prepare_process() -> None:
    """Apply what this machine needs; the tasks' package calls it when it is imported."""
    allow_pageable_host_memory()
