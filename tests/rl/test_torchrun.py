# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The dummy environment under the real ``torchrun``, whose processes are killed and whose cable is pulled."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from dummy_training import newest

from himloco_rl.checkpoints import read_checkpoint

SCRIPT = Path(__file__).with_name("dummy_training.py")
TWO_NODES = Path(__file__).parents[1] / "trials" / "two_nodes.py"


def second_process(torchrun: subprocess.Popen) -> psutil.Process:
    """Return the process with rank 1."""
    children = psutil.Process(torchrun.pid).children()
    return next(child for child in children if child.environ().get("RANK") == "1")


def wait_for(output: Path, line: str, torchrun: subprocess.Popen) -> None:
    """Wait until a line, a regular expression, is printed."""
    deadline = time.monotonic() + 300
    while not re.search(line, output.read_text(), re.MULTILINE):
        assert torchrun.poll() is None and time.monotonic() < deadline, output.read_text()[-3000:]
        time.sleep(0.1)


def test_killed_processes_are_restarted_as_often_as_allowed_and_then_end_the_run(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # the plain command's rendezvous, whose store remembers the addresses of the dead
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", port]
    command += ["--max_restarts", "1", str(SCRIPT), str(tmp_path / "run"), "--pause", "0.02"]
    output = tmp_path / "output.txt"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    torchrun = subprocess.Popen(command, stdout=output.open("w"), stderr=subprocess.STDOUT, env=environment)
    try:
        wait_for(output, r"^it 3/", torchrun)
        second_process(torchrun).kill()
        wait_for(output, r"^resumed from model_[1-9]\d*\.pt$", torchrun)  # what was saved when the other one was lost
        known = len(re.findall(r"^it ", output.read_text(), re.MULTILINE))
        wait_for(output, rf"(?s)(^it .*?){{{known + 2}}}", torchrun)
        start = time.monotonic()
        second_process(torchrun).kill()
        assert torchrun.wait(timeout=60) == 1
        took = time.monotonic() - start
    finally:
        torchrun.kill()
    text = output.read_text()
    assert took < 60.0
    last = int(re.findall(r"^it (\d+)/", text, re.MULTILINE)[-1]) - 1  # checkpoints count from 0
    found = newest(tmp_path / "run")
    assert found is not None and read_checkpoint(found)["iter"] == last
    assert "error: another process of this run is gone" in text
    assert "him_on_policy_runner.py" not in text  # no traceback but torchrun's own
    lines = [int(number) for number in re.findall(r"^it (\d+)/", text, re.MULTILINE)]
    assert lines == list(range(1, last + 2))  # every iteration once, over both starts
    assert [path.name for path in (tmp_path / "run").glob("rank_*/*")] == []


def cannot_make_namespaces() -> str:
    """Why there can be no two machines here; empty if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "there is no ip (iproute2)"
    name = f"himloco-try-{os.getpid()}"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
    return "" if done.returncode == 0 else f"ip netns: {done.stderr.strip()}"


def test_two_machines_that_lose_each_other_end_with_what_was_learnt(tmp_path: Path) -> None:
    reason = cannot_make_namespaces()
    if reason:
        pytest.skip(reason)
    command = [sys.executable, str(TWO_NODES), "cut", str(tmp_path), "--lost_after", "6", "--torchrun_may_take", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "cut: as it should be" in done.stdout
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert not re.search(r"himloco\d+-", left)
