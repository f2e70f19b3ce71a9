# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Curves of a training that is stopped and resumed.

    python tests/trials/resume_trial.py FOLDER --at 80 120 -- ARGUMENTS

Trains with the arguments of ``scripts/train.py`` behind ``--``, sends SIGTERM after the iterations named by ``--at``,
goes on with ``--resume`` each time, and does the same without stopping. Prints how large the change of every curve is
where the run was resumed, beside its usual change from one iteration to the next, and keeps OUT.csv and OUT.png.
FOLDER/whole is taken as it is where it holds a run. Not collected by pytest.
"""

from __future__ import annotations

import argparse
import csv
import re
import signal
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from plot_run import read_run

CURVES = {
    "return": ("Train/mean_reward", "mean return"),
    "length": ("Train/mean_episode_length", "mean episode length [steps]"),
    "tracking_error": ("Metrics/base_velocity/error_vel_xy", "velocity, error of the last episodes [m/s]"),
    "tracking_reward": ("Episode_Reward/tracking_x_vel", "reward, tracking"),
    "smoothness": ("Episode_Reward/smoothness", "reward, smoothness"),
    "value_loss": ("Loss/value", "value loss"),
    "surrogate_loss": ("Loss/surrogate", "surrogate loss"),
    "kl": ("Loss/kl", "KL"),
    "learning_rate": ("Loss/learning_rate", "learning rate"),
    "std": ("Policy/mean_std", "action noise"),
    "velocity_error": ("Loss/estimator_velocity_error", "estimated velocity, error [m/s]"),
    "swap_loss": ("Loss/estimator_swap_loss", "estimator, swap loss"),
}
WINDOW = 40
"""Iterations on both sides of a joint whose changes count as usual."""
STOPPED = 128 + signal.SIGTERM


def train(folder: Path, arguments: list[str], stop_after: int | None) -> None:
    """Train in a folder; stop after that many iterations, by SIGTERM, or else come to the end."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(Path(__file__).resolve().parents[2] / "scripts" / "train.py"), *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    with (folder / "output.txt").open("a", buffering=1) as output:
        for line in process.stdout:
            output.write(line)
            if stop_after is not None and line.startswith(f"it {stop_after}/"):
                process.send_signal(signal.SIGTERM)
    code = process.wait()
    if code != (0 if stop_after is None else STOPPED):
        raise SystemExit(f"the training in {folder} ended with exit code {code}; see output.txt there")


def curves(folder: Path) -> list[dict[str, float]]:
    """Return the rows of the only run below a folder, one an iteration."""
    (run,) = folder.glob("logs/rsl_rl/*/*")
    return read_run(run, CURVES)


def joints(folder: Path) -> list[int]:
    """Return the iterations that were the first ones after a resume."""
    saved = re.findall(r"SIGTERM: saved .*model_(\d+)\.pt", (folder / "output.txt").read_text())
    return [int(iteration) + 1 for iteration in saved]


def changes(rows: list[dict[str, float]], name: str) -> dict[int, float]:
    """Return a curve's change from the iteration before, for every iteration."""
    values = {int(row["iteration"]): row[name] for row in rows if name in row}
    return {it: values[it] - values[it - 1] for it in values if it - 1 in values}


def compare(rows: list[dict[str, float]], at: list[int]) -> dict[str, tuple[float, list[float]]]:
    """Return every curve's usual change, and those at some iterations as multiples of it.

    The usual change is 1.48 times the median size of the changes around, which of a normal distribution is its standard
    deviation and does not see outliers; the joints themselves are left out.
    """
    result = {}
    for name in CURVES:
        steps = changes(rows, name)
        near = [steps[it] for it in steps if it not in at and any(abs(it - joint) <= WINDOW for joint in at)]
        usual = 1.4826 * statistics.median(map(abs, near))
        result[name] = usual, [steps[it] / usual if usual > 0.0 else 0.0 for it in at]
    return result


def write(runs: dict[str, list[dict[str, float]]], at: list[int], out: Path) -> None:
    """Write both runs' curves as a table and as a picture with a line at every joint."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["run", "iteration", *CURVES])
        for run, rows in runs.items():
            for row in rows:
                writer.writerow([run, int(row["iteration"]), *(f"{row[name]:.6g}" for name in CURVES)])
    figure, axes = pyplot.subplots(4, 3, figsize=(13, 11), constrained_layout=True)
    for axis, (name, (_, label)) in zip(axes.flat, CURVES.items(), strict=True):
        for run, rows in runs.items():
            axis.plot([row["iteration"] for row in rows], [row[name] for row in rows], linewidth=0.8, label=run)
        for joint in at:
            axis.axvline(joint - 0.5, color="black", linewidth=0.8, linestyle=":")
        axis.set_title(label, fontsize=9)
        axis.grid(alpha=0.3)
    axes.flat[0].legend(fontsize=8)
    figure.supxlabel("iteration (dotted: stopped by SIGTERM and resumed)")
    figure.savefig(out.with_suffix(".png"), dpi=80)
    pyplot.close(figure)


def main() -> int:
    """Run both, compare, and return 1 if they differ before the first joint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--at", type=int, nargs="+", required=True, help="Iterations after which SIGTERM is sent.")
    parser.add_argument("--out", type=Path, default=None, help="Files to keep, without their endings.")
    ours = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    args, training = parser.parse_args(ours), sys.argv[len(ours) + 2 :]
    whole, stopped = args.folder / "whole", args.folder / "stopped"
    if not list(whole.glob("logs/rsl_rl/*/*")):
        train(whole, training, None)
    if not list(stopped.glob("logs/rsl_rl/*/*")):
        for number, stop in enumerate([*args.at, None]):
            train(stopped, [*training, *(["--resume"] if number else [])], stop)
    runs = {"stopped and resumed": curves(stopped), "uninterrupted": curves(whole)}
    at = joints(stopped)
    if args.out is not None:
        write(runs, at, args.out)
    one, other = ([{key: row[key] for key in ("iteration", *CURVES)} for row in rows] for rows in runs.values())
    equal = next((number for number, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), len(one))
    print(f"resumed before the iterations {at}; the curves of both runs are equal up to iteration {equal - 1}")
    print(f"{'curve':<16} {'usual change':>12}  change there / usual: resumed, and the uninterrupted run's own")
    resumed, kept = (compare(rows, at) for rows in runs.values())
    for name, (usual, sizes) in resumed.items():
        there, here = (" ".join(f"{size:+5.1f}" for size in each) for each in (sizes, kept[name][1]))
        means = [statistics.fmean(each) * len(at) ** 0.5 for each in (sizes, kept[name][1])]
        print(f"{name:<16} {usual:12.3g}  {there} | {here}   mean times root n {means[0]:+.1f} | {means[1]:+.1f}")
    return int(bool(at) and equal < at[0])


if __name__ == "__main__":
    raise SystemExit(main())
