# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``ablations.md`` and ``ablations.png``, made of the records of finished runs and of nothing else."""

from __future__ import annotations

import math
import shlex
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from workspace import markdown_table

from himloco_lab.errors import FAILURE, CliError

from .campaign import CURVES, VARIANTS, read_records

RECORDS, PAGE, PICTURE = "ablations", "ablations.md", "ablations.png"
_BASELINE = "him"

_INTRODUCTION = """# What each part of the algorithm brings

Written by `tools/ablate.py --report` from the records in `ablations/`; do not edit. All runs have the
same task and the same number of samples. A number is the mean over seeds ± their standard deviation. *Length* is in
steps of 1000. Episodes get harder as they last longer (`disturbances` is the curriculum's ratio, 0 the gentlest), so a
length can only be compared beside it. A tracking error is that of the episodes which ended meanwhile.
"""

Summary = Callable[[Sequence[float], Sequence[float]], float]
"""Takes samples and values of a curve, both without NaN, and returns one number."""


def write_report(out: Path) -> tuple[Path, Path]:
    """Write page and picture of the records in ``out/ablations`` to the folder *out*.

    Raises:
        CliError: If there are no records, they cannot be compared, or the folder cannot be written to.
    """
    records = read_records(out / RECORDS)
    page, picture = out / PAGE, out / PICTURE
    try:
        page.write_text(render(records))
        draw(records, picture)
    except OSError as error:
        raise CliError(f"cannot write to {out}: {error.strerror}; name another folder with --out", FAILURE) from None
    return page, picture


def render(records: Sequence[dict[str, Any]]) -> str:
    """The page of what :func:`~.campaign.read_records` returns."""
    conditions = records[0]["conditions"]
    overrides = shlex.join(conditions["overrides"]) or "none"
    sections = [
        _INTRODUCTION,
        f"{records[0]['samples']:,} samples a run · {conditions['task']} · {conditions['robots']} robots ·"
        f" disturbances: {conditions['disturbances']} · further overrides: {overrides}\n",
        f"![Curves over samples: mean over seeds, and their range]({PICTURE})\n",
        _variants_table(records),
        "## The last tenth of the samples\n",
        _summary_table(records, last_tenth),
        f"Difference from `{_BASELINE}` in units of its standard error (Welch's t). With three seeds each, one of"
        " twenty such numbers is beyond ± 2.8 (equal spreads) to ± 4.3 (unequal ones) by chance alone:\n",
        _difference_table(records, last_tenth),
        "## The mean over all samples (the area under the curve)\n",
        _summary_table(records, area),
        _difference_table(records, area),
        "## Runs\n",
        _runs_table(records),
    ]
    return "\n".join(sections).rstrip("\n") + "\n"


def last_tenth(samples: Sequence[float], values: Sequence[float]) -> float:
    """Mean of the values whose samples are in the last tenth of all; NaN if there are none."""
    late = [value for at, value in zip(samples, values, strict=True) if at > 0.9 * samples[-1]] if samples else []
    return statistics.fmean(late) if late else math.nan


def area(samples: Sequence[float], values: Sequence[float]) -> float:
    """Area under the curve by trapezoids, divided by its width; NaN for less than two points."""
    if len(samples) < 2:
        return math.nan
    return float(np.trapezoid(values, samples)) / (samples[-1] - samples[0])


def welch(one: Sequence[float], other: Sequence[float]) -> float:
    """Difference of two means over its standard error, (m₁ − m₂) / √(s₁²/n₁ + s₂²/n₂); NaN for fewer than two each."""
    if min(len(one), len(other)) < 2:
        return math.nan
    error = math.sqrt(sum(statistics.variance(values) / len(values) for values in (one, other)))
    return (statistics.fmean(one) - statistics.fmean(other)) / error if error else math.nan


def over_seeds(records: Sequence[dict[str, Any]], variant: str, column: str, summary: Summary) -> list[float]:
    """One number for each seed of a variant that has the curve *column*, made by *summary*."""
    numbers = []
    for record in records:
        if record["variant"] == variant:
            curves = record["curves"]
            points = [(x, y) for x, y in zip(curves["samples"], curves[column], strict=True) if not math.isnan(y)]
            numbers.append(summary([x for x, _ in points], [y for _, y in points]))
    return [number for number in numbers if not math.isnan(number)]


