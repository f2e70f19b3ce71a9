# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A long training whose resident memory must stay flat: ``./himloco.sh -p tests/trials/soak.py --out docs/data/soak``.

Starts ``scripts/train.py`` with the arguments behind ``--``, notes its resident memory (Linux's VmRSS) every few
seconds, asks it to stop by SIGTERM when the time is over, and compares the last minutes with those after the first
ten. Exits with 1 if the memory grew by the limit or more, or if the training ended by itself or badly.
"""

from __future__ import annotations

import argparse
import csv
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WINDOW_MIN = 2.0
"""Minutes whose median stands for the memory at a time; single readings jump with the allocator's arenas."""
STOPPED = 128 + signal.SIGTERM
"""Exit code of a training that SIGTERM has stopped and that has saved."""


def main() -> int:
    """Run, write ``OUT.csv`` and ``OUT.png``, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0, help="How long, 120.")
    parser.add_argument("--settle", type=float, default=10.0, help="Minutes of warming up that do not count, 10.")
    parser.add_argument("--interval", type=float, default=10.0, help="Seconds between readings, 10.")
    parser.add_argument("--limit", type=float, default=0.02, help="Growth that is too much, as a share, 0.02.")
    parser.add_argument("--out", type=Path, required=True, help="The files to write, without their endings.")
    parser.add_argument("training", nargs="*", help="Arguments of scripts/train.py, behind --.")
    args = parser.parse_args()
    if args.minutes < args.settle + 2 * WINDOW_MIN:
        parser.error(f"--minutes {args.minutes:g}: must be {2 * WINDOW_MIN:g} more than --settle {args.settle:g}")

    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), *args.training]
    print(f"[INFO] {' '.join(command)}", flush=True)
    process = subprocess.Popen(command)
    try:
        readings = watch(process, args.minutes, args.interval)
    finally:
        process.terminate()
    code = process.wait()
    write(readings, args.out)
    if code != STOPPED:
        print(f"soak: the training ended with exit code {code} after {readings[-1][0]:.1f} minutes", file=sys.stderr)
        return 1
    growth = grown(readings, args.settle)
    print(f"[INFO] {readings[-1][0]:.0f} minutes, {readings[-1][1]:.0f} MB at the end, grown by {growth:+.2%}")
    return int(growth >= args.limit)


def watch(process: subprocess.Popen[bytes], minutes: float, interval: float) -> list[tuple[float, float]]:
    """Read the memory of *process* until the time is over or it ends.

    Args:
        process: The training.
        minutes: How long.
        interval: Seconds between readings.

    Returns:
        (minutes since the start, resident memory [MB]) of every reading.
    """
    start, readings = time.monotonic(), []
    while process.poll() is None and (passed := (time.monotonic() - start) / 60.0) < minutes:
        status = Path(f"/proc/{process.pid}/status").read_text()
        readings += [(passed, int(line.split()[1]) / 1024.0) for line in status.splitlines() if "VmRSS" in line]
        time.sleep(interval)
    return readings


def grown(readings: list[tuple[float, float]], settle: float) -> float:
    """Return by which share the last minutes' median lies above that of the minutes after *settle*.

    Args:
        readings: As :func:`watch` returns them.
        settle: Minutes that do not count.
    """
    end = readings[-1][0]
    early = statistics.median(memory for at, memory in readings if settle <= at < settle + WINDOW_MIN)
    late = statistics.median(memory for at, memory in readings if at >= end - WINDOW_MIN)
    return late / early - 1.0


def write(readings: list[tuple[float, float]], out: Path) -> None:
    """Write the readings as a table and as a curve.

    Args:
        readings: As :func:`watch` returns them.
        out: The files, without their endings.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["minutes", "resident_mb"])
        writer.writerows((f"{at:.2f}", f"{memory:.1f}") for at, memory in readings)
    figure, axis = pyplot.subplots(figsize=(8, 3), constrained_layout=True)
    axis.plot(*zip(*readings, strict=True), linewidth=1.0)
    axis.set_xlabel("minutes")
    axis.set_ylabel("resident memory [MB]")
    axis.set_ylim(bottom=0.0)
    axis.grid(alpha=0.3)
    figure.savefig(out.with_suffix(".png"), dpi=90)
    pyplot.close(figure)


if __name__ == "__main__":
    raise SystemExit(main())
