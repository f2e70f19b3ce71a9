# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/ablate.py``: train variants of the algorithm on equal samples, and report how they compare."""

from __future__ import annotations

import argparse
import signal
import time
from pathlib import Path
from types import FrameType

from ablations.campaign import Campaign, Run, check_comparable
from ablations.variants import DISTURBANCES, VARIANTS

import himloco_lab
from himloco_lab.errors import FAILURE, CliError, Parser, run_command, suggestion
from himloco_lab.setup.arguments import AGENT_ENTRY, BOUNDS
from himloco_lab.setup.overrides import resolve_configs
from himloco_lab.setup.registry import find_task
from himloco_lab.tasks.default_robot import default_robot


def main(argv: list[str] | None = None) -> int:
    """Train and report as *argv* (the process's own arguments when None) says, and return the exit code."""
    return run_command(_ablate, argv)


def parse(argv: list[str]) -> tuple[argparse.Namespace, Campaign]:
    """Parse the command line.

    Args:
        argv: Arguments after the script's name.

    Raises:
        CliError: If a variant or the task is unknown, a number is out of its bounds, or an override does not fit.
    """
    parser = Parser(
        description="Train variants of the algorithm on equal samples and compare them. What is finished is not done"
        " again: stop it and start it again as often as you like. Hydra overrides (KEY=VALUE) go to all runs."
    )
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), help=f"{', '.join(VARIANTS)}; all by default.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="1 2 3 when left out.")
    parser.add_argument("--samples", type=int, default=1_500_000, help="Environment steps of each run, 1500000.")
    parser.add_argument("--num_envs", type=int, default=256, help="Robots, 256.")
    flat = default_robot().flat
    parser.add_argument("--task", default=flat, help=f"{flat} when left out.")
    parser.add_argument("--device", default="cpu", help="cpu when left out.")
    parser.add_argument(
        "--disturbances",
        choices=list(DISTURBANCES),
        default="grow",
        help="grow by the task's curriculum, none to keep the gentlest, full for the task's own throughout.",
    )
    parser.add_argument("--out", type=Path, default=Path("docs"), help="Folder of the report and of the records.")
    parser.add_argument("--logs", type=Path, default=Path("logs/ablations"), help="Folder of the runs' own logs.")
    parser.add_argument("--report", action="store_true", help="Only report what is finished.")
    parser.add_argument("--list", action="store_true", help="Only say what is finished and what is not.")
    # taken out first: flags with many values would swallow them
    overrides = [word for word in argv if "=" in word and not word.startswith("-")]
    args = parser.parse_args([word for word in argv if word not in overrides])
    for name in dict.fromkeys(args.variants):
        if name not in VARIANTS:
            raise CliError(f"unknown variant {name!r}: {suggestion(name, VARIANTS)}")
    for name, values in (("num_envs", [args.num_envs]), ("samples", [args.samples]), ("seeds", args.seeds)):
        least, greatest = (0, BOUNDS["seed"][1]) if name == "seeds" else (1, 10**12)
        for value in values:
            if not least <= value <= greatest:
                raise CliError(f"--{name} {value}: must be at least {least} and at most {greatest}")
    return args, Campaign(
        variants=tuple(dict.fromkeys(args.variants)),
        seeds=tuple(dict.fromkeys(args.seeds)),
        samples=args.samples,
        num_envs=args.num_envs,
        task=find_task(args.task, AGENT_ENTRY).id,
        device=args.device,
        disturbances=args.disturbances,
        overrides=tuple(overrides),
    )


def plan_runs(campaign: Campaign) -> list[Run]:
    """All runs of a campaign, after a look at whether their overrides fit the task.

    Raises:
        CliError: If one does not.
    """
    steps = {
        variant: resolve_configs(campaign.task, AGENT_ENTRY, campaign.overrides_of(variant))[1].num_steps_per_env
        for variant in campaign.variants
    }
    return campaign.runs(next(iter(steps.values())))


def _ablate(argv: list[str]) -> int:
    args, campaign = parse(argv)
    from ablations.report import RECORDS, write_report

    if not args.report:
        records = args.out / RECORDS
        runs = plan_runs(campaign)
        check_comparable(records, runs[0].samples, campaign.conditions)
        open_runs = [run for run in runs if not run.finished(records)]
        for run in runs if args.list else ():
            print(f"{'to do   ' if run in open_runs else 'finished'}  {run.name}: {run.command}")
        if args.list:
            return 0
        failed = _train(open_runs, len(runs), args.out, args.logs) if open_runs else []
        if failed:
            raise CliError(f"{len(failed)} of {len(runs)} runs failed: {'; '.join(failed)}", FAILURE)
    for path in write_report(args.out):
        print(f"[INFO] {path}")
    return 0


def _train(runs: list[Run], total: int, out: Path, logs: Path) -> list[str]:
    """Make the runs one after the other, and the report after each; return what was wrong with those that failed."""
    from ablations.report import RECORDS, write_report
    from ablations.training import make_run, only_campaign

    repository = Path(himloco_lab.__file__).resolve().parents[3]
    if not (repository / "scripts" / "train.py").is_file():
        raise CliError(f"{repository} has no scripts/train.py: install himloco_lab from a clone, with pip install -e")
    signal.signal(signal.SIGTERM, _interrupt)
    failed: list[str] = []
    with only_campaign(logs):
        for number, run in enumerate(runs, start=total - len(runs) + 1):
            start = time.monotonic()
            print(f"[INFO] {number} of {total}: {run.command}", flush=True)
            try:
                make_run(run, repository, logs, out / RECORDS)
            except CliError as error:  # the others are worth having all the same
                print(f"[INFO] {error}", flush=True)
                failed.append(str(error))
                continue
            write_report(out)
            print(f"[INFO] {run.name} took {(time.monotonic() - start) / 60.0:.1f} minutes", flush=True)
    return failed


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
