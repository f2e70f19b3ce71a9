# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/scaling.py``: what training on up to 64 GPUs would cost, by a model on paper."""

from __future__ import annotations

import argparse
import csv
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.scaling_model import CLUSTERS, Work, pays_until, predict

from himloco_lab.errors import CliError, Parser, run_command

if TYPE_CHECKING:
    from benchmarks.group_traffic import Traffic

GPUS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of GPUs in the tables."""
_ASSUMED = ("iteration", "update_share", "step_floor", "optimizer_floor", "call", "jitter")
"""Fields of :class:`Work` that the command line may replace, by a measurement for example."""


def main(argv: list[str] | None = None) -> int:
    """Compute what *argv* asks for, and return the exit code."""
    return run_command(_compute, argv)


def _compute(argv: list[str]) -> None:
    parser = Parser(description="Count what an iteration reduces, and predict what up to 64 GPUs make of it.")
    parser.add_argument("--out", required=True, help="The files to write, without their endings (.csv and .png).")
    documented = {field.name: field.default for field in dataclasses.fields(Work)}
    for name in _ASSUMED:
        parser.add_argument(f"--{name}", type=float, default=documented[name], help=f"{documented[name]} if left out.")
    args: argparse.Namespace = parser.parse_args(argv)
    for name in _ASSUMED:
        if not getattr(args, name) > 0.0:
            raise CliError(f"--{name} {getattr(args, name)}: must be greater than zero")
    if args.update_share >= 1.0:
        raise CliError(f"--update_share {args.update_share}: must be less than 1")
    from benchmarks.group_traffic import iteration_traffic  # loads the learner

    from himloco_lab.tasks.default_robot import default_robot, load_config

    task = default_robot().rough
    traffic = iteration_traffic(task, height_scan=True)
    steps = load_config(task, "rsl_rl_cfg_entry_point").num_steps_per_env
    optimizer_steps = traffic.policy_steps + traffic.estimator_steps
    work = Work(steps=steps, optimizer_steps=optimizer_steps, **{name: getattr(args, name) for name in _ASSUMED})
    rows = [
        {"cluster": cluster.name, "gpus": gpus, **predict(traffic.calls, gpus, cluster, work)}
        for cluster in CLUSTERS
        for gpus in GPUS
    ]
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    draw(rows, out.with_suffix(".png"))
    print(describe(task, traffic))
    print(tables(rows))
    print(f"[INFO] {out.with_suffix('.csv')} and {out.with_suffix('.png')}")


def describe(task: str, traffic: Traffic) -> str:
    """Say what an iteration reduces.

    Args:
        task: Registered name.
        traffic: Its reductions.
    """
    sizes = ", ".join(f"{count} of {size:,} B" for size, count in sorted(traffic.calls.items(), reverse=True))
    return (
        f"{task}: {traffic.policy_parameters:,} parameters of actor and critic in {traffic.policy_steps} steps and"
        f" {traffic.estimator_parameters:,} of the estimator in {traffic.estimator_steps}:"
        f" {traffic.gradient_bytes / 1e6:.2f} MB of gradients an iteration, {traffic.bytes / 1e6:.2f} MB in all, in"
        f" {traffic.number} reductions ({sizes})"
    )


def tables(rows: list[dict[str, Any]]) -> str:
    """Markdown tables, one a cluster.

    Args:
        rows: From :func:`predict`, with ``cluster`` and ``gpus``.
    """
    head = "| GPUs | reducing [ms] | weak: iteration [s] | efficiency | strong: iteration [s] | speed-up | efficiency |"
    parts = []
    for name in dict.fromkeys(row["cluster"] for row in rows):
        chosen = [row for row in rows if row["cluster"] == name]
        lines = [f"**{name}**", "", head, "|" + "---:|" * 7]
        lines += [
            f"| {row['gpus']} | {1e3 * row['reducing_s']:.1f} | {row['weak_s']:.2f} | {row['weak_efficiency']:.0%} |"
            f" {row['strong_s']:.2f} | {row['strong_speedup']:.1f} | {row['strong_efficiency']:.0%} |"
            for row in chosen
        ]
        weak, strong = (pays_until(chosen, f"{kind}_efficiency") for kind in ("weak", "strong"))
        lines += ["", f"At least half of every GPU is used up to {weak} (weak) and {strong} (strong).", ""]
        parts.append("\n".join(lines))
    return "\n".join(parts)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw both efficiencies over the number of GPUs.

    Args:
        rows: As for :func:`tables`.
        path: The picture.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), constrained_layout=True, sharey=True)
    for axis, kind, title in zip(
        axes, ("weak", "strong"), ("as many robots on every GPU", "4,096 robots shared out"), strict=True
    ):
        for name in dict.fromkeys(row["cluster"] for row in rows):
            chosen = [row for row in rows if row["cluster"] == name]
            values = [100.0 * row[f"{kind}_efficiency"] for row in chosen]
            axis.plot([row["gpus"] for row in chosen], values, marker="o", label=name)
        axis.set_xscale("log", base=2)
        axis.set_xticks(GPUS, [str(gpus) for gpus in GPUS])
        axis.set_xlabel("GPUs")
        axis.set_title(title)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("efficiency [%], predicted")
    axes[0].set_ylim(0.0, 105.0)
    axes[0].legend()
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def _plain(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


if __name__ == "__main__":
    raise SystemExit(main())
