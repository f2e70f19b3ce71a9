# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a checkpoint keeps of an environment of Isaac Lab, so that a resumed run continues its curricula and episodes.

Kept are ``common_step_counter``, every curriculum and command term that offers ``state_dict()`` and
``load_state_dict(state)``, where the robots are in their episodes, and what the managers remember of the steps before.

Without the last, the first iteration of a resumed run would differ from the others: all frames of an observation would
be the same one, the last action zero, the joints would be commanded to the default pose for a moment, commands would be
new, and sums over an episode would begin in its middle. Remembered are, of any task, the last actions, the histories of
the observations, when the next command and the next event are due, the commands' metrics, and what the episodes that
ended last have logged. A term of the task names what it remembers itself in ``remembers``: its attributes that hold a
tensor of shape ``[N, ...]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import torch

from himloco_rl.runners import EnvironmentState

ACTIONS = ("_raw_actions", "_processed_actions")
"""What Isaac Lab's action terms have."""


class IsaacLabState(EnvironmentState):
    """Saves and restores an environment with managers; ``environment_state`` of the runner's configuration names it.

    An environment that offers ``himloco_state_dict()`` and the like is left to do it itself, see the base class.
    """

    def state_dict(self, episodes: dict[str, Any] | None = None) -> dict[str, Any]:
        """State of curricula, commands and episodes; see the base class."""
        if self.keeps_itself:
            return super().state_dict(episodes)
        state: dict[str, Any] = {}
        if hasattr(self.base, "common_step_counter"):
            state["common_step_counter"] = int(self.base.common_step_counter)
        state["terms"] = {name: term.state_dict() for name, term in self._stateful_terms()}
        state["episodes"] = self.episodes() if episodes is None else episodes
        if state["episodes"]:  # what the managers remember belongs to where the robots are now
            state["memory"] = memory_state_dict(self.base) if episodes is None else {}
        return state

    def load_state_dict(self, state: dict[str, Any]) -> bool:
        """Restore a state; terms that are gone or new are left alone.

        Robots continue where they were if there are as many as there were; otherwise all of them start new episodes.
        """
        if "custom" in state:
            return super().load_state_dict(state)
        base, episodes = self.base, state.get("episodes") or {}
        continues = len(episodes.get("lengths", ())) == self.env.num_envs if episodes else False
        if "common_step_counter" in state and hasattr(base, "common_step_counter"):
            base.common_step_counter = state["common_step_counter"]
        with torch.inference_mode():  # as the runner steps it: tensors made there cannot be written to outside
            self._load_terms(state)
            if hasattr(base, "reset_to"):
                # On the levels just loaded; and once more the terms, for which this is the end of episodes that never
                # were (before it, episodes that never ran: what they earned must not move anybody to another level)
                base.episode_length_buf[:] = 0
                for sums in base.reward_manager._episode_sums.values():
                    sums.zero_()
                if continues:
                    self.load_episodes(episodes)
                else:
                    base.reset()
                self._load_terms(state)
                load_memory_state_dict(base, state.get("memory") if continues else None)
        return continues

    def note_episodes(self) -> None:
        """Copy as little as the state before a step can be put together from; see the base class."""
        if self.keeps_itself or not hasattr(self.base, "reset_to"):
            super().note_episodes()
            return
        sums = [*self.base.reward_manager._episode_sums.values()]
        self._noted = {
            "scene": self.base.scene.get_state(),
            "origins": self.base.scene.env_origins.clone(),
            "lengths": self.base.episode_length_buf.clone(),
            "reward_sums": torch.stack(sums) if sums else torch.empty(0),  # one copy instead of one for each term
        }

    def noted_episodes(self) -> dict[str, Any]:
        """Where the robots were, how long already, and what they had earned; see the base class.

        ``scene`` as Isaac Lab's ``get_state(is_relative=True)``, ``origins`` [N, 3], ``lengths`` [N] and
        ``reward_sums``, name -> [N]; nothing of an environment that cannot be reset to a state.
        """
        if self.keeps_itself or not self._noted:
            return super().noted_episodes()
        scene, origins = self._noted["scene"], self._noted["origins"]
        relative = {kind: {name: {**parts} for name, parts in entities.items()} for kind, entities in scene.items()}
        for kind in ("articulation", "rigid_object"):
            for parts in relative.get(kind, {}).values():
                pose = parts["root_pose"].clone()
                pose[:, :3] -= origins
                parts["root_pose"] = pose
        sums = dict(zip(self.base.reward_manager._episode_sums, self._noted["reward_sums"], strict=True))
        return {**self._noted, "scene": relative, "reward_sums": sums}

    def load_episodes(self, episodes: dict[str, Any], rows: torch.Tensor | None = None) -> None:
        """Put robots where :meth:`noted_episodes` saw them; see the base class."""
        if "custom" in episodes:
            super().load_episodes(episodes, rows)
            return
        base = self.base
        elsewhere = rows is not None and "origins" in episodes
        rows = torch.arange(base.num_envs) if rows is None else rows.cpu()
        ids = torch.arange(len(rows), device=base.device)
        scene = _select(episodes["scene"], rows, base.device)
        if elsewhere:  # on the ground where they were, and not where the first robots here are at home
            origins = _select(episodes["origins"], rows, base.device)
            for entity in (*scene["articulation"].values(), *scene["rigid_object"].values()):
                entity["root_pose"][:, :3] += origins
            base.reset_to(scene, ids, is_relative=False)
            base.scene.env_origins[ids] = origins
        else:
            base.reset_to(scene, ids, is_relative=True)
        for articulation in base.scene.articulations.values():
            # Isaac Lab asks the joints to keep the velocity they had, and no action on positions ever takes that back
            articulation.actuators.target_command.velocity.torch[ids] = 0.0
        base.episode_length_buf[ids] = episodes["lengths"].to(base.device)[rows]
        for name, sums in base.reward_manager._episode_sums.items():
            if name in episodes["reward_sums"]:
                sums[ids] = episodes["reward_sums"][name].to(base.device)[rows]

    def reset(self, ids: torch.Tensor) -> bool:
        """Start new episodes in some environments; see the base class."""
        if super().reset(ids):
            return True
        if not hasattr(self.base, "observation_manager"):
            return False
        self.base.reset(env_ids=ids)
        return True

    def _load_terms(self, state: dict[str, Any]) -> None:
        """Restore the curriculum and command terms that are here and in the state."""
        for name, term in self._stateful_terms():
            if name in state.get("terms", {}):
                term.load_state_dict(state["terms"][name])

    def _stateful_terms(self) -> Iterator[tuple[str, Any]]:
        """Curriculum and command terms that have a state, by name."""
        terms: dict[str, Any] = {}
        curriculum = getattr(self.base, "curriculum_manager", None)
        if curriculum is not None:
            for name, cfg in zip(curriculum.active_terms, getattr(curriculum, "_term_cfgs", ()), strict=False):
                terms[f"curriculum/{name}"] = cfg.func
        commands = getattr(self.base, "command_manager", None)
        if commands is not None:
            terms |= {f"command/{name}": commands.get_term(name) for name in commands.active_terms}
        for name, term in terms.items():
            if hasattr(term, "state_dict") and hasattr(term, "load_state_dict"):
                yield name, term


