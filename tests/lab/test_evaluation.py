# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The figures of the tracking and robustness suites against recordings worked out by hand."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from isaaclab.utils import instantiate

from himloco_lab.evaluation import velocities
from himloco_lab.evaluation.env_arena import spread_terrain
from himloco_lab.evaluation.results import survived
from himloco_lab.evaluation.robustness import (
    Condition,
    RestlessArms,
    commands_of,
    conditions,
    impulses,
    largest_survived,
    summarize_robustness,
)
from himloco_lab.evaluation.tracking import (
    Recording,
    join,
    mean_and_ci95,
    per_robot,
    summarize,
    tracking_commands,
    tracking_series,
)

RANGES = SimpleNamespace(lin_vel_x=(-0.8, 1.2), lin_vel_y=(-0.5, 0.5), ang_vel_z=(-0.8, 0.8), height=(0.24, 0.74))
REST = np.array([0.0, 0.0, 0.0, 0.74])
DT, START, STEPS = 0.1, 10, 60


def recording(command: list[list[float]], **changes: Any) -> Recording:
    """Six seconds at 10 Hz of robots that stand still; the command steps after the first second."""
    robots = len(command)
    values: dict[str, Any] = {
        "dt": DT,
        "start": START,
        "mass": 10.0,
        "command": np.array(command),
        "rest": REST,
        "measured": np.tile(REST, (STEPS, robots, 1)),
        "alive": np.ones((STEPS, robots), dtype=bool),
        "power": np.zeros((STEPS, robots)),
        "contacts": np.zeros((STEPS, robots, 2), dtype=bool),
        "foot_speed": np.zeros((STEPS, robots, 2)),
        "pose": np.zeros((STEPS, robots, 3)),
        "estimate": np.full((STEPS, robots, 3), np.nan),
        "actions": np.zeros((STEPS, robots, 2)),
    }
    return Recording(**(values | changes))


def test_the_grid_is_the_tasks_and_has_no_command_twice() -> None:
    grid = tracking_commands(RANGES)
    assert len(grid) == len(set(grid)) == 64
    assert grid[0] == (0.0, 0.0, 0.0, 0.74)
    low, high = np.min(grid, axis=0), np.max(grid, axis=0)
    np.testing.assert_allclose(low, [-0.8, -0.5, -0.8, 0.24])
    np.testing.assert_allclose(high, [1.2, 0.5, 0.8, 0.74])
    assert any(all(command[:3]) for command in grid)
    with pytest.raises(ValueError, match="1000 commands: the grid has 1 to"):
        tracking_commands(RANGES, 1000)


def test_errors_are_those_after_two_seconds_of_the_command() -> None:
    measured = np.tile(REST, (STEPS, 1, 1))
    measured[START : START + 20, 0, 0] = 99.0
    measured[START + 20 :, 0] = [0.7, 0.1, -0.2, 0.7]
    found = per_robot(recording([[1.0, 0.0, 0.0, 0.74]], measured=measured))
    values = [found[f"error_{axis}"][0] for axis in ("vx", "vy", "yaw_rate", "height")]
    np.testing.assert_allclose(values, [0.3, 0.1, 0.2, 0.04])


def test_response_and_overshoot_of_a_ramp() -> None:
    """0.1 m/s more each record up to 1.2 m/s, for a command of 1 m/s; the mean of two records reaches 0.9 m/s at
    the record with 1.0 m/s, the tenth."""
    measured = np.tile(REST, (STEPS, 1, 1))
    measured[START:, 0, 0] = np.minimum(0.1 * np.arange(1, STEPS - START + 1), 1.2)
    found = per_robot(recording([[1.0, 0.0, 0.0, 0.74]], measured=measured))
    assert found["response_time"][0] == pytest.approx(1.0)
    assert found["overshoot"][0] == pytest.approx(0.2)


def test_a_squat_steps_downwards() -> None:
    measured = np.tile(REST, (STEPS, 1, 1))
    measured[START + 4 :, 0, 3] = 0.32
    found = per_robot(recording([[0.0, 0.0, 0.0, 0.34]], measured=measured))
    assert found["response_time"][0] == pytest.approx(0.6)  # the first mean of two records at 0.32 m
    assert found["overshoot"][0] == pytest.approx(0.05)


def test_a_robot_that_never_answers_has_no_response_time() -> None:
    found = per_robot(recording([[1.0, 0.0, 0.0, 0.74], [0.0, 0.0, 0.0, 0.74]]))
    assert np.isnan(found["response_time"]).all()
    assert found["overshoot"][0] == 0.0
    assert np.isnan(found["overshoot"][1])  # nothing stepped


