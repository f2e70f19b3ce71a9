# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Training on two machines that are network namespaces: ``python tests/trials/two_nodes.py TRIAL FOLDER`` (root).

Each has its own folder, as machines without a common file system; a pair of virtual Ethernet devices joins them, and
``torchrun`` runs in both. What trains is the dummy environment, or with ``--task`` a real one by ``scripts/train.py``.

train: both train to the end; only the first writes logs and checkpoints.
cut: the cable is pulled in the middle; both end with an error, and what was learnt is there.
restart: the second machine's process is killed; torchrun starts both again, and the run goes on.
restart_first: the same with the first machine's process, which writes the checkpoints.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
FAR_TOO_LONG = 900
"""Seconds after which a trial has failed."""
PORT = 29400


class Node:
    """One of the machines: a namespace, and torchrun in it."""

    def __init__(self, number: int, folder: Path) -> None:
        """Name it.

        Args:
            number: 0 or 1.
            folder: What it writes to.
        """
        self.namespace, self.device = f"himloco{os.getpid()}-{number}", f"him{os.getpid() % 100000}-{number}"
        self.address, self.is_first = f"10.77.0.{number + 1}", number == 0
        self.folder = folder / f"node_{number}"
        self.output = self.folder / "output.txt"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.worker_end: float | None = None
        self.workers: dict[int, psutil.Process] = {}

    def run(self, *command: str) -> None:
        """Run a command in the namespace."""
        subprocess.run(["ip", "netns", "exec", self.namespace, *command], check=True)

    def start(self, command: list[str], restarts: int) -> None:
        """Start torchrun.

        Args:
            command: What each machine's one process runs.
            restarts: ``--max_restarts``.
        """
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "1"]
        torchrun += ["--rdzv_backend", "c10d", "--rdzv_endpoint", f"10.77.0.1:{PORT}", "--rdzv_id", "trial"]
        # torchrun would know its own address by the host's name, which both machines share here
        torchrun += ["--local_addr", self.address, "--rdzv_conf", f"is_host={int(self.is_first)}"]
        torchrun += ["--max_restarts", str(restarts)]
        interfaces = {"GLOO_SOCKET_IFNAME": self.device, "TP_SOCKET_IFNAME": self.device, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *torchrun, *command],
            cwd=self.folder,
            env={**os.environ, **interfaces, "PYTHONUNBUFFERED": "1"},
            stdout=self.output.open("w"),
            stderr=subprocess.STDOUT,
        )

    def look(self) -> None:
        """Note the training's processes, and when the last of them has ended."""
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                if child.pid not in self.workers and "RANK" in child.environ():
                    self.workers[child.pid] = child
        running = any(worker.is_running() and worker.status() != "zombie" for worker in self.workers.values())
        self.worker_end = None if running or not self.workers else self.worker_end or time.monotonic()

    def text(self) -> str:
        """What it has printed."""
        return self.output.read_text()

    def written(self) -> list[str]:
        """Curves and checkpoints in its folder."""
        patterns = ("events.out.tfevents.*", "model_*.pt", "*.yaml", "run.json")
        return sorted(str(path.relative_to(self.folder)) for name in patterns for path in self.folder.rglob(name))


@contextlib.contextmanager
def two_nodes(folder: Path) -> Iterator[list[Node]]:
    """Make the namespaces and the cable between them, and take them away again."""
    nodes = [Node(number, folder) for number in range(2)]
    try:
        for node in nodes:
            subprocess.run(["ip", "netns", "add", node.namespace], check=True)
        ends = [[node.device, "netns", node.namespace] for node in nodes]
        subprocess.run(["ip", "link", "add", *ends[0], "type", "veth", "peer", "name", *ends[1]], check=True)
        for node in nodes:
            node.run("ip", "link", "set", "lo", "up")
            node.run("ip", "address", "add", f"{node.address}/24", "dev", node.device)
            node.run("ip", "link", "set", node.device, "up")
        yield nodes
    finally:
        for node in nodes:
            if hasattr(node, "process"):
                for process in (*node.workers.values(), node.process):
                    with contextlib.suppress(psutil.Error):
                        process.kill()
                node.process.wait()
            subprocess.run(["ip", "netns", "delete", node.namespace], check=False)


def wait_for(nodes: list[Node], line: str, count: int = 1) -> None:
    """Wait until the first machine has printed a line, a regular expression, so many times."""
    end = time.monotonic() + FAR_TOO_LONG
    while len(re.findall(line, nodes[0].text(), re.MULTILINE)) < count:
        for node in nodes:
            node.look()
        if time.monotonic() > end or all(node.process.poll() is not None for node in nodes):
            raise SystemExit(f"no {line!r} came:\n{nodes[0].text()[-3000:]}\n{nodes[1].text()[-3000:]}")
        time.sleep(0.1)


