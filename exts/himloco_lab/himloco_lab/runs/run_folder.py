# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The folder that a training writes to: a new one, that of the run it continues, or the one it had before a restart.

``torchrun --max_restarts`` repeats a command in new processes after one of them has died. Where the run has come to is
kept in the store through which its processes find each other: that lives exactly as long as torchrun does, and all its
machines can reach it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isaaclab_rl.entrypoints.common import dump_train_configs, normalize_task_name

from himloco_lab.errors import FAILURE, CliError
from himloco_lab.runs.checkpoints import MODEL_PATTERN, models_in, newest_readable, read_manifest, recorded_agent

if TYPE_CHECKING:
    from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] - its documented place

_LOCK = ".training"
"""File in a run's folder that its training holds locked; the kernel releases it however the training ends."""
_STORE_KEY = "himloco_lab/run_folder"
"""Key of the first process's run folder in torchrun's store."""
_STORE_TIMEOUT = timedelta(seconds=30)


def make_run_folder(root: Path, run_name: str, timestamp: str | None = None) -> Path:
    """Create and return this run's own folder, ``<time>_<run>``.

    Creating it is what claims the name, so a second run of the same second gets ``<time>_<run>-2``. The name of the run
    may be empty; the time is now when None.

    Raises:
        CliError: If no folder can be created and written there.
    """
    name = "_".join(filter(None, (timestamp or datetime.now().strftime("%Y-%m-%d_%H-%M-%S"), run_name)))
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder, number = root / name, 1
        while True:
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1
                folder = root / f"{name}-{number}"
    except OSError as error:
        raise CliError(
            f"cannot create the log folder {root / name}: {error.strerror}; start from a folder that can be written to",
            FAILURE,
        ) from None


def continues(args: argparse.Namespace, agent_cfg: Any, checkpoint: Path) -> bool:
    """Whether a resumed training goes on in the checkpoint's folder; otherwise it starts a run of its own.

    It does for the newest checkpoint of the run, unless the user names another run or time.

    Raises:
        CliError: If that run is another task's.
    """
    folder = checkpoint.parent
    task = read_manifest(folder).get("task")
    if isinstance(task, str) and task != normalize_task_name(args.task):
        raise CliError(
            f"--resume: {checkpoint} is of a run of {task}, not {args.task}; name the run with --load_run, or give"
            f" --checkpoint {checkpoint} to start a run from it",
            FAILURE,
        )
    same_name = not args.run_name or folder.name.endswith(f"_{agent_cfg.run_name}")
    return args.run_timestamp is None and same_name and checkpoint == models_in(folder, MODEL_PATTERN)[-1]


def iterations_left(agent_cfg: Any, checkpoint: Path, contents: dict[str, Any], is_restart: bool = False) -> int:
    """Return how many iterations a continued run is to make.

    The number it was started with means its end; any other number, or one for a run that has ended, means so many more.
    A restart, in which torchrun repeats the command, makes no more than were planned.
    """
    done, total = contents.get("iter", 0) + 1, contents.get("total_iterations")
    left = total - done if isinstance(total, int) else 0
    if is_restart:
        return max(left, 0)
    asked_before = recorded_agent(checkpoint).get("max_iterations")
    return left if left > 0 and agent_cfg.max_iterations == asked_before else agent_cfg.max_iterations


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Keep a run's folder for this process.

    Raises:
        CliError: If another process trains there.
    """
    with open(folder / _LOCK, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CliError(
                f"another training writes to {folder}; wait for its end, or name another run", FAILURE
            ) from None
        except OSError:  # a file system without locks
            pass
        yield


def write_configs(folder: Path, env_cfg: Any, agent_cfg: Any, iteration: int | None) -> None:
    """Write the configurations; those that a continued run had until *iteration* stay beside them where they differ."""
    paths = [] if iteration is None else [folder / "params" / name for name in ("env.yaml", "agent.yaml")]
    before = {path: path.read_bytes() for path in paths if path.is_file()}
    dump_train_configs(str(folder), env_cfg, agent_cfg)
    for path, text in before.items():
        if path.read_bytes() != text:
            path.with_name(f"{path.stem}_until_{iteration}.yaml").write_bytes(text)


def remember_folder(folder: Path) -> None:
    """Keep the run's folder in torchrun's store, if torchrun started this process."""
    store = _store()
    if store is not None:
        store.set(_STORE_KEY, str(folder))


def earlier_checkpoint() -> Path | None:
    """Return the newest good checkpoint of what this torchrun started before; None if there is none."""
    store = _store()
    if store is None or not store.check([_STORE_KEY]):
        return None
    folder = Path(store.get(_STORE_KEY).decode())
    if not folder.is_dir():
        print(f"[WARNING] torchrun started this run again, but {folder} is not on this machine: it begins anew")
        return None
    try:
        checkpoint = newest_readable(models_in(folder, MODEL_PATTERN))
    except CliError as error:
        print(f"[WARNING] torchrun started this run again, and it begins anew: {error}")
        return None
    print(f"[INFO] torchrun started this run again: it goes on in {folder}")
    return checkpoint


def _store() -> TCPStore | None:
    """The store of the torchrun that started this process, if one did and it answers."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # a process of its own need not load torch for this
        return None
    from himloco_rl.distributed.process_group import torchrun_store

    try:
        return torchrun_store(_STORE_TIMEOUT)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        print(f"[WARNING] torchrun's store does not answer ({reason}): if torchrun restarts this run, it begins anew")
        return None
