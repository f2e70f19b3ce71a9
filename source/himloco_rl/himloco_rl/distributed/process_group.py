# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Joining the processes that learn together: over NCCL on GPUs, over gloo on CPUs."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta

import torch
from torch import distributed
from torch.distributed import PrefixStore, Store, TCPStore  # pyright: ignore[reportPrivateImportUsage] - documented

from himloco_rl.distributed.ranks import lost_rank_errors

TIMEOUT = timedelta(minutes=10)
"""How long processes wait for each other: for one that still builds its simulation, writes to a slow disk, or hangs."""
LOST_AFTER = 30
"""Seconds after which a machine that does not answer is lost. Its kernel answers, however busy its processes are."""
PROBES = 5
"""Questions to a silent machine within those seconds."""

_ROOM = "himloco"


def own_gpu(local_rank: int, visible: int) -> int:
    """Number of a process's own GPU of those it sees; a launcher may show each process nothing but its own."""
    return local_rank if local_rank < visible else 0


def join(device: str, rank: int, local_rank: int, world_size: int) -> None:
    """Join the group that ``MASTER_ADDR`` and ``MASTER_PORT`` name, unless the process has joined one already.

    Raises:
        ValueError: If the rank or the GPU is another process's.
        LostRankError: If the others do not come.
    """
    if rank >= world_size:
        raise ValueError(f"RANK is {rank} of WORLD_SIZE {world_size}; start the run with torchrun.")
    backend = "nccl" if torch.device(device).type == "cuda" else "gloo"
    if backend == "nccl":
        own = f"cuda:{own_gpu(local_rank, torch.cuda.device_count())}"
        if device not in ("cuda", own):
            raise ValueError(f"The device is {device}, but process {local_rank} of a machine learns on {own}.")
        torch.cuda.set_device(own)
    if distributed.is_initialized():
        return
    before = _sockets().keys()
    with lost_rank_errors(), meeting(rank, world_size, TIMEOUT) as store:
        distributed.init_process_group(backend, rank=rank, world_size=world_size, timeout=TIMEOUT, store=store)
        distributed.barrier()  # and every connection is there
    notice_lost_machines({fd for inode, fd in _sockets().items() if inode not in before}, LOST_AFTER)


def notice_lost_machines(fds: set[int], seconds: int) -> int:
    """Let the kernel break connections whose other end does not answer, where gloo would wait for :data:`TIMEOUT`.

    The death of a process closes its connections; that of a machine or a network does not. What of the descriptors is
    no TCP connection is left alone; the number of the others is returned.
    """
    count = 0
    for fd in fds:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as connection:
            if connection.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            connection.getpeername()  # a socket that listens has none
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in (
                (socket.TCP_KEEPIDLE, max(seconds // (PROBES + 1), 1)),
                (socket.TCP_KEEPINTVL, max(seconds // (PROBES + 1), 1)),
                (socket.TCP_KEEPCNT, PROBES),
                (socket.TCP_USER_TIMEOUT, 1000 * seconds),  # for what was sent and is not acknowledged
            ):
                connection.setsockopt(socket.IPPROTO_TCP, option, value)
            count += 1
    return count


def _sockets() -> dict[str, int]:
    """This process's sockets, what Linux calls them -> file descriptor."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own descriptor is gone by now
            target = os.readlink(f"/proc/self/fd/{name}")
            if target.startswith("socket:"):
                found[target] = int(name)
    return found


# The store of torchrun -----------------------------------------------------------------------------------------------
# It lives as long as torchrun does, and so still holds what earlier starts (``--max_restarts``) have left: addresses of
# processes that are dead. torch 2.11 connects to those and fails, with gloo after every restart that lets another
# process than the first one be the quicker. So the processes of one start meet under a name of their own.


def torchrun_store(timeout: timedelta) -> TCPStore | None:
    """Connect to the store of torchrun, None if none started this process, or it does not share its store.

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
