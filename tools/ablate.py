# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/ablate.py``: train variants of the algorithm on equal samples, and report how they compare."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import plot_run
from ablations.campaign import CURVES, DISTURBANCES, VARIANTS, Campaign, Run, check_comparable, write_record
from ablations.report import RECORDS, write_report
from benchmarks import FLAT
from workspace import ROOT, commit_of, describe_machine, python_command, tools_environment

from himloco_lab.errors import FAILURE, INTERRUPTED, CliError, Parser, run_command, suggestion
from himloco_lab.setup.arguments import AGENT_ENTRY, BOUNDS
from himloco_lab.setup.overrides import resolve_configs
from himloco_lab.setup.registry import find_task


def main(argv: list[str] | None = None) -> int:
    """Train and report as *argv* (the process's own arguments when None) says, and return the exit code."""
    return run_command(_ablate, argv)


def parse(argv: list[str]) -> tuple[argparse.Namespace, Campaign]:
    """Parse *argv*, the arguments after the script's name.

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
    parser.add_argument("--task", default=FLAT, help=f"{FLAT} when left out.")
    parser.add_argument("--device", default="cpu", help="cpu when left out.")
    parser.add_argument(
        "--disturbances",
        choices=list(DISTURBANCES),
        default="grow",
        help="grow by the task's curriculum, none to keep the gentlest, full for the task's own throughout.",
    )
    parser.add_argument("--out", type=Path, default=Path("docs/log"), help="Folder of the report and of the records.")
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
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    failed: list[str] = []
    with only_campaign(logs):
        for number, run in enumerate(runs, start=total - len(runs) + 1):
            start = time.monotonic()
            print(f"[INFO] {number} of {total}: {run.command}", flush=True)
            try:
                make_run(run, logs, out / RECORDS)
            except CliError as error:  # the others are worth having all the same
                print(f"[INFO] {error}", flush=True)
                failed.append(str(error))
                continue
            write_report(out)
            print(f"[INFO] {run.name} took {(time.monotonic() - start) / 60.0:.1f} minutes", flush=True)
    return failed


def make_run(run: Run, logs: Path, records: Path) -> None:
    """Train, and keep the record; what an interrupted attempt left in the folder of *logs* is thrown away first.

    Raises:
        CliError: If the training fails.
        KeyboardInterrupt: If it is interrupted.
    """
    folder = (logs / run.name).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    commit, start = commit_of(), time.perf_counter()
    output = folder / "output.txt"
    command = [*python_command(), str(ROOT / "scripts" / "train.py"), *run.arguments]
    with output.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, env=tools_environment(), stdout=file, stderr=subprocess.STDOUT)
        try:
            code = process.wait()
        finally:  # Ctrl-C reaches both; SIGTERM only this process
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    found = list(folder.glob("logs/rsl_rl/*/*"))
    if code != 0 or len(found) != 1:
        last = (output.read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise CliError(f"{run.name} ended with code {code} ({last}); its output is in {output}", FAILURE)
    facts = {
        **{"date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "commit": commit, "machine": describe_machine()},
        "minutes": round((time.perf_counter() - start) / 60.0, 2),
    }
    write_record(records, run, plot_run.read_run(found[0], CURVES), facts)


@contextlib.contextmanager
def only_campaign(logs: Path) -> Iterator[None]:
    """Hold the logs' folder, so that no second campaign trains beside this one and into the same files.

    Raises:
        CliError: If another one holds it.
    """
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = f"another campaign is at work in {logs}; wait for it, or name other folders by --logs and --out"
            raise CliError(message, FAILURE) from None
        yield


if __name__ == "__main__":
    raise SystemExit(main())
