# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the runner asks of whoever saves and restores an environment; the learner itself knows no simulator."""

from __future__ import annotations

from typing import Any

import torch


class EnvironmentState:
    """Saves and restores what of an environment a resumed run needs, and restarts single robots.

    This one serves environments that do it themselves: ``env.unwrapped`` may offer ``himloco_state_dict()``,
    ``himloco_load_state_dict(state)`` and ``himloco_reset(ids)``. Of others it keeps nothing. A simulator's is a
    subclass that the runner's configuration names, ``environment_state = "package.module:Class"``.

    A state holds numbers, strings, booleans, None and tensors, in dictionaries, lists and tuples: what ``torch.load``
    reads back with ``weights_only=True``.
    """

    def __init__(self, env: Any) -> None:
        """Serve an environment as the runner steps it, wrapped or not."""
        self.env, self.base = env, getattr(env, "unwrapped", env)
        self._noted: dict[str, Any] = {}

    @property
    def keeps_itself(self) -> bool:
        """Whether the environment says itself what is kept of it."""
        return hasattr(self.base, "himloco_state_dict")

    def state_dict(self, episodes: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what a checkpoint keeps; *episodes* of :meth:`noted_episodes` in place of where the robots are now."""
        return self.episodes() if episodes is None else episodes

    def load_state_dict(self, state: dict[str, Any]) -> bool:
        """Restore what :meth:`state_dict` returned, and return whether the episodes continue where they were.

        Raises:
            ValueError: If the state is one that this environment cannot take.
        """
        if "custom" not in state:
            return False
        if not hasattr(self.base, "himloco_load_state_dict"):
            raise ValueError(
                f"The checkpoint has an environment state, but {type(self.base).__name__} has no"
                " himloco_load_state_dict(); resume with the task that wrote it."
            )
        self.load_episodes(state)
        return True

    def note_episodes(self) -> None:
        """Note where the robots are in their episodes; the runner does it before every step, so it must be cheap."""
        self._noted = {"custom": self.base.himloco_state_dict()} if self.keeps_itself else {}

    def noted_episodes(self) -> dict[str, Any]:
        """Return what :meth:`note_episodes` noted last; empty if the environment does not tell."""
        return self._noted

    def episodes(self) -> dict[str, Any]:
        """Return where the robots are in their episodes now."""
        self.note_episodes()
        return self.noted_episodes()

    def load_episodes(self, episodes: dict[str, Any], rows: torch.Tensor | None = None) -> None:
        """Put robots where :meth:`noted_episodes` saw them.

        The first M robots here take over those of the numbers *rows* [M] there; None for all. An environment that does
        it itself always restores all.
        """
        self.base.himloco_load_state_dict(episodes["custom"])

    def reset(self, ids: torch.Tensor) -> bool:
        """Start new episodes in the environments ids [M]; return False if the environment does not offer it."""
        if not hasattr(self.base, "himloco_reset"):
            return False
        self.base.himloco_reset(ids)
        return True