def test_power_slip_and_cost_of_transport() -> None:
    measured = np.tile(REST, (STEPS, 1, 1))
    measured[:, 0, :2] = [0.3, 0.4]
    power, contacts = np.full((STEPS, 1), 98.1), np.zeros((STEPS, 1, 2), dtype=bool)
    power[:START] = 1e6  # before the command
    speed = np.full((STEPS, 1, 2), 9.0)
    contacts[START + 5, 0, 0] = True
    speed[START + 5, 0, 0] = 0.2
    contacts[START + 6] = True
    speed[START + 6, 0] = [0.3, 0.5]
    values = {"measured": measured, "power": power, "contacts": contacts, "foot_speed": speed}
    found = per_robot(recording([[0.3, 0.4, 0.0, 0.74]], **values))
    assert found["power"][0] == pytest.approx(98.1)
    assert found["foot_slip"][0] == pytest.approx(0.3)
    assert found["cost_of_transport"][0] == pytest.approx(98.1 / (10.0 * 9.81 * 0.5))
    assert np.isnan(per_robot(recording([[0.0, 0.0, 0.0, 0.74]], power=power))["cost_of_transport"][0])


def test_action_rate_is_the_second_difference() -> None:
    actions = np.zeros((STEPS, 1, 2))
    actions[:, 0, 0] = 0.5 * np.arange(STEPS) ** 2  # second difference 1
    assert per_robot(recording([[1.0, 0, 0, 0.74]], actions=actions))["action_rate"][0] == pytest.approx(0.5)


def test_nothing_after_a_fall_counts() -> None:
    measured, alive = np.tile(REST, (STEPS, 2, 1)), np.ones((STEPS, 2), dtype=bool)
    alive[40:, 0] = False
    alive[15:, 1] = False
    measured[30:40, :, 0] = 0.5
    measured[40:, :, 0] = 77.0
    rec = recording([[0.5, 0.0, 0.0, 0.74]] * 2, measured=measured, alive=alive)
    found = per_robot(rec)
    assert found["error_vx"][0] == pytest.approx(0.0)
    assert np.isnan(found["error_vx"][1])  # fell before it could settle
    (row,) = summarize(rec)
    assert (row["robots"], row["falls"]) == (2, 2)
    assert row["falls_per_hour"] == pytest.approx(2 * 3600 / (0.1 * (40 + 15)))
    assert row["error_vx"] == pytest.approx(0.0)
    assert row["error_vx_ci95"] is None


def test_robots_of_one_command_share_a_row() -> None:
    measured = np.tile(REST, (STEPS, 3, 1))
    measured[:, 0, 0], measured[:, 1, 0], measured[:, 2, 0] = 0.1, 0.3, 0.5
    stand, walk = [0.0, 0.0, 0.0, 0.74], [0.5, 0.0, 0.0, 0.74]
    rows = summarize(recording([stand, stand, walk], measured=measured))
    assert [row["robots"] for row in rows] == [2, 1]
    assert rows[0]["error_vx"] == pytest.approx(0.2)
    assert rows[0]["error_vx_ci95"] == pytest.approx(12.706 * 0.1, rel=1e-4)  # t(0.975, 1), s / sqrt(2) = 0.1
    assert rows[1]["error_vx"] == pytest.approx(0.0)


def test_an_interval_needs_two() -> None:
    assert mean_and_ci95(np.array([np.nan])) == (None, None)
    assert mean_and_ci95(np.array([2.0, np.nan])) == (2.0, None)


def test_the_error_of_an_estimate_is_its_horizontal_distance() -> None:
    measured, estimate = np.tile(REST, (STEPS, 2, 1)), np.full((STEPS, 2, 3), np.nan)
    estimate[:, 0] = [0.3, -0.4, 9.0]
    estimate[:START, 0] = 77.0
    found = per_robot(recording([[0.0, 0.0, 0.0, 0.74]] * 2, measured=measured, estimate=estimate))
    assert found["error_estimate"][0] == pytest.approx(0.5)
    assert np.isnan(found["error_estimate"][1])


def test_joined_recordings_are_those_of_all_robots() -> None:
    commands = [[0.5, 0.0, 0.0, 0.74], [0.0, 0.0, 0.5, 0.74], [0.0, 0.0, 0.0, 0.74]]
    measured = np.random.default_rng(0).normal(size=(STEPS, 3, 4))
    whole = recording(commands, measured=measured)
    parts = [recording(commands[:1], measured=measured[:, :1]), recording(commands[1:], measured=measured[:, 1:])]
    assert summarize(join(parts)) == summarize(whole)


