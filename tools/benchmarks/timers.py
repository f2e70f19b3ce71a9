# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Time spent in parts of an environment's step, measured from outside."""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from typing import Any


class PartTimers:
    """Adds up the time of wrapped methods; a part that calls another one is not charged for it."""

    def __init__(self) -> None:
        """Start with nothing measured."""
        self.seconds: dict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = 0.0

    def wrap(self, owner: Any, method: str, part: str) -> None:
        """Charge calls of ``owner.method`` to a part.

        Args:
            owner: The object; its method is replaced by one that measures.
            method: Name of the method.
            part: What to charge; several methods may share it.
        """
        function = getattr(owner, method)

        @functools.wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            self._switch(enter=part)
            try:
                return function(*args, **kwargs)
            finally:
                self._switch()

        setattr(owner, method, measured)

    def _switch(self, enter: str | None = None) -> None:
        """Charge the time since the last switch to the running part, and start or end one."""
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        if enter is None:
            self._running.pop()
        else:
            self._running.append(enter)
        self._since = now


def time_parts(env: Any) -> PartTimers:
    """Wrap what ``ManagerBasedRLEnv.step`` calls; whatever is left of a step is Isaac Lab's own loop.

    Args:
        env: The environment.
    """
    timers = PartTimers()
    for owner, method, part in (
        (env.sim, "step", "physics"),
        (env.action_manager, "process_action", "actions"),
        (env.action_manager, "apply_action", "actions"),
        (env.scene, "write_data_to_sim", "writing commands"),
        (env.scene, "update", "sensors and state"),
        (env.termination_manager, "compute", "terminations"),
        (env.reward_manager, "compute", "rewards"),
        (env, "_reset_idx", "events and resets"),
        (env.event_manager, "apply", "events and resets"),
        (env.command_manager, "compute", "commands"),
        (env.observation_manager, "compute", "observations"),
    ):
        timers.wrap(owner, method, part)
    return timers
