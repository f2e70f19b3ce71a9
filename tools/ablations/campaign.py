# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a campaign compares: variants of the algorithm, the runs that they take, and the records of finished runs.

A finished run is two files, ``<variant>_seed<n>.csv`` with its curves and beside it a ``.json`` with how it was made.
The second one is written last: a run without it did not finish.
"""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plot_run

from himloco_lab.errors import FAILURE, CliError
from himloco_lab.runs.checkpoints import FORMER_LEARNERS, LEARNERS

_NAMES = ("return", "length", "velocity_error", "tracking_error", "yaw_error", "height_error")
CURVES = {name: plot_run.CURVES[name] for name in (*_NAMES, "swap_loss", "perplexity", "disturbances")}
"""Curves of a record."""


@dataclass(frozen=True)
class Variant:
    """One way to learn."""

    title: str
    """What it is, in words."""
    overrides: tuple[str, ...] = ()
    """Hydra overrides of ``scripts/train.py``."""


VARIANTS: dict[str, Variant] = {
    "him": Variant("HIM complete, the task's defaults: the policy's steps, then the estimator's"),
    "interleaved": Variant(
        "HIM with the estimator's steps in turn with the policy's; as many of them",
        ("agent.algorithm.estimator_schedule=interleaved",),
    ),
    "no_symmetry": Variant(
        "without symmetry: no mirrored samples, no mirror losses, no mirrored batches for the estimator",
        ("agent.algorithm.symmetry_cfg=null",),
    ),
    "no_swap": Variant(
        "without the swap loss: the estimator learns the velocity only, its latent is not trained",
        ("agent.actor.estimator_cfg.swap_loss_coef=0.0",),
    ),
    "no_estimator": Variant(
        "without the estimator: plain PPO whose policy reads all six frames",
        (f"agent.actor.class_name={LEARNERS}:HistoryActor", "agent.algorithm.estimator_num_epochs=0"),
    ),
    "reference": Variant(
        "the public codes' variant: mirrored rows with fresh actions between the real ones, one learning rate",
        (
            f"agent.algorithm.class_name={LEARNERS}:ReferencePPO",
            "agent.algorithm.estimator_schedule=interleaved",
            "agent.algorithm.estimator_num_epochs=null",
            "agent.algorithm.symmetry_cfg.use_data_augmentation=false",
            # HomieRL sums the mirror loss over twelve joints with weight 1; HIMPPO takes the mean
            "agent.algorithm.symmetry_cfg.mirror_loss_coeff=12.0",
            "agent.algorithm.symmetry_cfg.value_mirror_loss_coeff=1.0",
        ),
    ),
}
"""Variants by name, in the order of tables and figures."""

DISTURBANCES: dict[str, tuple[str, ...]] = {
    "grow": (),
    "none": ("env.curriculum.disturbances.params.step=0",),
    "full": ("env.curriculum.disturbances=null",),
}
"""How hard episodes are: as the curriculum says, gentlest throughout (its ratio stays 0), or the task's own (1)."""

POINTS = 60
"""Rows of a record."""


@dataclass(frozen=True)
class Campaign:
    """What is compared."""

    variants: tuple[str, ...]
    """Names from :data:`VARIANTS`."""
    seeds: tuple[int, ...]
    """Seeds of each."""
    samples: int
    """Environment steps that each run is to have, over all robots; rounded up to whole iterations."""
    num_envs: int
    """Robots."""
    task: str
    """Registered name."""
    device: str
    """Device of simulation and learner."""
    disturbances: str
    """A name from :data:`DISTURBANCES`."""
    overrides: tuple[str, ...]
    """Hydra overrides of all runs."""

    def runs(self, steps_per_env: int) -> list[Run]:
        """All runs, all variants of one seed after the other, so that an unfinished campaign compares like with like.

        An iteration has *steps_per_env* steps of each robot.
        """
        per_iteration = self.num_envs * steps_per_env
        iterations = math.ceil(self.samples / per_iteration)
        return [
            Run(variant, seed, iterations, per_iteration, self._arguments(variant, seed, iterations), self.conditions)
            for seed in self.seeds
            for variant in self.variants
        ]

    @property
    def conditions(self) -> dict[str, Any]:
        """What runs must share to be compared, samples aside."""
        return {
            "task": self.task,
            "robots": self.num_envs,
            "disturbances": self.disturbances,
            "overrides": list(self.overrides),
        }

    def overrides_of(self, variant: str) -> tuple[str, ...]:
        """Hydra overrides of one variant's runs; the campaign's own come last and win."""
        return (*VARIANTS[variant].overrides, *DISTURBANCES[self.disturbances], *self.overrides)

    def _arguments(self, variant: str, seed: int, iterations: int) -> tuple[str, ...]:
        flags = {
            "task": self.task,
            "device": self.device,
            "num_envs": self.num_envs,
            "nproc_per_node": 1,  # the same run on a machine with more cores
            "seed": seed,
            "max_iterations": iterations,
        }
        words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
        return (*words, *self.overrides_of(variant))


