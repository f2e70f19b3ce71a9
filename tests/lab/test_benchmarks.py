# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The benchmark's arithmetic and its report, on numbers worked by hand; no simulation and no clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from benchmark import Part, Sizes, command_of, make_parts, parse
from benchmarks import stepping
from benchmarks.launches import Iteration, parse_iteration, training_speed
from benchmarks.report import Spread, ratio, render, show, spread, write_report
from benchmarks.tour import measure_tour
from workspace import cpu_model, describe_machine, markdown_table

from himloco_lab.errors import CliError

MACHINE = {
    "cpu": "Abacus 9000",
    "cores": 2,
    "memory_gb": 8.0,
    "system": "Linux 6",
    "python": "3.12.4",
    "packages": {"torch": "2.11.0"},
}
PROVENANCE = {
    "command": "./himloco.sh -p tools/benchmark.py startup",
    "date": "2026-11-20 15:00 UTC",
    "machine": MACHINE,
    "load_before": [0.25, 0.5, 1.0],
    "load_after": [2.0, 1.0, 1.25],
    "repeats": 3,
    "seconds": 125.0,
}


def test_spread_is_median_and_range() -> None:
    assert spread([3.0, 10.0, 4.0]) == Spread(4.0, 3.0, 10.0)
    with pytest.raises(ValueError, match="at least one"):
        spread([])


def test_a_ratio_is_taken_within_each_repeat() -> None:
    # the machine was half as fast in the second repeat: medians over medians would give 30 / 40
    assert ratio([30.0, 10.0, 60.0], [60.0, 20.0, 40.0]) == Spread(0.5, 0.5, 1.5)
    with pytest.raises(ValueError, match="2 repeats over 1"):
        ratio([1.0, 2.0], [1.0])


LINE = (
    "it 7/25 | return -1.23 | length 41 | velocity error 0.512 m/s | std 0.60 | 2048 steps/s (collect 1.25 s, learn"
    " 0.25 s) | ETA 0:00:27"
)


def test_a_progress_line_is_read() -> None:
    iteration = parse_iteration(LINE + "\n", 31.5)
    assert iteration is not None
    assert iteration == Iteration(7, 31.5, 2048.0, 1.25, 0.25)
    assert iteration.steps == 3072.0  # 2048 x 1.5: 128 robots x 24 steps


def test_the_first_line_without_episodes_is_read() -> None:
    line = "it 1/1 | std 0.60 | 100 steps/s (collect 3.00 s, learn 1.00 s) | ETA 0:00:00"
    assert parse_iteration(line, 1.0) == Iteration(1, 1.0, 100.0, 3.0, 1.0)


@pytest.mark.parametrize("line", ["", "[INFO] Logging to it 1/2", "it is 7/25 | nothing", "Learning iteration 3/25"])
def test_other_lines_are_none(line: str) -> None:
    assert parse_iteration(line, 0.0) is None


def test_the_learners_line_is_what_is_read() -> None:
    from himloco_rl.runners.progress_logger import ProgressLogger

    logger = SimpleNamespace(
        cfg={"num_steps_per_env": 24}, num_envs=128, gpu_world_size=1, rewbuffer=[1.0], lenbuffer=[9], _run_time=6.0
    )
    values = {
        "collect_time": 1.0,
        "learn_time": 0.5,
        "loss_dict": {"estimator_velocity_error": 0.5},
        "action_std": torch.full((12,), 0.6),
    }
    line = ProgressLogger.progress_line(logger, 3, 0, 10, values)  # type: ignore[arg-type]
    assert parse_iteration(line, 2.0) == Iteration(4, 2.0, 2048.0, 1.0, 0.5)


def test_training_speed_leaves_the_warm_up_out_and_counts_the_gaps() -> None:
    # 30 s start, then 100 steps an iteration in 2 s each: 1.5 s of rollout, 0.25 s of update, 0.25 s of logging
    slow = Iteration(1, 30.0, 100.0 / 8.0, 7.0, 1.0)
    rest = [Iteration(i, 30.0 + 2.0 * (i - 1), 100.0 / 1.75, 1.5, 0.25) for i in (2, 3, 4)]
    speed = training_speed([slow, *rest], warm_up=1)
    assert speed["env_steps_per_s"] == pytest.approx(300.0 / 6.0)
    assert speed["collect_steps_per_s"] == pytest.approx(300.0 / 4.5)
    assert (speed["collect_s"], speed["learn_s"], speed["iterations"]) == (1.5, 0.25, 3)
    with pytest.raises(ValueError, match="4 iterations of which 4"):
        training_speed([slow, *rest], warm_up=4)


