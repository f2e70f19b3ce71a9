# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The reward terms about feet, steps and contacts against numbers worked by hand from HomieRL's formulas."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
import torch

from himloco_lab.tasks.velocity.mdp.rewards.quantities import LandingDetector

from .reward_world import SQUAT, STAND, WALK, Term, World, near


@pytest.fixture
def world() -> World:
    return World()


# -- steps


def _run_contacts(world: World, term: Term, left: str) -> list[float]:
    """Return the term of environment 0 over a timeline of the left foot: # on the ground, . in the air."""
    values = []
    for mark in left:
        world.step()
        world.force("left", 0.0, 0.0, 100.0 if mark == "#" else 0.0)
        world.force("right", 0.0, 0.0, 100.0)
        values.append(term()[0])
    return values


def test_landing_is_seen_once_and_bounces_are_not() -> None:
    detector = LandingDetector(num_envs=1, num_bodies=1, step_dt=0.02, device="cpu")
    timeline = "..##...#.##.#..##"
    landings = []
    for step, mark in enumerate(timeline):
        landed, air_time = detector.update(torch.tensor([[mark == "#"]]))
        if landed.item():
            landings.append((step, round(air_time.item(), 6)))
    # The flight before the first touch, and the gaps of one step at 8 and 11, do not count.
    assert landings == [(7, 0.06), (15, 0.04)]


def test_air_time_pays_at_landing(world: World) -> None:
    term = Term(world, "feet_air_time")
    values = _run_contacts(world, term, "##" + 30 * "." + "##")
    assert values[:-2] == near(*([0.0] * 32))
    assert values[-2:] == near(30 * 0.02 - 0.5, 0.0)


def test_an_environment_has_one_detector(world: World) -> None:
    """Two terms ask it in every step, and it advances once; another environment has its own."""
    term, other = Term(world, "feet_air_time"), Term(world, "feet_ground_parallel")
    detectors: list[Any] = [one.func for one in (term, other, Term(World(), "feet_air_time"))]
    assert detectors[0]._landings is detectors[1]._landings
    assert detectors[0]._landings is not detectors[2]._landings

    def both() -> list[float]:
        other()
        return term()

    values = _run_contacts(world, cast("Term", both), "##" + 30 * "." + "##")
    assert values[-2:] == near(30 * 0.02 - 0.5, 0.0)


def test_air_time_of_both_feet_adds_up(world: World) -> None:
    term = Term(world, "feet_air_time")
    for force in (100.0, 100.0, 0.0, 0.0, 0.0, 100.0):
        world.step()
        world.force("left", 0.0, 0.0, force)
        world.force("right", 0.0, 0.0, force)
        value = term()
    assert value == near(*([2 * (0.06 - 0.5)] * 2))


@pytest.mark.parametrize(
    ("command", "expected"), [(STAND, 0.0), ((0.0, 0.0, 0.2, 0.74), -0.44), ((0.0, 0.0, 0.09, 0.74), 0.0)]
)
def test_air_time_needs_a_commanded_motion(
    world: World, command: tuple[float, float, float, float], expected: float
) -> None:
    world.set_command(command, command)
    assert _run_contacts(world, Term(world, "feet_air_time"), "#...#")[-1] == pytest.approx(expected)


def test_air_time_forgets_a_flight_at_reset(world: World) -> None:
    term = Term(world, "feet_air_time")
    _run_contacts(world, term, "#....")
    term.reset(torch.tensor([0], dtype=torch.int32))
    world.step()
    world.force("left", 0.0, 0.0, 100.0)
    assert term() == near(0.0, 0.08 - 0.5)  # environment 1 was not reset


def test_clearance_above_the_ground_under_each_foot(world: World) -> None:
    world.set_command(WALK, SQUAT)
    # ground: 0.5 m high where y > 0, else 0
    world.scene.ground = lambda points: 0.5 * (points[..., 1] > 0)
    world.body(world.body_pos, "left_ankle_roll_link", 0.0, 0.1, 0.54)  # 0.04 above: error -0.1
    world.body(world.body_pos, "right_ankle_roll_link", 0.0, -0.1, 0.34)  # error 0.2
    world.lin_vel_w[:] = torch.tensor([1.0, 0.0, 0.0])
    world.body(world.body_vel, "left_ankle_roll_link", 1.3, 0.4, 5.0)  # relative (0.3, 0.4): 0.5 m/s
    world.body(world.body_vel, "right_ankle_roll_link", 1.0, 0.0, 5.0)  # at rest under the base
    assert Term(world, "feet_clearance")() == near(0.01 * 0.5, 0.0)


@pytest.mark.parametrize(
    ("velocity", "speed"), [((2.0, 0.0, 0.0), 0.0), ((0.0, 2.0, 0.0), 2.0), ((0.0, 0.0, 3.0), 3.0)]
)
def test_clearance_velocity_is_in_the_frame_of_the_base(
    world: World, velocity: tuple[float, float, float], speed: float
) -> None:
    # Turned by 120 degrees about (1, 1, 1): the base's x, y, z axes are the world's y, z, x.
    world.root_quat[:] = 0.5
    world.body(world.body_pos, "left_ankle_roll_link", 0.0, 0.0, 0.24)
    world.body(world.body_vel, "left_ankle_roll_link", *velocity)
    assert Term(world, "feet_clearance")() == near(0.01 * speed, 0.01 * speed)