def test_series_show_what_happened() -> None:
    """At 10 Hz nothing is thinned out."""
    measured, alive = np.tile(REST, (STEPS, 3, 1)), np.ones((STEPS, 3), dtype=bool)
    measured[START:, 0, 0] = 0.4
    measured[START:, 1, 0] = 0.6
    alive[30:, 1] = False
    contacts = np.zeros((STEPS, 3, 2), dtype=bool)
    contacts[5:9, 0, 1] = True
    walk, stand = [0.5, 0.0, 0.0, 0.74], [0.0, 0.0, 0.0, 0.74]
    found = tracking_series(recording([walk, walk, stand], measured=measured, alive=alive, contacts=contacts))
    curve = found["curves"]["vx"]
    assert curve["command"] == 0.5
    assert curve["measured"] == pytest.approx([0.0] * START + [0.5] * 20 + [0.4] * 30)
    assert curve["time"][START - 1 : START + 2] == pytest.approx([0.0, 0.1, 0.2])
    assert set(found["curves"]) == {"vx"}  # nobody was asked for anything else
    assert found["alive"] == pytest.approx([1.0] * 30 + [0.667] * 30)
    assert sum(found["errors"]["vx"]) == 30 + 30  # robot 0 and the one that stands, once settled
    assert found["errors"]["vx"][int((-0.1 + 0.6) / 0.025)] == 30
    assert found["feet"]["contacts"] == [[0] * STEPS, [0] * 5 + [1] * 4 + [0] * (STEPS - 9)]
    assert "estimate" not in found


def test_the_largest_impulse_is_the_last_before_most_fall() -> None:
    sizes = {10.0: 1.0, 20.0: 0.5, 30.0: 0.25, 40.0: 0.75}
    rows = [{"group": "impulse", "kind": "left", "size": size, "survived": share} for size, share in sizes.items()]
    rows.append({"group": "impulse", "kind": "right", "size": 10.0, "survived": 0.25})
    assert largest_survived(rows) == {"left": 20.0, "right": 0.0}


def test_an_impulse_is_force_times_time_in_its_direction() -> None:
    chosen = [Condition("impulse", "left", 30.0), Condition("impulse", "backward", 10.0), Condition("delay", "", 1.0)]
    push = impulses(chosen, 0.02)
    total = sum((found.force * 0.02 for step in range(500) if (found := push(step)) is not None), np.zeros((3, 3)))
    np.testing.assert_allclose(total, [[0.0, 30.0, 0.0], [-10.0, 0.0, 0.0], [0.0, 0.0, 0.0]], atol=1e-9)
    assert push(99) is None and push(100) is not None  # the robots stand for two seconds before
    np.testing.assert_allclose(commands_of(chosen, 0.74)[:, 0], [0.0, 0.0, 0.5])


def test_difficulties_are_those_that_the_task_has() -> None:
    flat = conditions(range(4), has_arms=False, terrain=(), levels=0)
    assert {one.group for one in flat} == {"impulse", "payload", "friction", "delay"}
    assert [one.size for one in flat if one.group == "delay"] == [0.0, 1.0, 2.0, 3.0]
    rough = conditions([0], has_arms=True, terrain=("stairs", "slope"), levels=3)
    assert [(one.kind, one.size, one.column) for one in rough if one.group == "terrain"] == [
        *(("stairs", level, 0) for level in range(3)),
        *(("slope", level, 1) for level in range(3)),
    ]


def test_survival_by_difficulty() -> None:
    alive = np.ones((STEPS, 4), dtype=bool)
    alive[40:, 1] = False
    chosen = [Condition("payload", "", 5.0)] * 2 + [Condition("payload", "", 10.0)] * 2
    rows = summarize_robustness(recording([[0.5, 0.0, 0.0, 0.74]] * 4, alive=alive), chosen)
    assert [(row["size"], row["robots"], row["survived"]) for row in rows] == [(5.0, 2, 0.5), (10.0, 2, 1.0)]
    assert rows[0]["error_vx"] == pytest.approx(0.5)
    assert survived(rows, "payload") == pytest.approx(0.75) and survived(rows, "delay") is None


def test_restless_arms_follow_homies_distribution() -> None:
    """At ratio 1 the amplitude is nearly uniform, at 0 its mean is 1/20; half of that share goes to each side."""
    robots = 4000
    arena: Any = SimpleNamespace(dt=0.02, arm_default=np.array([0.2]), arm_limits=np.array([[-0.8, 1.2]]))
    for ratio, mean in ((1.0, 0.2417), (0.0, 0.025)):  # E[r'] E[u], with E[r'] = 1/lam - 1/(e^lam - 1)
        arms = RestlessArms(arena, [Condition("arms", "", ratio)] * robots + [Condition("delay", "", 0.0)], 0)
        targets = np.stack([arms(step) for step in range(50)])
        assert (targets[:, -1] == 0.2).all()
        reached = targets[-1, :robots, 0] - 0.2
        assert np.abs(reached).mean() == pytest.approx(mean, rel=0.08)
        assert (reached > 0.0).mean() == pytest.approx(0.5, abs=0.03)
        np.testing.assert_allclose(targets[24, :robots, 0] - 0.2, reached / 2, atol=1e-9)


