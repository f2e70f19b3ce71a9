# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``benchmarks.md`` from ``benchmarks.json``: every number of a table is in the file beside it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace import markdown_table

from himloco_lab.errors import FAILURE, CliError

JSON_NAME, MD_NAME = "benchmarks.json", "benchmarks.md"

_INTRODUCTION = """# Benchmarks

Written by `tools/benchmark.py` from [`benchmarks.json`](benchmarks.json); do not edit. A number is the median of the
repeats with their range in brackets. The cases of a part run in turn, each in a process of its own, and a ratio is
taken between runs of the same repeat. Absolute numbers belong to the machine; ratios carry over.
"""

_NOTES = {
    "env": (
        "`ovphysx` on the CPU, one torch thread as in a training's rollouts;"
        " random actions with the noise of an untrained policy; episode lengths randomized, as a"
        " training starts. *Physics alone* is the engine stepped as often, with the same robots in the same states and"
        " nothing written or read. Robots under random actions fall and are reset all the time (*ended* is the share of"
        " robots' steps that end an episode). Under a trained policy they stand: fewer resets, and other contacts in"
        " the engine, so both rates will be others; that is not measured here. Aims: 2,000 env-steps/s on Rough, 80 %"
        " of its physics alone."
    ),
    "writes": (
        "The rough task as it is, and with one thing done another way: *engine drives* moves the upper body by the"
        " engine's joint drives, *newton actuators* computes the PD law by Warp kernels, *ray caster*"
        " scans the ground with 187 rays a robot."
    ),
    "train": (
        "`scripts/train.py` by its own progress lines, after the warm-up; *total* is by the clock, logging included."
        " Aim: 2,000 env-steps/s in total with 128 robots. *Two processes* share the robots out and learn together,"
        " each with one torch thread; the memory is that of the larger one."
    ),
    "scaling": (
        "The flat task in processes of one core each, each with robots of its own and one policy. In turn the first one"
        " makes an iteration alone, while the others wait, and all make one together, in the same minute with the same"
        " robots. A ratio is the efficiency: 1 would be as many times as fast as there are processes. *Reducing* is the"
        " time in reductions, with the waiting for the other process in it; a reduction alone is timed after a barrier."
    ),
    "startup": "From the command to the first progress line, which ends a rollout and an update. Aim: under 40 s.",
    "learner": (
        "One update on random data with the Flat task's sizes, rsl_rl's PPO reading all six frames. *Augmented* learns"
        " from every sample and its mirror image; *as trained* adds the mirror losses and the estimator's mirrored"
        " batches, which rsl_rl's PPO does not have. Flat steps its estimator in one epoch, *in turn* in all five,"
        " as the public codes do. Aim: at most 1.5 times PPO, both without symmetry."
    ),
    "compile": (
        "The same updates with `agent.torch_compile_mode=default`, which compiles the networks, and without. The first"
        " rollout and update contain the compilation."
    ),
    "evaluation": (
        "The policy that stands and comes along. *Tour* is in MuJoCo, 2 ms a physics step, all robots in one process"
        " on one core, without punches. A robot is simulated until it falls and the tour ends with the last one, so"
        " what counts is the time in which robots stood, the 3 s for which they are held included, over the time that"
        " this took; loading is left out. Aim: at least 10 robot-seconds a second. *Tracking* is `scripts/evaluate.py`"
        " on the flat task from the command to the report. Aim: under 300 s."
    ),
    "memory": (
        "Largest resident memory of a training on the rough task (aim: at most 3 GB), and what a rollout of the"
        " reference's full size holds, computed from the shapes. The peak is that of everything PyTorch holds at once"
        " in a rollout and an update of that size with the Rough task's networks: counted tensor by tensor in two small"
        " updates and extended in proportion to the samples. The public codes' peaks are those of the same networks"
        " with their rows and columns (`tools/benchmarks/memory.py`). Aim: below the reference's."
    ),
}


@dataclass(frozen=True)
class Spread:
    """Some repeats of one number."""

    median: float
    """The number to quote."""
    low: float
    """Smallest of the repeats."""
    high: float
    """Largest of the repeats."""


def spread(values: Sequence[float]) -> Spread:
    """Median and range of repeats.

    Raises:
        ValueError: If there are none.
    """
    if not values:
        raise ValueError("a spread needs at least one value and got none; let every case run once or more.")
    return Spread(statistics.median(values), min(values), max(values))


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """Median and range of the ratios of two quantities measured in turn, one value of each a repeat.

    Each ratio is taken within one repeat, so that a machine which slows down between repeats does not enter into it.

    Raises:
        ValueError: If the numbers of repeats differ.
    """
    if len(numerators) != len(denominators):
        raise ValueError(f"{len(numerators)} repeats over {len(denominators)}: both cases need the same number.")
    return spread([above / below for above, below in zip(numerators, denominators, strict=True)])


