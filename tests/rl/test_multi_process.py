# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Two real processes on the CPU, talking by gloo."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

WORKER = Path(__file__).with_name("multi_process_worker.py")


def run(world_size: int, out: Path) -> list[dict[str, torch.Tensor]]:
    """Start the worker in every rank and load what each wrote."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(world_size):
        environment = {
            **os.environ,
            **{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world_size), "OMP_NUM_THREADS": "1"},
            **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
        }
        processes.append(subprocess.Popen([sys.executable, str(WORKER), str(out)], env=environment))
    assert [process.wait(timeout=120) for process in processes] == [0] * world_size
    return [torch.load(out / f"{world_size}_{rank}.pt", weights_only=True) for rank in range(world_size)]


def test_two_processes_stay_equal_and_learn_like_one_with_the_joint_batch(tmp_path: Path) -> None:
    first, second = run(2, tmp_path)
    (alone,) = run(1, tmp_path)
    assert first.keys() == second.keys() == alone.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], alone[name], rtol=1e-3, atol=2e-5, msg=name)
    assert any("prototypes" in name for name in first)
