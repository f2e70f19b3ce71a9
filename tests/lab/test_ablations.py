# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The ablation campaign: its variants in the real configuration, its records and its report by hand."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import ablate
import pytest
from ablations import report
from ablations.campaign import (
    CURVES,
    DISTURBANCES,
    LEARNERS,
    VARIANTS,
    Campaign,
    Run,
    check_comparable,
    read_records,
    thinned,
    write_record,
)
from isaaclab.utils import to_dict
from workspace import commit_of

import himloco_lab.tasks  # noqa: F401  # registers them
from himloco_lab.errors import CliError
from himloco_lab.setup.arguments import AGENT_ENTRY
from himloco_lab.setup.overrides import resolve_configs

FLAT = "Himloco-G1-Flat-v0"

CHANGES: dict[str, dict[str, Any]] = {
    "him": {},
    "interleaved": {"algorithm.estimator_schedule": "interleaved"},
    "no_symmetry": {"algorithm.symmetry_cfg": None},
    "no_swap": {"actor.estimator_cfg.swap_loss_coef": 0.0},
    "no_estimator": {
        "actor.class_name": f"{LEARNERS}:HistoryActor",
        "algorithm.estimator_num_epochs": 0,
    },
    "reference": {
        "algorithm.class_name": f"{LEARNERS}:ReferencePPO",
        "algorithm.estimator_schedule": "interleaved",
        "algorithm.estimator_num_epochs": None,
        "algorithm.symmetry_cfg.use_data_augmentation": False,
        "algorithm.symmetry_cfg.mirror_loss_coeff": 12.0,
        "algorithm.symmetry_cfg.value_mirror_loss_coeff": 1.0,
    },
}
"""What each variant changes in the learner's configuration, all of it."""


