# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Weights & Biases' own client behind a broken network: ``python tests/trials/wandb_trial.py TRIAL FOLDER``.

closed: nobody listens at the server's address. stopped: nor here, and SIGTERM comes when the client begins to wait.
silent: somebody listens and never answers, and SIGTERM comes. dies: a stand-in for the server takes the run's start and
then goes. killed: the client's process that sends what is logged is killed. Needs the package wandb, which is not
locked: install it into a folder of its own and name that last in PYTHONPATH. As root it runs in a network namespace of
its own.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import torch

from himloco_lab.commands.train import learn
from himloco_lab.errors import run_command
from himloco_rl.runners import HIMOnPolicyRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "rl"))
from dummy_env import WholeDummyEnv, train_cfg

ITERATIONS, PAUSE, LIFE = 25, 0.05, 8.0
"""Length of the training, seconds a step takes more, and seconds for which the server answers after the start."""


class Server(BaseHTTPRequestHandler):
    """As much of the server's GraphQL as the start of a run asks for."""

    protocol_version = "HTTP/1.1"
    started = False

    def log_message(self, *_: Any) -> None:
        pass

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer({})

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        query, variables = sent.get("query", ""), sent.get("variables") or {}
        data: dict[str, Any] = {}
        if "upsertBucket" in query:
            Server.started = True
            project = {"id": "p", "name": "trial", "entity": {"id": "e", "name": "me"}}
            run = {"id": "b", "name": variables.get("name"), "displayName": "d", "config": "{}", "historyLineCount": 0}
            data = {"upsertBucket": {"bucket": run | {"project": project, "sweepName": None}, "inserted": True}}
        elif "createRunFiles" in query:
            urls = [{"name": name, "uploadUrl": f"{os.environ['WANDB_BASE_URL']}/f"} for name in variables["files"]]
            data = {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": urls}}
        elif "viewer" in query:
            data = {"viewer": {"id": "v", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}}
        self._answer({"data": data})

    def _answer(self, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def serve(life: float) -> ThreadingHTTPServer:
    """Answer on loopback, and stop so many seconds after a run has started."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def stop() -> None:
        while not Server.started:
            time.sleep(0.1)
        time.sleep(life)
        server.shutdown()
        server.server_close()
        print("TRIAL: the server is gone", flush=True)

    threading.Thread(target=stop, daemon=True).start()
    return server


def kill_later() -> None:
    """Kill the client's service, once it has had time for a few iterations."""
    while not Server.started:
        time.sleep(0.1)
    time.sleep(LIFE)
    for child in psutil.Process().children(recursive=True):
        if "wandb-core" in child.name():
            child.send_signal(signal.SIGKILL)
            print("TRIAL: wandb-core is killed", flush=True)


def stop_later(folder: Path) -> None:
    """Send SIGTERM to this process when the client begins to wait, and note when."""
    while not any(folder.glob("wandb/wandb/run-*")):
        time.sleep(0.1)
    (folder / "signalled").write_text(f"{time.monotonic()}")
    print("TRIAL: SIGTERM", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


class SlowEnv(WholeDummyEnv):
    """Takes its time, and has a configuration as W&B's writer wants it."""

    def __init__(self) -> None:
        super().__init__(16)
        self.cfg: Any = SimpleNamespace(to_dict=lambda: {"name": "dummy"})

    def step(self, actions: torch.Tensor) -> Any:
        time.sleep(PAUSE)
        return super().step(actions)


def train(folder: Path) -> int:
    """Train as scripts/train.py does, once there is an environment."""
    torch.set_num_threads(1)
    cfg = {**train_cfg(num_learning_epochs=1), "save_interval": 5, "logger": "wandb", "wandb_project": "trial"}
    runner = HIMOnPolicyRunner(SlowEnv(), cfg, str(folder), "cpu")
    agent = SimpleNamespace(max_iterations=ITERATIONS, init_at_random_ep_len=False)
    plan: Any = SimpleNamespace(agent_cfg=agent, rank=0)
    return learn(plan, runner, folder, ITERATIONS)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("trial", choices=("closed", "stopped", "silent", "dies", "killed"))
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    folder = args.folder.absolute()
    if os.environ.get("HIMLOCO_TRIAL") != "inside" and os.geteuid() == 0:
        inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
        start = time.monotonic()
        code = subprocess.run(inside, env={**os.environ, "HIMLOCO_TRIAL": "inside"}, check=False).returncode
        saved = sorted(path.name for path in folder.glob("model_*.pt"))
        if (folder / "signalled").is_file():
            print(f"TRIAL: ended {time.monotonic() - float((folder / 'signalled').read_text()):.1f} s after SIGTERM")
        print(f"TRIAL: exit code {code} after {time.monotonic() - start:.0f} s; saved: {', '.join(saved)}")
        return code
    folder.mkdir(parents=True, exist_ok=True)
    listening = socket.create_server(("127.0.0.1", 0))  # the kernel takes the connections, and nobody answers
    if args.trial in ("dies", "killed"):
        port = serve(LIFE if args.trial == "dies" else 1e6).server_address[1]
    else:
        port = listening.getsockname()[1] if args.trial == "silent" else 9
    if args.trial in ("stopped", "silent"):
        threading.Thread(target=stop_later, args=(folder,), daemon=True).start()
    if args.trial == "killed":
        threading.Thread(target=kill_later, daemon=True).start()
    places = {name: str(folder / "wandb") for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR")}
    os.environ |= {
        "WANDB_BASE_URL": f"http://127.0.0.1:{port}",
        "WANDB_API_KEY": "a" * 40,
        "WANDB_MODE": "online",
        **places,
    }
    (folder / "wandb").mkdir(exist_ok=True)
    start = time.monotonic()
    code = run_command(lambda _: train(folder), [])
    print(f"TRIAL: {time.monotonic() - start:.0f} s", flush=True)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
