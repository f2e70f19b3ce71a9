# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/train.py``: from a command line to a trained policy."""

from __future__ import annotations

from himloco_lab.commands.plan import plan_run
from himloco_lab.commands.workers import Workers, follow_parent
from himloco_lab.errors import FAILURE, CliError, run_command


def main(argv: list[str] | None = None) -> int:
    """Train as *argv* (the process's own arguments when None) says, and return the exit code."""
    return run_command(_train, argv)


def _train(argv: list[str]) -> int:
    follow_parent()
    plan = plan_run(argv)
    workers = None
    if plan.processes > 1:
        envs = plan.env_cfg.scene.num_envs
        print(f"[INFO] {plan.processes} processes of {envs} environments; set --nproc_per_node to change it")
        workers = Workers(argv, plan.processes, plan.agent_cfg.seed, envs)
    # the learner takes seconds to load, which a mistake on the command line need not wait for
    from himloco_lab.commands.learning import execute

    try:
        return execute(plan, workers)
    except KeyboardInterrupt:
        failure = workers and workers.failure()
        if failure:
            raise CliError(failure, FAILURE) from None
        raise
    finally:
        if workers:
            workers.close()