def write_report(folder: Path, parts: dict[str, Any]) -> tuple[Path, Path]:
    """Add measured parts to the JSON file in *folder*, where the others stay, write the page anew, and return both.

    Raises:
        CliError: If the existing file cannot be understood, or the folder not be written to.
    """
    json_path, md_path = folder / JSON_NAME, folder / MD_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = json.loads(json_path.read_text()) if json_path.is_file() else {}
        known.update(parts)
        json_path.write_text(json.dumps(known, indent=1) + "\n")
        md_path.write_text(render(known))
    except ValueError as error:
        raise CliError(f"{json_path} is no JSON ({error}); move it away and measure again", FAILURE) from None
    except OSError as error:
        raise CliError(f"cannot write to {folder}: {error.strerror}; name another folder with --out", FAILURE) from None
    return json_path, md_path


def render(parts: dict[str, Any]) -> str:
    """The page of the JSON file's content."""
    sections = [_INTRODUCTION]
    for name, tables in _TABLES.items():
        if name in parts:
            part = parts[name]
            sections.append(f"## {name}\n\n{_provenance(part)}\n\n{_NOTES[name]}\n")
            sections += [*tables(part), *_ratio_table(part)]
    return "\n".join(sections).rstrip("\n") + "\n"


def show(values: Spread, digits: int = 0) -> str:
    """``median (low–high)``, or the number alone where the repeats do not differ."""
    median, low, high = (f"{value:,.{digits}f}" for value in (values.median, values.low, values.high))
    return median if low == high else f"{median} ({low}–{high})"


