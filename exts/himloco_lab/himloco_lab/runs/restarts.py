# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A run that ``torchrun --max_restarts`` starts again after one of its processes has died.

torchrun repeats the command in new processes. Where the run has come to, it keeps in the store through which its
processes find each other: that lives exactly as long as torchrun does, and all its machines can reach it.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from himloco_lab.errors import CliError
from himloco_lab.runs.checkpoints import MODEL_PATTERN, find_good, models_in

if TYPE_CHECKING:
    from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] - its documented place

_KEY = "himloco_lab/run_folder"
"""Key of the first process's run folder in torchrun's store."""
_PATIENCE = timedelta(seconds=30)
"""How long the store may take to answer."""


def remember_folder(folder: Path) -> None:
    """Tell torchrun, if it started this process, where the run is."""
    store = _store()
    if store is not None:
        store.set(_KEY, str(folder))


def earlier_checkpoint() -> Path | None:
    """Return the newest good checkpoint of what this torchrun started before; None if there is none."""
    store = _store()
    if store is None or not store.check([_KEY]):
        return None
    folder = Path(store.get(_KEY).decode())
    if not folder.is_dir():
        print(f"[WARNING] torchrun started this run again, but {folder} is not on this machine: it begins anew")
        return None
    try:
        checkpoint = find_good(models_in(folder, MODEL_PATTERN))
    except CliError as error:
        print(f"[WARNING] torchrun started this run again, and it begins anew: {error}")
        return None
    print(f"[INFO] torchrun started this run again: it goes on in {folder}")
    return checkpoint


def _store() -> TCPStore | None:
    """The store of the torchrun that started this process, if one did and it answers."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # a process of its own need not load torch for this
        return None
    from himloco_rl.distributed.torchrun_store import torchrun_store

    try:
        return torchrun_store(_PATIENCE)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        print(f"[WARNING] torchrun's store does not answer ({reason}): if torchrun restarts this run, it begins anew")
        return None