def test_cases_run_in_turn_and_ratios_pair_them() -> None:
    order: list[str] = []

    def case(name: str, values: list[float]) -> Callable[[int], dict[str, Any]]:
        def measure(repeat: int) -> dict[str, Any]:
            order.append(f"{name}{repeat}")
            return {"rate": values[repeat], "deep": {"value": 2.0 * values[repeat]}}

        return measure

    part = Part(
        {"a": case("a", [8.0, 2.0, 4.0]), "b": case("b", [2.0, 1.0, 4.0])},
        {"a/b": (("a", "rate"), ("b", "rate")), "deep": (("a", "deep.value"), ("b", "rate"))},
    )
    announced: list[str] = []
    result = part.run(3, announced.append)
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert announced[:2] == ["a (1 of 3)", "b (1 of 3)"]
    assert result["ratios"]["a/b"] == {"median": 2.0, "low": 1.0, "high": 4.0}
    assert result["ratios"]["deep"] == {"median": 4.0, "low": 2.0, "high": 8.0}
    assert [run["rate"] for run in result["runs"]["b"]] == [2.0, 1.0, 4.0]


def test_a_part_is_not_charged_for_the_part_it_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(stepping.time, "perf_counter", lambda: clock[0])

    class Robot:
        def inner(self) -> int:
            clock[0] += 2.0
            return 7

        def outer(self) -> int:
            clock[0] += 1.0
            value = self.inner()
            clock[0] += 4.0
            return value

    robot, parts = Robot(), stepping.PartTimers()
    parts.wrap(robot, "inner", "in")
    parts.wrap(robot, "outer", "out")
    assert robot.outer() == 7
    clock[0] += 100.0  # between two calls: nobody's
    robot.inner()
    assert parts.seconds == {"out": 5.0, "in": 4.0}


def test_numbers_are_shown_with_their_range() -> None:
    assert show(Spread(2345.6, 2300.0, 2400.4)) == "2,346 (2,300–2,400)"
    assert show(Spread(0.805, 0.805, 0.805), 2) in ("0.80", "0.81")
    assert markdown_table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |\n"


def _startup(*seconds: float) -> dict[str, Any]:
    runs = {"rough": [{"first_iteration_s": value, "peak_gb": 1.0} for value in seconds]}
    return {**PROVENANCE, "sizes": {}, "runs": runs, "ratios": {}}


def test_the_page_is_made_of_the_file(tmp_path: Path) -> None:
    json_path, md_path = write_report(tmp_path / "docs", {"startup": _startup(31.0, 29.0, 35.5)})
    assert json.loads(json_path.read_text())["startup"]["runs"]["rough"][2]["first_iteration_s"] == 35.5
    page = md_path.read_text()
    assert page == render(json.loads(json_path.read_text()))
    assert "| first iteration [s] | 31.0 (29.0–35.5) |" in page
    command, numbers = page.index("    ./himloco.sh -p tools/benchmark.py startup"), page.index("31.0 (29.0")
    assert command < numbers
    for fact in ("Abacus 9000, 2 cores, 8.0 GB", "torch 2.11.0", "0.25 0.5 1.0 before, 2.0 1.0 1.25 after", "in 2 min"):
        assert fact in page


def test_a_part_measured_again_leaves_the_others(tmp_path: Path) -> None:
    write_report(tmp_path, {"startup": _startup(31.0)})
    learner = {
        **PROVENANCE,
        "sizes": {"flat_envs": 128, "learner_steps": 32},
        "runs": {"updates": [{"update_ms": {"HIM": 30.0, "PPO": 20.0}}]},
        "ratios": {"HIM / PPO": {"median": 1.5, "low": 1.5, "high": 1.5}},
    }
    _, page = write_report(tmp_path, {"learner": learner})
    text = page.read_text()
    assert "| first iteration [s] | 31.0 |" in text
    assert "update on 4096 samples" in text
    assert "| HIM / PPO | 1.50 |" in text


def test_the_step_table_adds_up() -> None:
    run = {
        **{"env_steps_per_s": 2000.0, "physics_steps_per_s": 4000.0, "ended_share": 0.0125, "build_s": 9.0},
        "parts_ms": {"physics": 50.0, "rewards": 7.5, "rest": 2.5},
    }
    part = {
        **PROVENANCE,
        "sizes": {"rough_envs": 256, "flat_envs": 128},
        "runs": {"rough": [run], "flat": [run]},
        "ratios": {"Rough / its physics alone": {"median": 0.5, "low": 0.4, "high": 0.6}},
    }
    page = render({"env": part})
    assert "| rough | 256 | 2,000 | 4,000 | 1.2 |" in page
    assert "| flat | 128 | 2,000 | 4,000 | 1.2 |" in page
    assert "| sum | 60.0 | 60.0 |" in page
    assert "| Rough / its physics alone | 0.50 (0.40–0.60) |" in page


