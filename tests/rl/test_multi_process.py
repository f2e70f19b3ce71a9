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
from multi_process_worker import train

WORKER = Path(__file__).with_name("multi_process_worker.py")


def start(rank: int, port: int, out: Path) -> subprocess.Popen:
    """Start one of two ranks."""
    environment = {
        **os.environ,
        **{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"},
        **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
    }
    return subprocess.Popen([sys.executable, str(WORKER), str(out)], env=environment)


def test_two_processes_stay_equal_and_learn_like_one_with_the_joint_batch(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [start(rank, port, tmp_path) for rank in range(2)]
    alone = train(0, 1)
    assert [process.wait(timeout=240) for process in processes] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert first.keys() == second.keys() == alone.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], alone[name], rtol=1e-3, atol=2e-5, msg=name)
    assert any("prototypes" in name for name in first)