def _select(value: Any, rows: torch.Tensor, device: Any) -> Any:
    """Some rows of every tensor in nested dictionaries."""
    if isinstance(value, dict):
        return {name: _select(item, rows, device) for name, item in value.items()}
    return value.cpu()[rows].to(device)


# What the managers remember -------------------------------------------------------------------------------------------


def memory_state_dict(base: Any) -> dict[str, Any]:
    """What is remembered now, as copies."""
    log = getattr(base, "extras", {}).get("log", {})
    numbers = {
        name: float(value)
        for name, value in log.items()
        if isinstance(value, int | float) or (isinstance(value, torch.Tensor) and value.numel() == 1)
    }
    return {"tensors": {name: tensor.clone() for name, tensor in _remembered(base)}, "log": numbers}


def load_memory_state_dict(base: Any, state: Any) -> None:
    """Remember what :func:`memory_state_dict` returned of an environment with as many robots, and observe anew.

    What is gone, new, or of another shape is left as it is. An empty state, or anything else, only forgets what a reset
    has logged.
    """
    parts = [state.get(part) if isinstance(state, dict) else None for part in ("tensors", "log")]
    tensors, log = (part if isinstance(part, dict) else {} for part in parts)
    for name, tensor in _remembered(base):
        saved = tensors.get(name)
        if isinstance(saved, torch.Tensor) and saved.shape == tensor.shape and saved.dtype == tensor.dtype:
            tensor[:] = saved.to(tensor.device)
    base.extras["log"] = {name: value for name, value in log.items() if isinstance(value, float)}
    base.obs_buf = base.observation_manager.compute()


def _remembered(base: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and the tensors themselves, which are written to."""
    actions = base.action_manager
    yield "actions/last", actions._action
    yield "actions/before", actions._prev_action
    for name in actions.active_terms:
        term = actions.get_term(name)
        yield from _of_term(f"action/{name}", term, tuple(own for own in ACTIONS if hasattr(term, own)))
    for group, buffers in base.observation_manager._group_obs_term_history_buffer.items():
        for name, frames in buffers.items():
            if frames._buffer is None:
                continue
            yield f"frames/{group}/{name}", frames.buffer
            yield f"frames/{group}/{name}/number", frames._num_pushes
    for name in base.command_manager.active_terms:
        term = base.command_manager.get_term(name)
        yield from _of_term(f"command/{name}", term, ("time_left", "command_counter"))
        yield from ((f"command/{name}/{metric}", values) for metric, values in term.metrics.items())
    for name in base.reward_manager.active_terms:
        yield from _of_term(f"reward/{name}", base.reward_manager.get_term_cfg(name).func)
    names = base.event_manager.active_terms.get("interval", [])
    for name, time_left in zip(names, base.event_manager._interval_term_time_left, strict=False):
        yield f"event/{name}", time_left
        yield from _of_term(f"event/{name}", base.event_manager.get_term_cfg(name).func)


def _of_term(name: str, term: Any, known: tuple[str, ...] = ()) -> Iterator[tuple[str, torch.Tensor]]:
    """What a term has in these attributes and in those that it names."""
    for attribute in (*known, *getattr(term, "remembers", ())):
        yield f"{name}/{attribute}", attrgetter(attribute)(term)