def test_the_evaluations_times_are_shown() -> None:
    sizes = {"tour_robots": 4, "tour_seconds": 20, "tracking_commands": 64, "tracking_robots": 4}
    runs = {
        "tour, mujoco": [
            {"robot_seconds_per_s": 20.0, "robot_seconds_per_cpu_s": 30.0, "stood_share": 0.5},
            {"robot_seconds_per_s": 22.0, "robot_seconds_per_cpu_s": 30.5, "stood_share": 0.5},
        ],
        "tracking, ovphysx": [{"seconds": 100.0}, {"seconds": 120.0}],
    }
    page = render({"evaluation": {**PROVENANCE, "sizes": sizes, "runs": runs, "ratios": {}}})
    assert "| robot-seconds a second | 21.0 (20.0–22.0) |" in page
    assert "| robot-seconds a second of processor time | 30.2 (30.0–30.5) |" in page
    assert "| share of the time that robots stood [%] | 50 |" in page
    assert "| ovphysx | 110 (100–120) |" in page


def test_a_tour_that_is_timed_stays_on_its_feet() -> None:
    found = measure_tour(robots=1, tour_seconds=0.2, seed=0)
    assert found["stood_share"] == pytest.approx(1.0)
    assert found["robot_seconds_per_s"] > 0.0 and found["robot_seconds_per_cpu_s"] > 0.0


def test_a_broken_file_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / "benchmarks.json").write_text("{")
    with pytest.raises(CliError, match=r"benchmarks\.json is no JSON"):
        write_report(tmp_path, {"startup": _startup(1.0)})
    assert (tmp_path / "benchmarks.json").read_text() == "{"


def test_the_cpu_is_named(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Abacus: 9000\nprocessor\t: 1\nmodel name\t: Other\n")
    assert cpu_model(cpuinfo) == "Abacus: 9000"
    assert cpu_model(tmp_path / "missing")
    assert describe_machine()["packages"]["isaaclab"].startswith("3.")


def test_the_command_line() -> None:
    parts, args, sizes = parse(["learner", "env", "learner", "--out", "env", "--steps", "7"])
    assert parts == ["learner", "env"]
    assert (sizes.steps, sizes.rough_envs) == (7, 256)
    assert command_of("env", args.changed) == "./himloco.sh -p tools/benchmark.py env --out env --steps 7"
    everything = ["env", "writes", "train", "scaling", "startup", "learner", "compile", "evaluation", "memory"]
    assert parse([])[0] == list(make_parts(Sizes())) == everything


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["enw"], r"unknown part 'enw': did you mean env"),
        (["--repeats", "0"], r"--repeats 0: must be at least 1"),
        (["--steps", "many"], r"invalid int value: 'many'"),
        (["--train_warm_up", "25"], r"--train_iterations 25: must be more than the 25"),
    ],
)
def test_bad_input(argv: list[str], message: str) -> None:
    with pytest.raises(CliError, match=message):
        parse(argv)


def test_a_ratio_of_something_that_was_not_measured_is_left_out() -> None:
    ratios = {"y": (("a", "y"), ("a", "x")), "x": (("a", "x"), ("a", "x"))}
    part = Part({"a": lambda repeat: {"x": 1.0}}, ratios)
    assert list(part.run(1, lambda text: None)["ratios"]) == ["x"]


def test_the_measured_part_has_its_tables() -> None:
    run = {"alone_s": 2.0, "together_s": 2.5, "alone_update_s": 0.5, "together_update_s": 0.75, "reducing_s": 0.125}
    run |= {"traffic_bytes": {"policy": 1000, "estimator": 10}, "policy_reduction_ms": 1.5}
    run |= {"estimator_reduction_ms": 0.25, "number_reduction_ms": 0.0625}
    ratios = {"weak": {"median": 0.8, "low": 0.8, "high": 0.8}}
    part = {**PROVENANCE, "sizes": {"scaling_processes": 2}, "runs": {"128 robots a process": [run]}, "ratios": ratios}
    page = render({"scaling": part})
    assert "| 128 robots a process | 2.00 | 2.50 | 0.50 | 0.75 | 0.125 |" in page
    assert "| policy's gradients | 1,000 | 1.50 |" in page
    assert "| weak | 0.80 |" in page
