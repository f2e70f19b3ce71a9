# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The store of the torchrun that started this process: what its processes know of each other.

It lives as long as torchrun does, and so still holds what earlier starts (``--max_restarts``) have left: addresses of
processes that are dead. torch 2.11 connects to those and fails, with gloo after every restart that lets another
process than the first one be the quicker. So the processes of one start meet under a name of their own.
"""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta

from torch.distributed import PrefixStore, Store, TCPStore  # pyright: ignore[reportPrivateImportUsage] - documented

_ROOM = "himloco"


def torchrun_store(timeout: timedelta) -> TCPStore | None:
    """Connect to the store; None if no torchrun started this process, or it does not share its store.

    Args:
        timeout: How long it may take to answer.

    Raises:
        RuntimeError: If it does not answer.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    return TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False, timeout=timeout)


@contextlib.contextmanager
def meeting(rank: int, world_size: int, timeout: timedelta) -> Iterator[Store | None]:
    """Give the processes of this start a store that is empty; None without torchrun, whose store is all they need.

    Every process writes its own number, drawn anew, and the first one answers each number that it finds with the
    meeting's name, until all have come: numbers of processes that are dead are answered as well, and nobody reads it.

    Args:
        rank: Number of this process.
        world_size: Number of processes.
        timeout: How long they wait for each other.

    Raises:
        RuntimeError: If the store or the first process does not answer.
    """
    store = torchrun_store(timeout)
    if store is None:
        yield None
    elif rank > 0:
        number = uuid.uuid4().hex
        store.set(f"{_ROOM}/number/{rank}", number)
        store.wait([f"{_ROOM}/name/{number}"], timeout)
        yield PrefixStore(store.get(f"{_ROOM}/name/{number}").decode(), store)
    else:
        name, all_here = uuid.uuid4().hex, threading.Event()
        host = threading.Thread(target=_answer, args=(world_size, name, timeout, all_here), daemon=True)
        host.start()
        try:
            yield PrefixStore(name, store)
        finally:
            all_here.set()
            host.join()


def _answer(world_size: int, name: str, timeout: timedelta, all_here: threading.Event) -> None:
    """Tell the meeting's name to every number, until all have come."""
    store = torchrun_store(timeout)  # a connection of its own: a process that waits keeps the other one busy
    assert store is not None
    answered: set[str] = set()
    with contextlib.suppress(RuntimeError):  # torchrun has ended, and will end this process
        while not all_here.wait(0.1):
            for rank in range(1, world_size):
                if store.check([f"{_ROOM}/number/{rank}"]):
                    number = store.get(f"{_ROOM}/number/{rank}").decode()
                    if number not in answered:
                        store.set(f"{_ROOM}/name/{number}", name)
                        answered.add(number)