def wait_for_end(nodes: list[Node], patience: float) -> list[tuple[float | None, float | None, int | None]]:
    """Wait until all has ended; return seconds until the training's and torchrun's end, and torchrun's exit code.

    Args:
        nodes: The machines.
        patience: How long torchrun may take after the training [s].
    """
    start = time.monotonic()
    ends: list[float | None] = [None, None]
    limit = start + FAR_TOO_LONG
    while None in ends and time.monotonic() < limit:
        for number, node in enumerate(nodes):
            node.look()
            if ends[number] is None and node.process.poll() is not None:
                ends[number] = time.monotonic() - start
        trained = [node.worker_end for node in nodes if node.worker_end is not None]
        limit = start + FAR_TOO_LONG if len(trained) < len(nodes) else max(trained) + patience
        time.sleep(0.1)
    return [
        (node.worker_end and node.worker_end - start, end, node.process.returncode)
        for node, end in zip(nodes, ends, strict=True)
    ]


def trial(what: str, nodes: list[Node], command: list[str], torchrun_may_take: float) -> int:
    """Make one of the trials; return 0 if all went as it should."""
    for node in nodes:
        node.start(command, restarts=int(what.startswith("restart")))
    if what != "train":
        wait_for(nodes, r"^it 4/")
    if what == "cut":
        nodes[0].run("ip", "link", "set", nodes[0].device, "down")
    elif what.startswith("restart"):
        struck = nodes[0 if what == "restart_first" else 1]
        # the training itself: what it starts, git for one, has its environment too
        (training,) = (child for child in psutil.Process(struck.process.pid).children() if child.pid in struck.workers)
        training.kill()
    ends = wait_for_end(nodes, torchrun_may_take if what == "cut" else FAR_TOO_LONG)
    good = True
    for number, (node, (worker, torchrun, code)) in enumerate(zip(nodes, ends, strict=True)):
        said = re.findall(r"^(error: .*|.*To be safe.*|.*resumed from.*|.*goes on in.*)$", node.text(), re.MULTILINE)
        print(f"machine {number}: training ended after {_seconds(worker)}, torchrun after {_seconds(torchrun)}", end="")
        print(f" with code {code}; it wrote {node.written() or 'nothing'}\n  " + "\n  ".join(said))
        failed = worker is not None and code != 0 and "error: another process of this run is gone" in node.text()
        good &= failed if what == "cut" else code == 0
    good &= any("model_" in name for name in nodes[0].written()) and not nodes[1].written()
    if what == "cut":
        good &= "To be safe: saved" in nodes[0].text()
    print(f"{what}: {'as it should be' if good else 'NOT as it should be'}")
    return 0 if good else 1


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def main(argv: list[str] | None = None) -> int:
    """Make a trial."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("train", "cut", "restart", "restart_first"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--task", default=None, help="a task for scripts/train.py; the dummy environment without")
    parser.add_argument("--lost_after", default="30", help="of the dummy environment [s]")
    parser.add_argument("--torchrun_may_take", type=float, default=300.0, help="after a cut, once training ended [s]")
    parser.add_argument("--tcp_retries2", default=None, help="net.ipv4.tcp_retries2 of both; the kernel's without")
    parser.add_argument("flags", nargs="*", help="further arguments of what trains, after --")
    args = parser.parse_args(argv)
    iterations = "1000" if args.what == "cut" else "12"
    if args.task:
        command = [str(REPOSITORY / "scripts" / "train.py"), "--distributed", "--device", "cpu", "--task", args.task]
        command += ["--max_iterations", iterations, "--num_envs", "8", "agent.save_interval=2", *args.flags]
    else:
        command = [
            str(REPOSITORY / "tests" / "rl" / "dummy_training.py"),
            "run",
            "--iterations",
            iterations,
            "--pause",
            "0.03",
        ]
        command += ["--save_interval", "1000" if args.what == "cut" else "2", "--lost_after", args.lost_after]
        command += args.flags
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and take the namespaces away
    with two_nodes(args.folder.absolute()) as nodes:
        for node in nodes if args.tcp_retries2 else ():
            node.run("sysctl", "-qw", f"net.ipv4.tcp_retries2={args.tcp_retries2}")
        return trial(args.what, nodes, command, args.torchrun_may_take)


if __name__ == "__main__":
    raise SystemExit(main())