def flat_keys(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {key: one for name, inner in value.items() for key, one in flat_keys(inner, f"{path}.{name}").items()}
    return {path.removeprefix("."): value}


def test_every_variant_changes_what_it_says_and_nothing_else() -> None:
    env, agent = resolve_configs(FLAT, AGENT_ENTRY, [])
    defaults, task = flat_keys(to_dict(agent)), flat_keys(to_dict(env))
    assert list(VARIANTS) == list(CHANGES)
    for name, variant in VARIANTS.items():
        env, agent = resolve_configs(FLAT, AGENT_ENTRY, list(variant.overrides))
        found = flat_keys(to_dict(agent))
        changed = {key: value for key, value in found.items() if key not in defaults or value != defaults[key]}
        assert changed == CHANGES[name], name
        gone = {key for key in defaults if key not in found}
        assert all(key.startswith("algorithm.symmetry_cfg.") for key in gone), name
        assert bool(gone) is (name == "no_symmetry")
        assert repr(flat_keys(to_dict(env))) == repr(task), name


def test_disturbances_can_be_held() -> None:
    found = {name: resolve_configs(FLAT, AGENT_ENTRY, list(words))[0] for name, words in DISTURBANCES.items()}
    term = "disturbances"
    assert getattr(found["grow"].curriculum, term).params["step"] > 0
    assert getattr(found["none"].curriculum, term).params["step"] == 0
    assert getattr(found["full"].curriculum, term) is None


def campaign(**changes: Any) -> Campaign:
    settings: dict[str, Any] = {
        **{"variants": ("him", "no_swap"), "seeds": (1, 2), "samples": 100, "num_envs": 4, "task": FLAT},
        **{"device": "cpu", "disturbances": "none", "overrides": ("env.decimation=2",)},
    }
    return Campaign(**settings | changes)


def test_a_campaign_goes_seed_by_seed_on_equal_samples() -> None:
    runs = campaign().runs(steps_per_env=8)
    assert [run.name for run in runs] == ["him_seed1", "no_swap_seed1", "him_seed2", "no_swap_seed2"]
    assert {(run.iterations, run.samples) for run in runs} == {(4, 128)}  # 100 samples are 3.1 iterations of 4 x 8
    assert runs[3].command == (
        f"./himloco.sh -p scripts/train.py --task {FLAT} --device cpu --num_envs 4 --nproc_per_node 1 --seed 2"
        " --max_iterations 4 agent.actor.estimator_cfg.swap_loss_coef=0.0"
        " env.curriculum.disturbances.params.step=0 env.decimation=2"
    )


def curve(iterations: int, **columns: list[float]) -> list[dict[str, float]]:
    return [
        {"iteration": float(i), "minutes": i / 2.0, "samples": 1.0}
        | {name: values[i] for name, values in columns.items() if not math.isnan(values[i])}
        for i in range(iterations)
    ]


FACTS = {
    **{"date": "2026-11-21 19:00 UTC", "commit": "0123456789", "minutes": 8.25},
    "machine": {"cpu": "Abacus 9000", "cores": 2},
}


def record(folder: Path, run: Run, returns: list[float], **columns: list[float]) -> None:
    write_record(folder, run, curve(run.iterations, **{"return": returns}, **columns), FACTS)


def test_a_record_is_what_was_logged_over_exact_samples(tmp_path: Path) -> None:
    run = campaign().runs(8)[0]
    assert not run.finished(tmp_path)
    record(tmp_path, run, [1.0, 2.0, 3.0, 4.0], swap_loss=[math.nan, 0.5, 0.25, 0.125])
    assert run.finished(tmp_path)
    rows = list(csv.DictReader((tmp_path / "him_seed1.csv").open()))
    assert list(rows[0]) == ["samples", "minutes", *CURVES]
    assert [row["samples"] for row in rows] == ["32", "64", "96", "128"]
    assert [row["return"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["swap_loss"] for row in rows] == ["", "0.5", "0.25", "0.125"]
    (found,) = read_records(tmp_path)
    assert found["command"] == run.command and found["samples"] == 128
    assert found["curves"]["return"] == [1.0, 2.0, 3.0, 4.0]
    assert math.isnan(found["curves"]["swap_loss"][0]) and math.isnan(found["curves"]["height_error"][3])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["him_seed1.csv", "him_seed1.json"]


def test_long_curves_are_thinned_by_means() -> None:
    rows: list[dict[str, float]] = [{"samples": 10.0 * i, "minutes": float(i), "a": float(i)} for i in range(5)]
    rows[0]["b"], rows[1]["b"], rows[4]["b"] = 7.0, 8.0, 1.0
    assert thinned(rows, 2) == [
        {"samples": 10.0, "minutes": 1.0, "a": 0.5, "b": 7.5},
        {"samples": 40.0, "minutes": 4.0, "a": 3.0, "b": 1.0},
    ]
    assert thinned(rows, 60) == rows


def test_a_record_of_another_run_is_not_taken_for_this_one(tmp_path: Path) -> None:
    record(tmp_path, campaign().runs(8)[0], [1.0, 2.0, 3.0, 4.0])
    other = campaign(num_envs=5).runs(8)[0]
    with pytest.raises(CliError, match=r"him_seed1\.json records another run .*--num_envs 4 .*--num_envs 5 .*--out"):
        other.finished(tmp_path)


def test_a_run_that_ended_early_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="him_seed1 logged 3 iterations instead of 4"):
        write_record(tmp_path, campaign().runs(8)[0], curve(3), FACTS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"samples": 200}, r"no_swap_seed1\.json has 224 samples under .*, not 128 under"),
        ({"disturbances": "full"}, r"'disturbances': 'full'.*cannot be compared.*--out"),
    ],
)
def test_runs_that_cannot_be_compared_are_named(tmp_path: Path, change: dict, words: str) -> None:
    record(tmp_path, campaign().runs(8)[0], [1.0, 2.0, 3.0, 4.0])
    run = campaign(**change).runs(8)[1]
    record(tmp_path, run, [1.0] * run.iterations)
    with pytest.raises(CliError, match=words):
        read_records(tmp_path)
    with pytest.raises(CliError, match=words):  # before minutes go into more of them
        check_comparable(tmp_path, 128, campaign().conditions)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("him_seed1.json", "{", r"him_seed1\.json is no JSON"),
        ("him_seed1.json", "[]", r"him_seed1\.json holds no record"),
        ("him_seed1.csv", "samples\n1\n", r"cannot read .*him_seed1\.csv"),
        ("him_seed1.csv", None, r"cannot read .*him_seed1\.csv"),
    ],
)
def test_broken_records_are_named(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    record(tmp_path, campaign().runs(8)[0], [1.0, 2.0, 3.0, 4.0])
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(text)
    with pytest.raises(CliError, match=words):
        read_records(tmp_path)


def test_summaries_by_hand() -> None:
    samples, values = [10.0 * i for i in range(1, 11)], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 4.0, 9.0]
    assert report.last_tenth(samples, values) == 9.0  # beyond 90 there is one
    assert report.last_tenth([5.0, 96.0, 100.0], [0.0, 2.0, 5.0]) == 3.5
    # widths 2 and 6: 2·(1+3)/2 + 6·(3+5)/2 = 28, over 8
    assert report.area([0.0, 2.0, 8.0], [1.0, 3.0, 5.0]) == 3.5
    assert math.isnan(report.area([1.0], [1.0])) and math.isnan(report.last_tenth([], []))
    # means 2 and 5, variances 1 and 4 over three each: (2 − 5) / √(5/3)
    assert report.welch([1.0, 2.0, 3.0], [3.0, 5.0, 7.0]) == pytest.approx(-3.0 / math.sqrt(5.0 / 3.0))
    assert math.isnan(report.welch([1.0], [1.0, 2.0])) and math.isnan(report.welch([1.0, 1.0], [1.0, 1.0]))


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], "–"),
        ([0.0], "0"),
        ([1234.5], "1234"),
        ([300.0, 310.0, 320.0], "310 ± 10"),
        ([0.1, 0.2], "0.150 ± 0.071"),
        ([-2.0, -4.0], "-3.00 ± 1.41"),
    ],
)
def test_numbers_are_shown_with_their_spread(values: list[float], shown: str) -> None:
    assert report.show(values) == shown