def test_clearance_acts_from_a_height_command_of_71_centimeters(world: World) -> None:
    world.set_command((0.0, 0.0, 0.0, 0.72), (0.0, 0.0, 0.0, 0.70))
    world.body(world.body_pos, "right_ankle_roll_link", 0.0, 0.0, 0.24)
    world.body(world.body_vel, "right_ankle_roll_link", 1.0, 0.0, 0.0)
    assert Term(world, "feet_clearance")() == near(0.01, 0.0)


def _pitched(angle: float) -> tuple[float, float, float, float]:
    return 0.0, math.sin(angle / 2), 0.0, math.cos(angle / 2)


def test_tilted_landing(world: World) -> None:
    """A foot pitched by 30 degrees: heights -x/2 of points at 0.12, 0, -0.06 plus a constant."""
    world.body(world.body_quat, "left_ankle_roll_link", *_pitched(math.pi / 6))
    heights = [-0.06, 0.0, 0.03]
    variance = sum((h + 0.01) ** 2 for h in heights) / 2  # their mean is -0.01
    term = Term(world, "feet_ground_parallel")
    values = _run_contacts(world, term, "#...#...##..#")
    # only at the landings after at least 0.06 s in the air; the last flight was 0.04 s
    expected = [0.0] * 13
    expected[4] = expected[8] = variance
    assert values == near(*expected)


def test_landing_parallel_to_a_slope_is_free(world: World) -> None:
    slope = math.tan(math.pi / 6)
    world.scene.ground = lambda points: -slope * points[..., 0]
    for side in ("left", "right"):
        world.body(world.body_quat, f"{side}_ankle_roll_link", *_pitched(math.pi / 6))
    tilted = Term(world, "feet_ground_parallel")
    assert _run_contacts(world, tilted, "#...#")[-1] == pytest.approx(0.0, abs=1e-9)
    world.body(world.body_quat, "left_ankle_roll_link", *_pitched(0.0))
    # level soles over this slope: heights x·tan 30° above it
    heights = [slope * x for x in (0.12, 0.0, -0.06)]
    mean = sum(heights) / 3
    variance = sum((h - mean) ** 2 for h in heights) / 2
    level = Term(world, "feet_ground_parallel")
    assert _run_contacts(world, level, "#...#")[-1] == pytest.approx(variance, rel=1e-4)


@pytest.mark.parametrize(
    ("left", "right", "walking", "standing"),
    [(100.0, 0.0, 1.0, 1.0), (0.4, 0.6, 1.0, 1.0), (100.0, 100.0, 0.0, 1.0), (0.0, 0.0, 0.0, 1.0)],
)
def test_one_foot_on_the_ground(world: World, left: float, right: float, walking: float, standing: float) -> None:
    world.set_command(WALK, STAND)
    world.force("left", 0.0, 0.0, left)
    world.force("right", 0.0, 0.0, right)
    assert Term(world, "no_fly")() == near(walking, standing)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(STAND, SQUAT, (1.0, 0.0)), (WALK, STAND, (0.0, 1.0)), ((0.0, 0.0, 0.2, 0.74), SQUAT, (0.0, 0.0))],
)
def test_feet_stay_down_when_standing(
    world: World, first: tuple[float, ...], second: tuple[float, ...], expected: tuple[float, float]
) -> None:
    world.set_command(first, second)
    world.force("left", 0.0, 0.0, 0.05)
    world.force("right", 0.0, 0.0, 0.2)
    assert Term(world, "stand_still")() == near(*expected)


def test_both_feet_up_count_twice(world: World) -> None:
    world.set_command(STAND, STAND)
    assert Term(world, "stand_still")() == near(2.0, 2.0)


# -- contacts


def test_stumble_is_a_force_from_the_side(world: World) -> None:
    world.force("left", 24.0, 18.0, 9.0, env=0)  # 30 > 27
    world.force("right", 24.0, 18.0, -11.0, env=1)  # 30 < 33
    assert Term(world, "feet_stumble")() == near(1.0, 0.0)


def test_stumbling_with_both_feet_counts_once(world: World) -> None:
    for side in ("left", "right"):
        world.force(side, 50.0, 0.0, 0.0)
    assert Term(world, "feet_stumble")() == near(1.0, 1.0)


def test_slip_of_loaded_feet(world: World) -> None:
    world.body(world.body_vel, "left_ankle_roll_link", 0.3, -0.4, 2.0)
    world.body(world.body_vel, "right_ankle_roll_link", 1.0, 0.0, 0.0)
    world.force("left", 0.0, 0.0, 1.5)
    world.force("right", 40.0, 0.0, 0.5)  # pushed from the side, not loaded
    assert Term(world, "feet_slip")() == near(0.5, 0.5)


def test_force_above_400_newton(world: World) -> None:
    world.force("left", 300.0, 0.0, 400.0)  # 500 N
    world.force("right", 0.0, 0.0, 399.0)
    assert Term(world, "feet_contact_forces")() == near(100.0, 100.0)
    world.step()
    world.force("right", 0.0, 0.0, 600.0)
    assert Term(world, "feet_contact_forces")() == near(300.0, 300.0)


def test_contact_momentum_of_sinking_feet(world: World) -> None:
    world.body(world.body_vel, "left_ankle_roll_link", 1.0, 1.0, -0.5)
    world.body(world.body_vel, "right_ankle_roll_link", 1.0, 1.0, 0.5)
    world.force("left", 0.0, 0.0, 250.0)
    world.force("right", 0.0, 0.0, 250.0)
    assert Term(world, "contact_momentum")() == near(-100.0, -100.0)
    world.step()
    world.force("left", 0.0, 0.0, 40.0)
    assert Term(world, "contact_momentum")() == near(0.0, 0.0)
