# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The figures of the tracking suite against recordings worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from himloco_lab.evaluation.commands import tracking_commands
from himloco_lab.evaluation.metrics import Recording, mean_and_ci95, per_robot, summarise

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
        "slip": np.full((STEPS, robots), np.nan),
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
    power, slip = np.full((STEPS, 1), 98.1), np.full((STEPS, 1), np.nan)
    power[:START] = 1e6  # before the command
    slip[START + 5] = 0.2
    slip[START + 6] = 0.4
    found = per_robot(recording([[0.3, 0.4, 0.0, 0.74]], measured=measured, power=power, slip=slip))
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
    (row,) = summarise(rec)
    assert (row["robots"], row["falls"]) == (2, 2)
    assert row["falls_per_hour"] == pytest.approx(2 * 3600 / (0.1 * (40 + 15)))
    assert row["error_vx"] == pytest.approx(0.0)
    assert row["error_vx_ci95"] is None


def test_robots_of_one_command_share_a_row() -> None:
    measured = np.tile(REST, (STEPS, 3, 1))
    measured[:, 0, 0], measured[:, 1, 0], measured[:, 2, 0] = 0.1, 0.3, 0.5
    stand, walk = [0.0, 0.0, 0.0, 0.74], [0.5, 0.0, 0.0, 0.74]
    rows = summarise(recording([stand, stand, walk], measured=measured))
    assert [row["robots"] for row in rows] == [2, 1]
    assert rows[0]["error_vx"] == pytest.approx(0.2)
    assert rows[0]["error_vx_ci95"] == pytest.approx(12.706 * 0.1, rel=1e-4)  # t(0.975, 1), s / sqrt(2) = 0.1
    assert rows[1]["error_vx"] == pytest.approx(0.0)


def test_an_interval_needs_two() -> None:
    assert mean_and_ci95(np.array([np.nan])) == (None, None)
    assert mean_and_ci95(np.array([2.0, np.nan])) == (2.0, None)
