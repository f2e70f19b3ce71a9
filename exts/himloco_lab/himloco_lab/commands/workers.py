# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One run on all cores of a CPU: the environments are shared by processes that learn together.

PhysX solves articulations on one core whatever its number of threads, and Python is on one anyway: a process keeps two
cores busy and no more. What the processes do is what those of ``torchrun`` do, over gloo; here the user's own process
is the first of them, so that Ctrl-C, errors and exit codes are what they are with one. Isaac Lab's ``train_multigpu``
starts Isaac Lab's own training, which refuses to be distributed on a CPU.
"""

from __future__ import annotations

import _thread
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO

from himloco_lab.errors import FAILURE
from himloco_lab.setup.machine import WORKER_VARIABLE, available_cores

MAIN_THREAD_TIMEOUT = 45.0
"""Seconds in which the main thread must have noticed a worker's end."""


class Workers:
    """The further processes of a run. They end when this one does, however it ends: they watch their standard input."""

    def __init__(self, argv: list[str], processes: int) -> None:
        """Start them with the arguments *argv*, and make this process rank 0 of so many *processes* in all."""
        self._failure: str | None = None
        self._lock = threading.Lock()
        self._is_asked = False
        self._closing = False
        self._started: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
        threads = str(max(available_cores() // processes, 1))
        shared = {
            "WORLD_SIZE": str(processes),
            "LOCAL_WORLD_SIZE": str(processes),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(_free_port()),
            "OMP_NUM_THREADS": threads,
            "TORCHELASTIC_USE_AGENT_STORE": "False",  # a torchrun that started this process knows nothing of these
        }
        for rank in range(1, processes):
            ranks = {"RANK": str(rank), "LOCAL_RANK": str(rank), WORKER_VARIABLE: "1"}
            output = tempfile.TemporaryFile()  # noqa: SIM115 - kept open to be read if the worker fails
            process = subprocess.Popen(
                [sys.executable, sys.argv[0], *argv],
                env={**os.environ, **shared, **ranks},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for rank 0, which saves and then ends them
            )
            self._started.append((process, output))
        os.environ.update(shared, RANK="0", LOCAL_RANK="0")
        import torch

        torch.set_num_threads(int(threads))  # as OMP_NUM_THREADS does for the workers, which read it in time
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def has_failed(self) -> bool:
        """Whether a worker has ended with an error, so that nothing can be agreed on any more."""
        return self._failure is not None

    def failure(self, wait: float = 0.0) -> str | None:
        """Return what went wrong in a worker, or None after *wait* [s].

        A broken connection is noticed before the process that broke it.
        """
        end = time.monotonic() + wait
        while True:
            try:
                with self._lock:
                    self._is_asked = True
                while self._failure is None and time.monotonic() < end:
                    time.sleep(0.1)
                return self._failure
            except KeyboardInterrupt:  # the watching thread's, on its way when this was called: it must not stop a save
                continue

    def close(self) -> None:
        """Wait for the workers, which have ended with this process's last update, and end those that have not."""
        self._closing = True
        end = time.monotonic() + 20.0
        for process, output in self._started:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(max(end - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            output.close()

    def _watch(self) -> None:
        """Interrupt the main thread when a worker fails: it may be waiting for that worker."""
        while not self._closing:
            for rank, (process, output) in enumerate(self._started, start=1):
                code = process.poll()
                if code and not self._closing:
                    size = output.seek(0, os.SEEK_END)
                    output.seek(max(size - 4000, 0))
                    print(output.read().decode(errors="replace"), file=sys.stderr)
                    with self._lock:
                        self._failure = f"process {rank} of this run ended with code {code}; its last output is above"
                        if not self._is_asked:  # the main thread may have noticed the broken connection first
                            _thread.interrupt_main()
                    self._end_if_blocked()
                    return
            time.sleep(0.5)

    def _end_if_blocked(self) -> None:
        """End this process if its main thread does not, which may wait in C for a worker that never joined it."""
        end = time.monotonic() + MAIN_THREAD_TIMEOUT
        while time.monotonic() < end:
            if self._is_asked or self._closing:
                return
            time.sleep(0.1)
        print(f"error: {self._failure}", file=sys.stderr, flush=True)
        os._exit(FAILURE)


def follow_parent() -> None:
    """In a worker: end when the process that started it does. Elsewhere: nothing."""
    if WORKER_VARIABLE not in os.environ:
        return

    def watch() -> None:
        sys.stdin.buffer.read()  # returns when the other end closes
        os._exit(FAILURE)

    threading.Thread(target=watch, daemon=True).start()


def _free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
