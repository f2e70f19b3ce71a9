# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A training of the dummy environment as a process of its own, for tests that stop it: ``dummy_training.py FOLDER``."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from dummy_env import WholeDummyEnv, train_cfg

from himloco_rl.distributed import LostRankError, process_group
from himloco_rl.runners import HIMOnPolicyRunner


class SlowEnv(WholeDummyEnv):
    """Takes its time for a step, so that a test can tell the middle of an iteration from its end."""

    pause = 0.0

    def step(self, actions: torch.Tensor) -> Any:
        time.sleep(self.pause)
        return super().step(actions)


def newest(folder: Path) -> Path | None:
    """Return the checkpoint of the highest iteration."""
    models = folder.glob("model_*.pt")
    return max(models, key=lambda path: int(path.stem.removeprefix("model_")), default=None)


def resume(runner: HIMOnPolicyRunner, found: Path | None) -> None:
    """Load the first process's newest checkpoint, if there is one, in every process."""
    data = runner.alg.ranks.bytes_of_first(b"" if found is None else found.read_bytes())
    if found is not None:
        runner.load(str(found))
        print(f"resumed from {found.name}", flush=True)
    elif data:
        with tempfile.NamedTemporaryFile(suffix=".pt") as file:
            file.write(data)
            file.flush()
            runner.load(file.name)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--iterations", type=int, default=10_000, help="of the whole run")
    parser.add_argument("--save_interval", type=int, default=1000)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds per step")
    parser.add_argument("--lost_after", type=int, default=process_group.LOST_AFTER, help="seconds")
    args = parser.parse_args(argv)
    rank = int(os.environ.get("RANK", "0"))
    process_group.LOST_AFTER = args.lost_after
    torch.set_num_threads(1)
    torch.manual_seed(rank)
    env = SlowEnv(16, seed=rank)
    env.pause = args.pause
    cfg = {**train_cfg(num_learning_epochs=1), "save_interval": args.save_interval}
    runner = HIMOnPolicyRunner(env, cfg, str(args.folder if rank == 0 else args.folder / f"rank_{rank}"), "cpu")
    resume(runner, newest(args.folder) if rank == 0 else None)
    done = 0 if runner.last_iteration is None else runner.last_iteration + 1
    try:
        runner.learn(args.iterations - done)
    except LostRankError as error:
        print(f"error: {error}", flush=True)
        return 1
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 128 + runner.stopped_by if runner.stopped_by else 0


if __name__ == "__main__":
    raise SystemExit(main())