def test_the_report_is_made_of_the_files(tmp_path: Path) -> None:
    records = tmp_path / report.RECORDS
    runs = {run.name: run for run in campaign(samples=320).runs(8)}  # 10 iterations: the last one is the last tenth
    low = [1.0] * 9
    record(records, runs["him_seed1"], [*low, 20.0], perplexity=[3.0] * 10)
    record(records, runs["him_seed2"], [*low, 30.0], perplexity=[5.0] * 10)
    record(records, runs["no_swap_seed1"], [*low, 9.0])
    page, picture = report.write_report(tmp_path)
    text = page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")
    head, late = text.split("## The last tenth of the samples")
    late, whole = late.split("## The mean over all samples")
    assert "320 samples a run · Himloco-G1-Flat-v0 · 4 robots · disturbances: none" in head
    assert "further overrides: env.decimation=2" in head
    assert "| `him` | 25.0 ± 7.1 | 4.00 ± 1.41 |" in late
    assert "| `no_swap` | 9.00 | – |" in late
    # eight widths of 1, then the trapezoids 10.5 and 15.5, over nine widths
    assert "| `him` | 2.33 ± 0.39 | 4.00 ± 1.41 |" in whole
    command = (
        "`./himloco.sh -p tools/ablate.py --variants him --seeds 1 2 --samples 320 --num_envs 4"
        f" --task {FLAT} --disturbances none env.decimation=2`"
    )
    assert f"| `him` | {VARIANTS['him'].title} | 1, 2 | {command} |" in head
    for name in ("him_seed1", "him_seed2", "no_swap_seed1"):
        facts = f"{FACTS['date']} | `0123456789` | Abacus 9000, 2 cores | 8.2"
        assert f"| [`{name}`](ablations/{name}.csv) | {facts}" in text
        assert f"`{runs[name].command}`" in text
    # the command of a row makes the runs that are in it
    again = ablate.parse([str(word) for word in command.strip("`").split()[3:]])[1].runs(8)
    assert again == [runs["him_seed1"], runs["him_seed2"]]


