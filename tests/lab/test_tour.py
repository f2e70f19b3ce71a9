# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The tour's plan and figures, with robots so simple that the figures can be worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from himloco_lab.evaluation.arena import Push, State
from himloco_lab.evaluation.tour import (
    ArmWalk,
    TourRecording,
    falls_after_punches,
    follow,
    make_plan,
    punch,
    reference,
    run_tour,
    summarize_tour,
)

LIMITS = np.array([[-0.8, -0.5, -0.8], [1.2, 0.5, 0.8]])


class Puck:
    """Robots without legs: they move exactly as commanded, and fall at a given time."""

    dt, mass = 0.02, 10.0
    links, arms = ("base", "arm", "leg"), ("waist_yaw_joint", "left_arm", "right_arm")
    arm_default = np.array([0.0, 0.5, -0.5])
    arm_limits = np.array([[-1.0, 1.0], [-0.5, 1.0], [-2.0, 0.5]])

    def __init__(self, robots: int, moves: bool = True, falls_at: float = np.inf) -> None:
        self.num_robots, self._moves, self._falls_at = robots, moves, falls_at
        self.pushes: list[np.ndarray] = []
        self.held = 0

    def reset(self, seed: int) -> None:
        self._time, self._pose = 0.0, np.zeros((self.num_robots, 3))

    def hold(self) -> None:
        self.held += 1
        self._time, self._pose = 0.0, np.zeros((self.num_robots, 3))

    def step(self, command: np.ndarray, arms: np.ndarray | None = None, push: Push | None = None) -> State:
        self._time += self.dt
        if self._moves:
            cos, sin = np.cos(self._pose[:, 2]), np.sin(self._pose[:, 2])
            self._pose[:, 0] += self.dt * (cos * command[:, 0] - sin * command[:, 1])
            self._pose[:, 1] += self.dt * (sin * command[:, 0] + cos * command[:, 1])
            self._pose[:, 2] += self.dt * command[:, 2]
        self.pushes.append(np.zeros((self.num_robots, 3)) if push is None else push.force)
        nothing = np.zeros((self.num_robots, 3))
        return State(
            velocity=command[:, :3],
            height=command[:, 3],
            pose=self._pose.copy(),
            fallen=np.full(self.num_robots, self._time > self._falls_at),
            power=np.full(self.num_robots, 50.0),
            joint_vel=np.full((self.num_robots, 4), 3.0 * self._time),
            contacts=nothing[:, :2] > 0,
            foot_speed=nothing[:, :2],
            actions=nothing,
            estimate=nothing,
        )


def tour(arena: Puck, **changes: Any) -> TourRecording:
    plan = make_plan(range(arena.num_robots), 5, len(arena.links))
    return run_tour(arena, plan, LIMITS, 0.74, 0, **changes)


