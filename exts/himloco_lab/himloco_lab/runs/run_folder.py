# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The folder a training writes to: a new one, or that of the run it continues."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isaaclab_rl.entrypoints.common import dump_train_configs, normalize_task_name

from himloco_lab.errors import FAILURE, CliError
from himloco_lab.runs.checkpoints import MODEL_PATTERN, models_in, recorded_agent, recorded_task

_LOCK = ".training"
"""File in a run's folder that its training holds locked; the kernel lets go of it however the training ends."""


def continues(args: argparse.Namespace, agent_cfg: Any, checkpoint: Path) -> bool:
    """Whether a resumed training goes on in the checkpoint's folder; otherwise it starts a run of its own.

    It does for the newest checkpoint of the run, unless the user names another run or time.

    Args:
        args: The command line.
        agent_cfg: The learner's configuration.
        checkpoint: What ``--resume`` found.

    Raises:
        CliError: If that run is another task's.
    """
    folder = checkpoint.parent
    task = recorded_task(folder)
    if task is not None and task != normalize_task_name(args.task):
        raise CliError(
            f"--resume: {checkpoint} is of a run of {task}, not {args.task}; name the run with --load_run, or give"
            f" --checkpoint {checkpoint} to start a run from it",
            FAILURE,
        )
    same_name = not args.run_name or folder.name.endswith(f"_{agent_cfg.run_name}")
    return args.run_timestamp is None and same_name and checkpoint == models_in(folder, MODEL_PATTERN)[-1]


def iterations_left(agent_cfg: Any, checkpoint: Path, contents: dict[str, Any], to_the_end: bool = False) -> int:
    """Return how many iterations a continued run is to make.

    The number it was started with means its end; any other number, or one for a run that has ended, means so many more.

    Args:
        agent_cfg: The learner's configuration.
        checkpoint: Where it goes on from.
        contents: What that holds.
        to_the_end: Make none more than were planned: the same command goes on.
    """
    done, total = contents.get("iter", 0) + 1, contents.get("total_iterations")
    left = total - done if isinstance(total, int) else 0
    if to_the_end:
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
    """Write the configurations; those that a continued run had before stay beside them where they differ.

    Args:
        folder: The run's folder.
        env_cfg: The environment's.
        agent_cfg: The learner's.
        iteration: The last one that was made under the earlier ones, or None.
    """
    before = {} if iteration is None else {path: path.read_bytes() for path in _configs(folder)}
    dump_train_configs(str(folder), env_cfg, agent_cfg)
    for path, text in before.items():
        if path.read_bytes() != text:
            path.with_name(f"{path.stem}_until_{iteration}.yaml").write_bytes(text)


def _configs(folder: Path) -> list[Path]:
    """The files that :func:`write_configs` is about to replace."""
    return [path for name in ("env", "agent") if (path := folder / "params" / f"{name}.yaml").is_file()]
