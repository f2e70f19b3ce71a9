# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The registered tasks, and the one that the user names."""

from __future__ import annotations

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from himloco_lab.errors import CliError, nearest


def himloco_tasks() -> list[EnvSpec]:
    """Return the tasks of this repository, sorted by name. Imports no simulator."""
    import himloco_lab.tasks  # noqa: F401

    return [spec for spec in _registered_tasks() if str(spec.kwargs["env_cfg_entry_point"]).startswith("himloco_lab.")]


def installed_tasks() -> list[EnvSpec]:
    """Return the tasks of this repository, of Isaac Lab and of other installed packages, sorted by name."""
    import isaaclab_tasks  # noqa: F401
    from isaaclab.cli import load_external_tasks

    load_external_tasks()
    return _registered_tasks()


def _registered_tasks() -> list[EnvSpec]:
    found = [spec for spec in gym.registry.values() if "env_cfg_entry_point" in spec.kwargs]
    return sorted(found, key=lambda spec: spec.id)


def find_task(name: str | None, agent_entry: str | None = None) -> EnvSpec:
    """Return the task called *name*, Isaac Lab's own and those of other packages included.

    A namespace before a colon is ignored, as in Isaac Lab. With an *agent_entry*, the task must register a learner's
    configuration under that key.

    Raises:
        CliError: If *name* is None or unknown, or the task has no such learner.
    """
    known = [spec.id for spec in himloco_tasks()]
    if not name:
        raise CliError(f"--task is missing: choose one of {', '.join(known)}")
    specs = {spec.id: spec for spec in installed_tasks()}
    spec = specs.get(name.split(":")[-1])
    if spec is None:
        close = nearest(name, known) or nearest(name, specs)
        hint = f"did you mean {' or '.join(close)}?" if close else f"this repository has {', '.join(known)}"
        raise CliError(f"unknown task {name!r}: {hint} (scripts/list_envs.py lists them)")
    if agent_entry is not None and agent_entry not in spec.kwargs:
        entries = [key for key in spec.kwargs if key.endswith("_cfg_entry_point") and key != "env_cfg_entry_point"]
        raise CliError(f"--agent {agent_entry}: {spec.id} registers {', '.join(entries) or 'no learner'}")
    return spec