def test_one_height_for_all_leaves_a_smaller_grid() -> None:
    ranges = SimpleNamespace(lin_vel_x=(-1.0, 1.0), lin_vel_y=(-1.0, 1.0), ang_vel_z=(-2.0, 2.0), height=(0.3, 0.3))
    grid = tracking_commands(ranges)
    assert 50 < len(grid) == len(set(grid)) < 64
    assert {command[3] for command in grid} == {0.3}


def test_a_level_of_the_papers_table_is_exactly_as_hard_as_its_number() -> None:
    """Stairs of HIMLoco, 0.05 + 0.18 d with d = row / 10: the pyramid's top is as many of them high in every row."""
    from himloco_lab.terrains import ROUGH_TERRAINS_CFG

    cfg: Any = SimpleNamespace(scene=SimpleNamespace(terrain=SimpleNamespace(terrain_generator=None)))
    generator = copy.deepcopy(ROUGH_TERRAINS_CFG)
    generator.seed = 3
    cfg.scene.terrain.terrain_generator = generator
    spread_terrain(cfg, exact=True, kinds=["stairs_down"])
    tops = instantiate(generator).terrain_origins[:, 0, 2]  # as Isaac Lab builds it
    assert len(tops) == 10
    np.testing.assert_allclose(tops / tops[0], (0.05 + 0.18 * np.arange(10) / 10) / 0.05)


def test_velocities_are_the_papers_rows() -> None:
    """Errors of two robots worked by hand: one runs 0.3 m/s too fast and turns 0.1 rad/s too little, one falls."""
    chosen = velocities.trials(["smooth_slope", "stairs_up"], robots=2)
    assert {(one.ground, one.test, one.size) for one in chosen} == {
        *(("slopes", test, size) for test in ("lin", "ang", "combined") for size in (1.0, 2.0)),
        *(("stairs", test, 1.0) for test in ("lin", "ang", "combined")),
    }
    assert len(chosen) == 9 * 4 * 2
    commands = velocities.commands_of(chosen, 0.3, seed=1)
    for one, command in zip(chosen, commands, strict=True):
        assert abs(command[0]) <= one.size
        assert abs(command[1]) <= 1.0
        assert (command[:2] == 0.0).all() == (one.test == "ang")
        assert (command[2] == 0.0) == (one.test == "lin")
    generator = SimpleNamespace(sub_terrains={"flat": 0, "smooth_slope": 0, "stairs_up": 0}, num_cols=9)
    cfg = SimpleNamespace(scene=SimpleNamespace(terrain=SimpleNamespace(terrain_generator=generator)))
    rows, columns = velocities.places(chosen, cfg)
    assert set(rows) == {1, 2, 3, 4}
    assert {(one.kind, int(column)) for one, column in zip(chosen, columns, strict=True)} == {
        ("smooth_slope", 4),
        ("stairs_up", 7),
    }
    pair = chosen[:2]
    measured = np.tile([1.18, 0.24, 0.4, 0.3], (STEPS, 2, 1))
    measured[: START + 20, :, :3] = 0.0  # they take two seconds to start
    recorded = recording(command=[[1.0, 0.0, 0.5, 0.3]] * 2, measured=measured)
    recorded.alive[-1, 1] = False
    (row,) = velocities.summarize_velocities(recorded, pair)
    assert (row["ground"], row["test"], row["size"], row["robots"], row["falls"]) == ("slopes", "lin", 1.0, 2, 1)
    assert row["error_lin"] == pytest.approx(0.3)  # hypot(0.18, 0.24)
    assert row["error_ang"] == pytest.approx(0.1)
    # 20 records of standing and 30 or 29 of running
    assert row["error_lin_all"] == pytest.approx(((20 + 30 * 0.3) / 50 + (20 + 29 * 0.3) / 49) / 2)
    assert row["error_ang_all"] == pytest.approx(((20 * 0.5 + 30 * 0.1) / 50 + (20 * 0.5 + 29 * 0.1) / 49) / 2)
    assert (row["published_lin"], row["published_ang"]) == (0.073, None)  # HIM paper, table of velocity errors
