# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/train.py``: from a command line to a trained policy."""

from __future__ import annotations

from himloco_lab.cli.errors import run_command
from himloco_lab.cli.plan import plan_run


def main(argv: list[str] | None = None) -> int:
    """Train as *argv* (the process's own arguments when None) says, and return the exit code."""
    return run_command(_train, argv)


def _train(argv: list[str]) -> int:
    plan = plan_run(argv)
    # the learner takes seconds to load, which a mistake on the command line need not wait for
    from himloco_lab.cli.learning import execute

    return execute(plan)