def show(values: Sequence[float]) -> str:
    """``mean ± standard deviation`` with three significant digits; the value alone if there is one, – for none."""
    if not values:
        return "–"
    mean = statistics.fmean(values)
    size = max(abs(mean), *map(abs, values))
    digits = 0 if size == 0.0 else min(max(2 - math.floor(math.log10(size)), 0), 4)
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean:.{digits}f}{spread}"


def draw(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw every curve over the samples: the mean over a variant's seeds as a line, their range as a band."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, 3, figsize=(13, 10), constrained_layout=True)
    for axis, (column, (_, label)) in zip(axes.flat, CURVES.items(), strict=True):
        for i, variant in enumerate(_variants(records)):
            curves = [record["curves"] for record in records if record["variant"] == variant]
            values = np.array([curve[column] for curve in curves])
            if np.isnan(values).all():
                continue
            samples = np.array(curves[0]["samples"]) / 1e6
            some = ~np.isnan(values).all(axis=0)  # before the first episode has ended there is nothing to show
            samples, values, color = samples[some], values[:, some], f"C{list(VARIANTS).index(variant)}"
            axis.plot(samples, np.nanmean(values, axis=0), color=color, linewidth=1.6, label=variant, zorder=10 - i)
            axis.fill_between(
                samples, np.nanmin(values, axis=0), np.nanmax(values, axis=0), color=color, alpha=0.15, linewidth=0.0
            )
        axis.set_xlabel("million samples")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes.flat[0].legend(fontsize=8)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _variants(records: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(record["variant"] for record in records))


def _variants_table(records: Sequence[dict[str, Any]]) -> str:
    rows = []
    for variant in _variants(records):
        seeds = ", ".join(str(record["seed"]) for record in records if record["variant"] == variant)
        rows.append([f"`{variant}`", VARIANTS[variant].title, seeds, f"`{_command(records, variant)}`"])
    return markdown_table(["variant", "what it is", "seeds", "command"], rows, numbers=False)


def _command(records: Sequence[dict[str, Any]], variant: str) -> str:
    """The command that makes all runs of a variant, and the report."""
    own = [record for record in records if record["variant"] == variant]
    conditions = own[0]["conditions"]
    words = ["./himloco.sh", "-p", "tools/ablate.py"]
    words += ["--variants", variant, "--seeds", *(str(one["seed"]) for one in own)]
    words += ["--samples", str(own[0]["samples"]), "--num_envs", str(conditions["robots"])]
    words += ["--task", conditions["task"], "--disturbances", conditions["disturbances"], *conditions["overrides"]]
    return shlex.join(words)


def _summary_table(records: Sequence[dict[str, Any]], summary: Summary) -> str:
    columns = [column for column in CURVES if any(over_seeds(records, v, column, summary) for v in _variants(records))]
    rows = [
        [f"`{variant}`", *(show(over_seeds(records, variant, column, summary)) for column in columns)]
        for variant in _variants(records)
    ]
    return markdown_table(["variant", *(column.replace("_", " ") for column in columns)], rows)


def _difference_table(records: Sequence[dict[str, Any]], summary: Summary) -> str:
    columns = ["return", "length", "velocity_error", "tracking_error", "yaw_error", "height_error"]
    rows = []
    for variant in _variants(records):
        pairs = [[over_seeds(records, name, column, summary) for name in (variant, _BASELINE)] for column in columns]
        numbers = [welch(*pair) for pair in pairs]
        if variant != _BASELINE:
            rows.append([f"`{variant}`", *("–" if math.isnan(number) else f"{number:+.1f}" for number in numbers)])
    return markdown_table(["variant", *(column.replace("_", " ") for column in columns)], rows)


def _runs_table(records: Sequence[dict[str, Any]]) -> str:
    rows = []
    for one in records:
        name, machine = f"{one['variant']}_seed{one['seed']}", one["machine"]
        facts = [one["date"], f"`{one['commit']}`", f"{machine['cpu']}, {machine['cores']} cores"]
        rows.append([f"[`{name}`]({RECORDS}/{name}.csv)", *facts, f"{one['minutes']:.1f}", f"`{one['command']}`"])
    return markdown_table(["run", "date", "commit", "machine", "minutes", "command"], rows, numbers=False)
