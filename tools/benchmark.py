# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/benchmark.py``: measure, and write ``benchmarks.json`` and ``benchmarks.md``."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, load_average
from benchmarks.parts import Part, Sizes, make_parts
from benchmarks.report import write_report

import himloco_lab
from himloco_lab.errors import CliError, run_command, suggestion

FULL_SIZE = (4096, 100)
"""Environments and steps of the reference's rollout (facts 1.2)."""


def main(argv: list[str] | None = None) -> int:
    """Benchmark as *argv* (the process's own arguments when None) says, and return the exit code."""
    return run_command(_benchmark, argv)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise CliError(f"{message}; {self.prog} --help shows what there is")


def parse(argv: list[str]) -> tuple[list[str], argparse.Namespace, Sizes]:
    """Parse the command line.

    Args:
        argv: Arguments after the script's name.

    Returns:
        The parts to measure, the flags (``changed`` holds those that are not at their defaults), and the sizes.

    Raises:
        CliError: If a part is unknown or a number is not positive.
    """
    defaults = Sizes()
    names = list(make_parts(Path(), defaults))
    parser = _Parser(description="Measure environment, training and learner on this machine.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(names)}; all when none is named.")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="Folder of benchmarks.json and benchmarks.md.")
    parser.add_argument("--repeats", type=int, default=3, help="Rounds of all cases of a part.")
    sized = [one for one in dataclasses.fields(Sizes) if one.name != "train_overrides"]
    for one in sized:
        default = getattr(defaults, one.name)
        parser.add_argument(f"--{one.name}", type=int, default=default, help=f"{default} when left out.")
    parser.add_argument("--train_overrides", nargs="+", default=[], help="Hydra overrides of the trainings.")
    args = parser.parse_args(argv)
    for part in args.parts:
        if part not in names:
            raise CliError(f"unknown part {part!r}: {suggestion(part, names)}")
    for name in ("repeats", *(one.name for one in sized)):
        if getattr(args, name) < 1:
            raise CliError(f"--{name} {getattr(args, name)}: must be at least 1")
    if args.train_iterations <= args.train_warm_up:
        raise CliError(
            f"--train_iterations {args.train_iterations}: must be more than the {args.train_warm_up} warm-up"
        )
    sizes = Sizes(**{one.name: getattr(args, one.name) for one in dataclasses.fields(Sizes)})
    args.changed = {
        name: value for name, value in vars(args).items() if name != "parts" and value != parser.get_default(name)
    }
    return list(dict.fromkeys(args.parts or names)), args, sizes


def command_of(part: str, changed: dict[str, Any]) -> str:
    """The command that measures one part alone.

    Args:
        part: Name of the part.
        changed: Flags that are not at their defaults.
    """
    words = ["./himloco.sh", "-p", "tools/benchmark.py", part]
    for name, value in changed.items():
        words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)


def _benchmark(argv: list[str]) -> None:
    chosen, args, sizes = parse(argv)
    repository = Path(himloco_lab.__file__).resolve().parents[3]
    if not (repository / "scripts" / "train.py").is_file():
        raise CliError(f"{repository} has no scripts/train.py: install himloco_lab from a clone, with pip install -e")
    parts = make_parts(repository, sizes)
    for name in chosen:
        result = _measure(name, parts[name], args.repeats)
        result["command"] = command_of(name, args.changed)
        result["sizes"] = dataclasses.asdict(sizes)
        if name == "memory":
            result["storage"] = _full_size()
        for path in write_report(args.out, {name: result}):
            print(f"[INFO] {path}", flush=True)


def _measure(name: str, part: Part, repeats: int) -> dict[str, Any]:
    """Run a part and note when, where and beside what load."""
    start, load = time.perf_counter(), load_average()

    def announce(text: str) -> None:
        print(f"[INFO] {time.perf_counter() - start:5.0f} s  {name}: {text}", file=sys.stdout, flush=True)

    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    result = part.run(repeats, announce)
    seconds = time.perf_counter() - start
    return {
        **{"date": date, "machine": describe(), "load_before": load, "load_after": load_average()},
        **{"repeats": repeats, "seconds": seconds},
        **result,
    }


def _full_size() -> dict[str, Any]:
    from benchmarks.storage_size import storage_sizes  # loads the learner
    from benchmarks.worker import run_worker

    num_envs, num_steps = FULL_SIZE
    size = {"num_envs": num_envs, "num_steps": num_steps}
    peaks = run_worker("peaks", size)
    for name, peak in peaks.items():
        print(f"[INFO] {num_envs} x {num_steps}: {name}: {peak / 1e9:.2f} GB at most", flush=True)
    return {**size, "bytes": storage_sizes(num_envs, num_steps), "peaks": peaks}


if __name__ == "__main__":
    raise SystemExit(main())
