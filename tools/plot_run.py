# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/plot_run.py``: a run's curves as a CSV file and a picture, to keep after its logs are gone."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from himloco_lab.errors import FAILURE, CliError, Parser, run_command

CURVES = {
    "length": ("Train/mean_episode_length", "mean episode length [steps]"),
    "return": ("Train/mean_reward", "mean return"),
    "velocity_error": ("Loss/estimator_velocity_error", "estimated velocity, error [m/s]"),
    "tracking_error": ("Metrics/base_velocity/error_vel_xy", "commanded velocity, error [m/s]"),
    "yaw_error": ("Metrics/base_velocity/error_vel_yaw", "commanded turning, error [rad/s]"),
    "height_error": ("Metrics/base_velocity/error_height", "commanded height, error [m]"),
    "swap_loss": ("Loss/estimator_swap_loss", "swap loss"),
    "perplexity": ("Loss/estimator_prototype_perplexity", "prototypes' perplexity"),
    "disturbances": ("Curriculum/disturbances", "disturbance ratio"),
    "terrain_level": ("Curriculum/terrain_levels", "mean terrain level"),
    "arms": ("Curriculum/upper_body_ratio", "arms' ratio"),
    "falls": ("Episode_Termination/bad_orientation", "share of episodes that end in a fall"),
    "std": ("Policy/mean_std", "action noise"),
}
"""Name of a curve -> TensorBoard's tag, and what pictures say on the axis."""
_OF_ABLATIONS = ("yaw_error", "height_error", "swap_loss", "perplexity")
SHOWN = {name: curve for name, curve in CURVES.items() if name not in _OF_ABLATIONS}
"""Curves that a run's CSV file and picture show."""
SMOOTHING = 100
"""Iterations that the picture's bold line averages over."""


def main(argv: list[str] | None = None) -> int:
    """Plot the runs that *argv* names, and return the exit code."""
    return run_command(_plot, argv)


def _plot(argv: list[str]) -> None:
    parser = Parser(description="Write a run's curves to OUT.csv and OUT.png.")
    parser.add_argument("run", help="Run folder with TensorBoard's files.")
    parser.add_argument("--out", required=True, help="The files to write, without their endings.")
    parser.add_argument("--title", default="", help="Title of the picture.")
    args = parser.parse_args(argv)
    if not any(Path(args.run).glob("events.out.tfevents.*")):
        raise CliError(f"{args.run}: no TensorBoard file in this folder; name a run's folder", FAILURE)
    rows = read_run(Path(args.run))
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["iteration", "minutes", "samples", *SHOWN])
        writer.writeheader()
        writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in rows)
    draw(rows, out.with_suffix(".png"), args.title)
    print(f"[INFO] {out.with_suffix('.csv')} and {out.with_suffix('.png')}")


def read_run(folder: Path, curves: Mapping[str, tuple[str, str]] = SHOWN) -> list[dict[str, float]]:
    """Return one row an iteration: wall-clock minutes since the first, samples seen, and those curves that it has."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    tags = set(events.Tags()["scalars"])
    times = {event.step: event.wall_time for event in events.Scalars("Perf/total_fps")}
    durations = _values(events, "Perf/collection_time"), _values(events, "Perf/learning_time")
    rates = _values(events, "Perf/total_fps")
    values = {name: _values(events, tag) for name, (tag, _) in curves.items() if tag in tags}
    start = min(times.values())
    rows, samples = [], 0.0
    for step in sorted(times):
        samples += round(rates[step] * sum(duration.get(step, 0.0) for duration in durations))
        row = {"iteration": float(step), "minutes": (times[step] - start) / 60.0, "samples": samples}
        rows.append(row | {name: curve[step] for name, curve in values.items() if step in curve})
    return rows


def draw(rows: list[dict[str, float]], path: Path, title: str) -> None:
    """Draw every curve over the minutes, thin as it was and bold as its mean over :data:`SMOOTHING` iterations."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # one value makes no curve: a run that began with another task's checkpoint records that task's curricula once
    names = [name for name in SHOWN if sum(name in row for row in rows) > 1]
    figure, axes = pyplot.subplots(2, max(3, (len(names) + 1) // 2), figsize=(12, 6), constrained_layout=True)
    for axis, name in zip(axes.flat, names, strict=False):
        minutes = [row["minutes"] for row in rows if name in row]
        values = [row[name] for row in rows if name in row]
        means = [sum(values[max(0, i - SMOOTHING + 1) : i + 1]) / min(i + 1, SMOOTHING) for i in range(len(values))]
        axis.plot(minutes, values, linewidth=0.5, color="tab:blue", alpha=0.6)
        axis.plot(minutes, means, linewidth=2.0, color="tab:blue")
        axis.set_xlabel("minutes")
        axis.set_ylabel(CURVES[name][1])
        axis.set_ylim(bottom=0.0)
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    figure.suptitle(title)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def _values(events: Any, tag: str) -> dict[int, float]:
    return {event.step: event.value for event in events.Scalars(tag)}


if __name__ == "__main__":
    raise SystemExit(main())