@dataclass(frozen=True)
class Run:
    """One training."""

    variant: str
    """Name of the variant."""
    seed: int
    """Seed."""
    iterations: int
    """Iterations."""
    samples_per_iteration: int
    """Environment steps of an iteration, over all robots."""
    arguments: tuple[str, ...]
    """Arguments of ``scripts/train.py``."""
    conditions: dict[str, Any]
    """What it shares with all runs that it may be compared with."""

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.variant}_seed{self.seed}"

    @property
    def samples(self) -> int:
        """Environment steps in all."""
        return self.iterations * self.samples_per_iteration

    @property
    def command(self) -> str:
        """The command line that makes it."""
        return _with_learners_path(shlex.join(["./himloco.sh", "-p", "scripts/train.py", *self.arguments]))

    def finished(self, folder: Path) -> bool:
        """Whether its record is in the *folder*.

        Raises:
            CliError: If the record is of another command.
        """
        path = folder / f"{self.name}.json"
        if not path.is_file():
            return False
        recorded = read_json(path).get("command")
        if recorded != self.command:
            raise CliError(
                f"{path} records another run ({recorded}) than this one ({self.command}); remove it to make this one,"
                " or name another folder with --out",
                FAILURE,
            )
        return True


def write_record(folder: Path, run: Run, rows: Sequence[dict[str, float]], facts: dict[str, Any]) -> None:
    """Keep a finished run, whose curves *rows* are as :func:`plot_run.read_run` returns them, and further *facts*.

    Raises:
        CliError: If the run has not the iterations it should.
    """
    from himloco_rl.checkpoints.files import write_atomically

    if len(rows) != run.iterations:
        raise CliError(f"{run.name} logged {len(rows)} iterations instead of {run.iterations}", FAILURE)
    counted = [row | {"samples": (i + 1.0) * run.samples_per_iteration} for i, row in enumerate(rows)]
    columns = ["samples", "minutes", *CURVES]
    table = io.StringIO()
    writer = csv.DictWriter(table, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in thinned(counted, POINTS))
    write_atomically(folder / f"{run.name}.csv", table.getvalue().encode())
    record = {
        **{"variant": run.variant, "seed": run.seed, "samples": run.samples, "conditions": run.conditions},
        **{"command": run.command, **facts},
    }
    write_atomically(folder / f"{run.name}.json", (json.dumps(record, indent=1) + "\n").encode())


def thinned(rows: Sequence[dict[str, float]], points: int) -> list[dict[str, float]]:
    """Means of equal groups of rows, at most *points* of them; ``samples`` and ``minutes`` are those of a group's end.

    A column may be missing in some rows.
    """
    count = min(points, len(rows))
    result: list[dict[str, float]] = []
    for i in range(count):
        group = rows[i * len(rows) // count : (i + 1) * len(rows) // count]
        row = {name: group[-1][name] for name in ("samples", "minutes")}
        for name in dict.fromkeys(name for one in group for name in one if name not in row):
            values = [one[name] for one in group if name in one]
            row[name] = sum(values) / len(values)
        result.append(row)
    return result


def read_records(folder: Path) -> list[dict[str, Any]]:
    """All finished runs in a folder, each with its ``curves``: column -> values, NaN where there is none.

    Raises:
        CliError: If there is none, or they do not have equal samples and equal settings apart from variant and seed.
    """
    records = [read_json(path) for path in sorted(folder.glob("*_seed*.json"))]
    if not records:
        raise CliError(f"{folder} has no finished run yet; start with tools/ablate.py", FAILURE)
    check_comparable(folder, records[0]["samples"], records[0]["conditions"])
    for record in records:
        if record["variant"] not in VARIANTS:
            raise CliError(f"{folder} has a run of {record['variant']!r}, which is no variant; remove it", FAILURE)
        record["curves"] = _read_csv(folder / f"{record['variant']}_seed{record['seed']}.csv")
    order = list(VARIANTS)
    return sorted(records, key=lambda record: (order.index(record["variant"]), record["seed"]))


def check_comparable(folder: Path, samples: int, conditions: dict[str, Any]) -> None:
    """See that every record in a folder has these samples and :attr:`Campaign.conditions`.

    Raises:
        CliError: If one does not.
    """
    for path in sorted(folder.glob("*_seed*.json")):
        record = read_json(path)
        if record.get("samples") != samples or record.get("conditions") != conditions:
            raise CliError(
                f"{path} has {record.get('samples')} samples under {record.get('conditions')}, not {samples} under"
                f" {conditions}: they cannot be compared; keep them in folders of their own (--out)",
                FAILURE,
            )


def read_json(path: Path) -> dict[str, Any]:
    """A record, with the variants' classes in its command under their present names.

    Raises:
        CliError: If the file is none.
    """
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise CliError(f"{path} is no JSON ({error}); remove it, and the run is made again", FAILURE) from None
    if not isinstance(found, dict):
        raise CliError(f"{path} holds no record of a run; remove it, and the run is made again", FAILURE)
    if isinstance(found.get("command"), str):
        found["command"] = _with_learners_path(FORMER_LEARNERS.sub(LEARNERS, found["command"]))
    return found


def _with_learners_path(command: str) -> str:
    """A command line that finds the variants' classes, if it names one."""
    prefix = "PYTHONPATH=tools "
    needed = f"={LEARNERS}:" in command and not command.startswith(prefix)
    return prefix + command if needed else command


def _read_csv(path: Path) -> dict[str, list[float]]:
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: [float(row[name] or "nan") for row in rows] for name in ("samples", *CURVES)}
    except (OSError, KeyError, ValueError) as error:
        raise CliError(f"cannot read {path} ({error}); remove its .json, and the run is made again", FAILURE) from None
