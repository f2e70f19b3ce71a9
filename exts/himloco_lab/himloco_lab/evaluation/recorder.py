# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Records robots that stand first and then follow a command each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .arena import Arena, Push, State
from .metrics import Recording

STANDING = 2.0
"""Seconds for which the robots stand before the command steps."""

_KEPT = ("pose", "power", "contacts", "foot_speed", "actions", "estimate")


def record(
    arena: Arena,
    commands: np.ndarray,
    rest: np.ndarray,
    seconds: float,
    seed: int,
    *,
    arms: Callable[[int], np.ndarray] | None = None,
    push: Callable[[int], Push | None] | None = None,
    after_reset: Callable[[], None] | None = None,
    on_step: Callable[[], None] | None = None,
) -> Recording:
    """Let the robots stand for :data:`STANDING` seconds, then give each its command.

    Args:
        arena: The robots.
        commands: vx, vy [m/s], yaw rate [rad/s], base height [m]; shape ``[R, 4]``.
        rest: What they are asked for at first, shape ``[4]``.
        seconds: Time under the command [s].
        seed: The same seed starts the same robots in the same way.
        arms: Number of the step -> targets of the arms [rad], shape ``[R, A]``.
        push: Number of the step -> forces on the robots.
        after_reset: Called once the robots stand.
        on_step: Called after every step, for a progress bar.
    """
    start, end = round(STANDING / arena.dt), round((STANDING + seconds) / arena.dt)
    kept: dict[str, list[np.ndarray]] = {name: [] for name in ("measured", "alive", *_KEPT)}
    standing = np.tile(rest, (arena.num_robots, 1))
    arena.reset(seed)
    if after_reset is not None:
        after_reset()
    for step in range(end):
        state = arena.step(
            standing if step < start else commands, arms(step) if arms else None, push(step) if push else None
        )
        for name, value in _values(state).items():
            kept[name].append(value)
        if on_step is not None:
            on_step()
    series = {name: np.stack(values) for name, values in kept.items()}
    return Recording(dt=arena.dt, start=start, mass=arena.mass, command=commands, rest=rest, **series)


def _values(state: State) -> dict[str, np.ndarray]:
    measured = np.concatenate([state.velocity, state.height[:, None]], axis=1)
    return {"measured": measured, "alive": ~state.fallen, **{name: getattr(state, name) for name in _KEPT}}
