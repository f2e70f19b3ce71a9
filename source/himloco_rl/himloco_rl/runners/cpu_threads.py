# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How many threads torch may use while a rollout is collected, and while it is learnt from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def one_thread_but_for(algorithm: Any, method: str, device: str) -> Iterator[None]:
    """Run on one torch thread, and one method of an algorithm on all of them.

    A rollout on the CPU is thousands of operations on tensors of a few thousand numbers: handing them to a second
    thread takes longer than doing them, and the simulator wants that core. An update multiplies large matrices.

    Args:
        algorithm: Object with the method.
        method: Name of the method that gets all threads.
        device: Where the algorithm computes; on a GPU nothing changes.
    """
    if torch.device(device).type != "cpu":
        yield
        return
    threads = torch.get_num_threads()
    original: Callable[..., Any] = getattr(algorithm, method)

    def on_all_threads(*args: Any, **kwargs: Any) -> Any:
        torch.set_num_threads(threads)
        try:
            return original(*args, **kwargs)
        finally:
            torch.set_num_threads(1)

    setattr(algorithm, method, on_all_threads)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        delattr(algorithm, method)  # the class's own shows again
        torch.set_num_threads(threads)
