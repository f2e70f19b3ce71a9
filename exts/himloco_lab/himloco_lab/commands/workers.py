# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One run on all cores: on a CPU with many of them the robots are shared out to processes that learn together.

PhysX solves articulations on one core whatever its number of threads, and Python is on one anyway: a process keeps two
cores busy and no more. What the processes do is what those of ``torchrun`` do, over gloo; here the user's own process
is the first of them, so that Ctrl-C, errors and exit codes are what they are with one.
"""

from __future__ import annotations

import _thread
import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, Any

from himloco_lab.errors import FAILURE, CliError
from himloco_lab.setup.machine import available_cores, available_memory

CORES = 2
"""Cores for each process. Two processes on two cores are up to a third faster than one
(docs/benchmarks.md), with twice the memory; how more of them share many cores is not measured."""
LEAST_ENVS = 128
"""Environments of one process below which a further process is not worth its memory: what Python does in a step takes
30 ms for 64 robots and 40 ms for 128 [measured]."""
MEMORY = 2 * 1024**3
"""Memory that a process is given before it is started [B]: 1.2 to 2 GB were measured with 64 to 256 robots."""
PATIENCE = 45.0
"""Seconds in which the main thread must have heard of a worker's end."""
_MARK = "HIMLOCO_WORKER"
"""Environment variable that tells a process that another one started it."""


def choose_processes(args: argparse.Namespace, env_cfg: Any) -> int:
    """Return how many processes the run is shared out to: what ``--nproc_per_node`` says, or what the machine carries.

    Args:
        args: The command line.
        env_cfg: The environment's configuration, device and number of environments decided.

    Raises:
        CliError: If the number does not suit the device, the launcher or the number of environments.
    """
    wanted, envs = args.nproc_per_node, env_cfg.scene.num_envs
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        if wanted not in (None, 1):
            raise CliError(f"--nproc_per_node {wanted}: give it to torchrun, which started this process, not to both")
        return 1
    if env_cfg.sim.device != "cpu":
        if wanted not in (None, 1):
            raise CliError(
                f"--nproc_per_node {wanted}: shares out CPU cores only; for GPUs use torchrun --nproc_per_node {wanted}"
                " with --distributed"
            )
        return 1
    if wanted is not None:
        if envs % wanted:
            raise CliError(f"--nproc_per_node {wanted}: cannot share out --num_envs {envs} evenly; use a divisor")
        return wanted
    if args.visualizer or args.video or args.distributed:  # one process has all there is to see
        return 1
    most = min(available_cores() // CORES, envs // LEAST_ENVS, available_memory() // MEMORY)
    return next((count for count in range(most, 1, -1) if envs % count == 0), 1)


class Workers:
    """The further processes of a run. They end when this one does, however it ends: they watch their standard input."""

    def __init__(self, argv: list[str], processes: int, seed: int, num_envs: int) -> None:
        """Start them, and make this process rank 0.

        Args:
            argv: The user's arguments, which the workers repeat.
            processes: Number of processes in all.
            seed: The run's seed; rank r adds r to it.
            num_envs: Environments of one process.
        """
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
        command = [sys.executable, sys.argv[0], *argv, "--distributed", "--device", "cpu"]
        command += ["--seed", str(seed), "--num_envs", str(num_envs), "--nproc_per_node", "1"]
        for rank in range(1, processes):
            ranks = {"RANK": str(rank), "LOCAL_RANK": str(rank), _MARK: "1"}
            output = tempfile.TemporaryFile()  # noqa: SIM115 - kept open to be read if the worker fails
            process = subprocess.Popen(
                command,
                env={**os.environ, **shared, **ranks},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for rank 0, which saves and then lets go of them
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
        """Return what went wrong in a worker, or None.

        Args:
            wait: How long to wait for it [s]: a broken connection is noticed before the process that broke it.
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
                    self._see_that_it_ends()
                    return
            time.sleep(0.5)

    def _see_that_it_ends(self) -> None:
        """End this process if its main thread does not, which may wait in C for a worker that never joined it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self._is_asked or self._closing:
                return
            time.sleep(0.1)
        print(f"error: {self._failure}", file=sys.stderr, flush=True)
        os._exit(FAILURE)


def follow_parent() -> None:
    """In a worker: end when the process that started it does. Elsewhere: nothing."""
    if os.environ.pop(_MARK, None) is None:
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