def test_records_with_the_classes_former_names_are_of_the_same_runs(repository: Path, tmp_path: Path) -> None:
    records = repository / "docs" / "log" / "ablations"
    words = ["--samples", "500000", "--variants", "no_estimator", "reference"]
    runs = ablate.plan_runs(ablate.parse(words)[1])
    assert len(runs) == 6
    for run in runs:
        recorded = (records / f"{run.name}.json").read_text()
        assert "himloco_lab.benchmarks.ablations." in recorded
        assert run.finished(records)
        assert run.command.startswith("PYTHONPATH=tools ./himloco.sh") and f"={LEARNERS}:" in run.command
    assert f"`{runs[0].command}`" in report.render(read_records(records))


def test_records_are_json_that_says_how_to_repeat_them(tmp_path: Path) -> None:
    run = campaign().runs(8)[0]
    record(tmp_path, run, [1.0, 2.0, 3.0, 4.0])
    kept = json.loads((tmp_path / "him_seed1.json").read_text())
    assert kept["conditions"] == campaign().conditions
    assert kept["command"] == run.command and kept["commit"] == FACTS["commit"]


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args, planned = ablate.parse(
        ["--variants", "him", "reference", "env.decimation=2", "--seeds", "3", "physics=physx"]
    )
    assert planned == Campaign(
        ("him", "reference"), (3,), 1_500_000, 256, FLAT, "cpu", "grow", ("env.decimation=2", "physics=physx")
    )
    assert (args.out, args.logs, args.report) == (Path("docs/log"), Path("logs/ablations"), False)
    first = ablate.plan_runs(planned)[0]
    assert (first.samples_per_iteration, first.iterations) == (256 * 16, 367)  # 1,500,000 / 4096 is 366.2
    assert ablate.main(["--list", "--seeds", "1", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(VARIANTS) and all(line.startswith("to do ") for line in lines)


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--variants", "no_swop"], "unknown variant 'no_swop': did you mean no_swap"),
        (["--seeds", "-1"], "--seeds -1: must be at least 0"),
        (["--samples", "0"], "--samples 0: must be at least 1"),
        (["--num_envs", "none"], "--num_envs"),
        (["--task", "Himloco-G1-Flt-v0"], "did you mean Himloco-G1-Flat-v0"),
        (["--disturbances", "some"], "--disturbances"),
        (["--list", "agent.algoritm.gamma=0.9"], "unknown key 'agent.algoritm.gamma'"),
        (["--report", "--out", "nowhere"], "no finished run yet"),
        (["--report", "more"], "more"),
    ],
)
def test_bad_input(argv: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ablate.main(argv) != 0
    complaint = capsys.readouterr().err
    assert complaint.startswith("error: ") and complaint.count("\n") == 1
    assert named in complaint


def test_two_campaigns_do_not_share_their_logs(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    with (
        ablate.only_campaign(logs),
        pytest.raises(CliError, match="another campaign is at work"),
        ablate.only_campaign(logs),
    ):
        pytest.fail("the folder was given twice")
    with ablate.only_campaign(logs):
        pass


def test_the_commit_is_noted(repository: Path, tmp_path: Path) -> None:
    assert commit_of(tmp_path) == "unknown"
    if (repository / ".git").exists():
        assert len(commit_of(repository).removesuffix("+")) == 10