def test_the_plan_is_what_the_description_says() -> None:
    plan = make_plan(range(200), 3, 28)
    assert plan.waypoints.shape == (200, 13, 3)
    assert (plan.waypoints[:, 0] == 0.0).all()
    steps = np.diff(plan.waypoints, axis=1)
    length = np.hypot(steps[..., 0], steps[..., 1])
    assert 0.5 <= length.min() < 0.51 and 1.24 < length.max() <= 1.25
    assert np.abs(steps[..., 2]).max() <= np.pi / 3
    np.testing.assert_allclose(
        np.arctan2(steps[..., 1], steps[..., 0]), np.angle(np.exp(1j * plan.waypoints[:, 1:, 2]))
    )
    segment = plan.punch_time // 5.0
    assert (segment == np.arange(12)).all()
    assert ((plan.punch_time + 0.08) // 5.0 == segment).all()
    size = np.linalg.norm(plan.punch_force, axis=-1)
    assert 590.0 < size.max() <= 600.0 and size.mean() == pytest.approx(300.0, rel=0.03)
    assert set(np.unique(plan.punch_link)) == set(range(1, 28))


def test_a_robots_part_does_not_depend_on_the_others() -> None:
    together, alone = make_plan(range(5), 3, 28), make_plan([4], 3, 28)
    np.testing.assert_array_equal(together.waypoints[4], alone.waypoints[0])
    np.testing.assert_array_equal(together.punch_force[4], alone.punch_force[0])
    assert not np.array_equal(make_plan([4], 4, 28).waypoints, alone.waypoints)


def test_every_robot_is_punched_twelve_times_for_four_steps() -> None:
    arena = Puck(3)
    tour(arena)
    pushed = (np.abs(np.stack(arena.pushes)).sum(axis=-1) > 0.0).sum(axis=0)
    np.testing.assert_array_equal(pushed, [48, 48, 48])
    assert arena.held == 150
    assert len(arena.pushes) == 150 + 3000


def test_the_command_leads_back_to_the_target() -> None:
    pose = np.array([[0.0, 0.0, np.pi / 2], [0.0, 0.0, np.pi - 0.1]])
    target = np.array([[0.3, 0.2, np.pi / 2 + 0.1], [-2.0, 0.0, -np.pi + 0.1]])
    rate = np.array([[0.1, 0.0, 0.2], [0.0, 0.0, 0.0]])
    command = follow(pose, target, rate, *LIMITS)
    # looking along y: x of the world lies to the right
    np.testing.assert_allclose(command[0], [0.2, -0.4, 0.3], atol=1e-12)
    # 2 m behind it in the world's frame, before it in its own; the short way round is 0.2 rad
    np.testing.assert_allclose(command[1], [1.2, 0.2 * np.sign(np.sin(0.1)), 0.2], atol=0.01)


def test_who_does_as_told_arrives() -> None:
    summary = summarize_tour(tour(Puck(4)))
    assert summary["completed"] == 1.0 and summary["survival"] == pytest.approx(60.0)
    assert summary["position_error"] < 0.02 and summary["yaw_error"] < 3.0
    assert summary["power"] == pytest.approx(50.0) and summary["energy"] == pytest.approx(3000.0)
    # the speed of all joints grows by 0.06 rad/s a step; nothing is known of the step before the first
    assert summary["vibration"] == pytest.approx(3.0 * 2999 / 3000)


def test_who_stands_still_is_as_far_as_the_path_is_long() -> None:
    found = tour(Puck(1, moves=False), duration=5.0)
    plan = make_plan([0], 5, 3)
    (x, y, yaw) = plan.waypoints[0, 1]
    share = np.arange(1, 251) / 250
    np.testing.assert_allclose(found.position_error[:, 0], share * np.hypot(x, y), atol=1e-9)
    np.testing.assert_allclose(found.yaw_error[:, 0], share * abs(yaw), atol=1e-9)
    target, rate = reference(plan, 7.5)
    np.testing.assert_allclose(target[0], plan.waypoints[0, 1:3].mean(axis=0))
    np.testing.assert_allclose(rate[0], np.diff(plan.waypoints[0, 1:3], axis=0)[0] / 5.0)


def test_nothing_after_a_fall_counts() -> None:
    summary = summarize_tour(tour(Puck(2, falls_at=10.01)))
    assert summary["completed"] == 0.0
    assert summary["survival"] == pytest.approx(10.0)
    assert summary["energy"] == pytest.approx(500.0)


def test_the_tour_ends_with_the_last_robot_and_its_record_goes_on() -> None:
    arena, steps = Puck(2, falls_at=10.01), 0

    def count() -> None:
        nonlocal steps
        steps += 1

    found = tour(arena, on_step=count)
    assert len(arena.pushes) == 150 + 501  # held, then up to the step in which both fall
    assert steps == 150 + 3000  # a progress bar arrives all the same
    assert found.alive.shape == found.power.shape == (3000, 2)
    assert found.alive.sum(axis=0).tolist() == [500, 500]


def test_the_score_has_wilsons_interval() -> None:
    alive = np.ones((2, 10), dtype=bool)
    alive[1, :3] = False
    nothing = np.zeros((2, 10))
    none = np.zeros((0, 10))
    summary = summarize_tour(TourRecording(0.02, alive, nothing, nothing, nothing, nothing, none, none, none))
    assert summary["completed"] == pytest.approx(0.7)
    # (0.7 + 1.92/10 -+ 1.96 sqrt(0.021 + 0.96/100)) / 1.384
    assert summary["completed_low"] == pytest.approx(0.397, abs=0.001)
    assert summary["completed_high"] == pytest.approx(0.892, abs=0.001)


def test_a_fall_counts_for_the_punch_before_it() -> None:
    alive = np.ones((100, 4), dtype=bool)  # 2 s
    alive[75:, 0] = False  # after 1.5 s, and so after its second punch
    alive[20:, 1] = False  # after 0.4 s, before any punch
    alive[60:, 2] = False  # after 1.2 s, in the pause after its first one
    nothing = np.zeros((100, 4))
    recording = TourRecording(
        0.02,
        *(alive, nothing, nothing, nothing, nothing),
        punch_time=np.array([[0.5, 0.5, 0.5, 0.5], [1.4, 1.4, 1.4, 1.4]]),
        punch_force=np.array([[50.0, 50.0, 250.0, 599.0], [150.0, 50.0, 50.0, 50.0]]),
        punch_link=np.array([["left_hip", "torso", "right_hip", "torso"], ["torso", "torso", "torso", "left_hip"]]),
    )
    rows = {row.pop("kind"): row for row in falls_after_punches(recording)}
    assert rows == {
        "0 to 100 N": {"punches": 2, "falls": 0},  # of robots 0 and 3
        "100 to 200 N": {"punches": 1, "falls": 1},
        "200 to 300 N": {"punches": 1, "falls": 1},
        "300 to 400 N": {"punches": 0, "falls": 0},
        "400 to 500 N": {"punches": 0, "falls": 0},
        "500 to 600 N": {"punches": 1, "falls": 0},
        "hip": {"punches": 3, "falls": 1},
        "torso": {"punches": 2, "falls": 1},
    }


def test_a_whole_tour_names_its_punches() -> None:
    found = tour(Puck(6, falls_at=10.01))
    rows = falls_after_punches(found)
    links = {row["kind"]: row for row in rows if "N" not in row["kind"]}
    assert set(links) == {"arm", "leg"}
    assert sum(row["punches"] for row in links.values()) == 12  # two each in ten seconds
    assert sum(row["falls"] for row in links.values()) == 6


def test_arms_never_rest_and_stay_within_half_of_their_reach() -> None:
    arena = Puck(50)
    plan = make_plan(range(50), 5, 3)
    walk = ArmWalk(arena, plan)
    targets = np.stack([walk() for _ in range(3000)])
    assert (targets[..., 0] == 0.0).all()  # a waist is no arm
    low, high = targets.min(axis=(0, 1))[1:], targets.max(axis=(0, 1))[1:]
    np.testing.assert_allclose(low, [0.0, -1.25], atol=0.01)
    np.testing.assert_allclose(high, [0.75, 0.0], atol=0.01)
    assert punch(plan, 0.0) is None
    step = np.diff(targets[..., 1], axis=0)
    inside = (targets[1:, :, 1] > 0.1) & (targets[1:, :, 1] < 0.65)
    assert step[inside].std() == pytest.approx(0.5 * 0.02**0.5 * 0.375, rel=0.05)
