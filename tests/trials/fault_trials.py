# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Trials that take longer than a test: ``python tests/trials/fault_trials.py kill|disk FOLDER``.

What they showed is in docs/log/reliability.md.

kill: ``kill -9`` at random moments of a training that saves after every iteration, and a resume each time.
disk: a file system of 2 MB (in a mount namespace of its own, for which one must be root) that fills up and is cleared.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from himloco_rl.checkpoints import read_checkpoint, require_parts

RL_TESTS = Path(__file__).resolve().parents[1] / "rl"
sys.path.insert(0, str(RL_TESTS))
from dummy_training import main as train  # noqa: E402
from dummy_training import newest  # noqa: E402

FOREVER = 1_000_000


def _train(folder: Path, *flags: str) -> None:
    with (folder / "output.txt").open("a") as output, contextlib.redirect_stdout(output):
        train([str(folder), "--save_interval", "1", *flags])


def kill(folder: Path, kills: int, seed: int) -> int:
    """Kill and resume; return the number of times that something was lost."""
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    known: set[str] = set()
    losses = in_a_save = progress = 0
    for number in range(kills):
        process = multiprocessing.get_context("fork").Process(
            target=_train, args=(folder, "--iterations", str(FOREVER))
        )
        process.start()
        before = newest(folder)
        deadline = time.monotonic() + 300
        while newest(folder) == before and time.monotonic() < deadline:  # it has resumed and saved
            time.sleep(0.005)
        time.sleep(draw.uniform(0.0, 0.5))
        # every other one in the middle of a save, if one comes along
        while number % 2 and not list(folder.glob("*.tmp")) and time.monotonic() < deadline:
            time.sleep(0.0002)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        left = list(folder.glob("*.tmp"))
        in_a_save += bool(left)
        lost = {name for name in known if not (folder / name).is_file()}
        for path in folder.glob("model_*.pt"):
            checkpoint = read_checkpoint(path)  # raises for anything that is not whole
            require_parts(path, checkpoint)
            if checkpoint["iter"] != int(path.stem.removeprefix("model_")):
                lost.add(path.name)
        known = {path.name for path in folder.glob("model_*.pt")}
        last = newest(folder)
        reached = -1 if last is None else int(last.stem.removeprefix("model_"))
        went_on = reached > progress or number == 0
        progress = reached
        losses += bool(lost) or not went_on
        print(f"kill {number + 1}: newest {last and last.name}, lost {sorted(lost)}, half a file beside: {bool(left)}")
        for path in sorted(folder.glob("model_*.pt"))[: max(len(known) - 20, 0)]:
            if path != last:  # so that reading them all again takes no longer and longer
                path.unlink()
                known.discard(path.name)
    _train(folder, "--iterations", str(progress + 3))  # and after the last one, too
    resumes = (folder / "output.txt").read_text().count("resumed from")
    print(
        f"{kills} kills, {in_a_save} of them in a save, {resumes} resumes, {losses} losses, {progress + 1} iterations"
    )
    return losses


def disk(folder: Path) -> int:
    """Fill a small file system under a training, and clear it again; return 0 if it went on and says so."""
    if os.environ.get("HIMLOCO_TRIAL") != "inside":
        command = ["unshare", "--mount", sys.executable, *sys.argv]
        return subprocess.run(command, env={**os.environ, "HIMLOCO_TRIAL": "inside"}, check=False).returncode
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
    run = folder / "run"
    run.mkdir()
    flags = ["--iterations", "40", "--save_interval", "4", "--pause", "0.02"]
    process = subprocess.Popen(
        [sys.executable, str(RL_TESTS / "dummy_training.py"), str(run), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    filler = folder / "filler"
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(("it ", "[")):
            print(line.rstrip()[:160])
        if line.startswith("it 6/"):
            with contextlib.suppress(OSError), filler.open("wb") as file:
                while True:
                    file.write(bytes(4096))
                    file.flush()
        if line.startswith("it 30/"):
            filler.unlink()
    code = process.wait()
    good = {path.name: read_checkpoint(path)["iter"] for path in run.glob("model_*.pt")}
    print(f"ended with {code}; whole checkpoints: {sorted(good, key=lambda name: good[name])}")
    return code


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("trial", choices=("kill", "disk"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    raise SystemExit(
        int(kill(chosen.folder, chosen.kills, chosen.seed) > 0) if chosen.trial == "kill" else disk(chosen.folder)
    )
