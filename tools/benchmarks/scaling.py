# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""How much faster several processes are than one, on this machine's cores."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from himloco_lab.errors import FAILURE, CliError

from .worker import TIMEOUT, environment


def measure_scaling(processes: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Let processes of one core each learn alone and together (:mod:`.scaling_ranks`).

    Args:
        processes: How many.
        settings: ``num_envs`` of each, ``rounds``, ``seed``.

    Raises:
        CliError: If they fail; the end of what they printed goes to stderr.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        command += ["-m", "benchmarks.scaling_ranks", json.dumps(settings), str(out)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, cwd=folder, env=environment(), check=False
        )
        if not out.is_file():
            print(f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}", file=sys.stderr)
            raise CliError(f"measuring {processes} processes {settings} ended with code {done.returncode}", FAILURE)
        return json.loads(out.read_text())