def _provenance(part: dict[str, Any]) -> str:
    machine = part["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    load_before, load_after = (" ".join(map(str, part[key])) for key in ("load_before", "load_after"))
    return (
        f"    {part['command']}\n\n"
        f"{part['date']} · {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB · {machine['system']},"
        f" Python {machine['python']}, {packages} · load average {load_before} before, {load_after} after"
        f" · {part['repeats']} repeats in {part['seconds'] / 60:.0f} min"
    )


def _ratio_table(part: dict[str, Any]) -> list[str]:
    rows = [[name, show(Spread(**value), 2)] for name, value in part["ratios"].items()]
    return [markdown_table(["ratio", "median (range)"], rows)] if rows else []


def _column(runs: list[dict[str, Any]], key: str, digits: int = 0, factor: float = 1.0) -> str:
    return show(spread([factor * run[key] for run in runs]), digits)


def _cases_table(heading: str, cases: dict[str, list[dict[str, Any]]], columns: dict[str, tuple[str, int]]) -> str:
    """A row for each case; *columns* is name -> key of a run and digits."""
    rows = [[name, *(_column(runs, *column) for column in columns.values())] for name, runs in cases.items()]
    return markdown_table([heading, *columns], rows)


def _stepping_tables(part: dict[str, Any]) -> list[str]:
    runs, sizes = part["runs"], part["sizes"]
    rows = [
        [
            name,
            str(sizes["flat_envs"] if name == "flat" else sizes["rough_envs"]),
            _column(case, "env_steps_per_s"),
            _column(case, "physics_steps_per_s"),
            _column(case, "ended_share", 1, 100.0),
        ]
        for name, case in runs.items()
    ]
    header = ["environment", "robots", "env-steps/s", "physics alone [env-steps/s]", "ended [%]"]
    return [markdown_table(header, rows), "Where one step's time goes [ms]:\n", _parts_table(runs)]


def _parts_table(runs: dict[str, list[dict[str, Any]]]) -> str:
    names = list(dict.fromkeys(name for case in runs.values() for run in case for name in run["parts_ms"]))
    medians = {
        case: {name: spread([run["parts_ms"].get(name, 0.0) for run in repeats]).median for name in names}
        for case, repeats in runs.items()
    }
    rows = [[name, *(f"{medians[case][name]:.1f}" for case in runs)] for name in names]
    rows.append(["sum", *(f"{sum(medians[case].values()):.1f}" for case in runs)])
    return markdown_table(["part", *runs], rows)


def _train_tables(part: dict[str, Any]) -> list[str]:
    columns = {
        "total [env-steps/s]": ("env_steps_per_s", 0),
        "collection alone [env-steps/s]": ("collect_steps_per_s", 0),
        "collection [s/iteration]": ("collect_s", 2),
        "learning [s/iteration]": ("learn_s", 2),
        "peak memory [GB]": ("peak_gb", 2),
    }
    return [_cases_table("Flat", part["runs"], columns)]


def _scaling_tables(part: dict[str, Any]) -> list[str]:
    columns = {
        "alone [s/iteration]": ("alone_s", 2),
        "together": ("together_s", 2),
        "update alone": ("alone_update_s", 2),
        "update together": ("together_update_s", 2),
        "reducing": ("reducing_s", 3),
    }
    runs = [run for case in part["runs"].values() for run in case]
    reductions = [
        [f"{name}'s gradients", f"{size:,}", _column(runs, f"{name}_reduction_ms", 2)]
        for name, size in runs[0]["traffic_bytes"].items()
    ]
    reductions.append(["one number", "4", _column(runs, "number_reduction_ms", 2)])
    return [
        _cases_table(f"{part['sizes']['scaling_processes']} processes", part["runs"], columns),
        markdown_table(["one reduction over gloo", "bytes", "ms"], reductions),
    ]


def _startup_tables(part: dict[str, Any]) -> list[str]:
    rows = [["first iteration [s]", _column(part["runs"]["rough"], "first_iteration_s", 1)]]
    return [markdown_table(["Rough, default number of robots", "median (range)"], rows)]


def _learner_tables(part: dict[str, Any]) -> list[str]:
    runs, sizes = part["runs"]["updates"], part["sizes"]
    samples = sizes["flat_envs"] * sizes["learner_steps"]
    return [_named_table(f"update on {samples} samples", "ms", [run["update_ms"] for run in runs])]


def _named_table(heading: str, column: str, runs: list[dict[str, float]]) -> str:
    return markdown_table([heading, column], [[name, _column(runs, name, 1)] for name in runs[0]])


def _compile_tables(part: dict[str, Any]) -> list[str]:
    runs = part["runs"]["updates"]
    tables = [*_learner_tables(part), _named_table("first rollout and update", "s", [run["first_s"] for run in runs])]
    errors = {run["compile_error"] for run in runs if "compile_error" in run}
    verdicts = [f"`torch.compile` does not work here: {error}.\n" for error in sorted(errors)]
    for name, value in part["ratios"].items():
        pays = "it pays" if value["high"] < 1.0 else "it does not pay" if value["low"] > 1.0 else "no clear difference"
        verdicts.append(f"{name}: {pays}.\n")
    return [*tables, *verdicts]


def _evaluation_tables(part: dict[str, Any]) -> list[str]:
    runs, sizes = dict(part["runs"]), part["sizes"]
    tour = runs.pop("tour, mujoco")
    rows = [
        ["robot-seconds a second", _column(tour, "robot_seconds_per_s", 1)],
        ["robot-seconds a second of processor time", _column(tour, "robot_seconds_per_cpu_s", 1)],
        ["share of the time that robots stood [%]", _column(tour, "stood_share", 0, 100.0)],
    ]
    heading = f"tour, {sizes['tour_robots']} robots, {sizes['tour_seconds']} s"
    tracking = {name.removeprefix("tracking, "): case for name, case in runs.items()}
    commands = f"tracking, {sizes['tracking_commands']} commands x {sizes['tracking_robots']} robots"
    tour_table = markdown_table([heading, "median (range)"], rows)
    return [tour_table, _cases_table(commands, tracking, {"seconds": ("seconds", 0)})]


def _memory_tables(part: dict[str, Any]) -> list[str]:
    robots, storage = part["sizes"]["rough_envs"], part["storage"]
    heading = f"rollout of {storage['num_envs']} x {storage['num_steps']}"
    return [
        _cases_table("training", {f"{robots} robots": part["runs"]["rough"]}, {"peak memory [GB]": ("peak_gb", 2)}),
        _gigabytes_table(heading, "GB", storage["bytes"]),
        _gigabytes_table(f"{heading} and its update", "peak [GB]", storage["peaks"]),
    ]


def _gigabytes_table(heading: str, column: str, sizes: dict[str, int]) -> str:
    return markdown_table([heading, column], [[name, f"{size / 1e9:.2f}"] for name, size in sizes.items()])


_TABLES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "env": _stepping_tables,
    "writes": _stepping_tables,
    "train": _train_tables,
    "scaling": _scaling_tables,
    "startup": _startup_tables,
    "learner": _learner_tables,
    "compile": _compile_tables,
    "evaluation": _evaluation_tables,
    "memory": _memory_tables,
}
