# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The configurations that ``key=value`` overrides make of a task's, checked.

Isaac Lab sets any name it is given to any value, which hides typing errors.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING
from types import SimpleNamespace
from typing import Any

from isaaclab.utils import validate
from isaaclab_tasks.utils import load_cfg_from_registry, resolve_task_config
from isaaclab_tasks.utils.hydra import _parse_val, collect_presets
from isaaclab_tasks.utils.preset_cli import enumerate_task_presets
from isaaclab_tasks.utils.preset_target import PresetTarget

from himloco_lab.errors import CliError, suggestion
from himloco_lab.setup.arguments import BOUNDS, check_folder_name

SELECTORS = tuple(target.value for target in PresetTarget)
"""The words that choose presets: ``physics``, ``renderer`` and ``presets``."""

_POSITIVE = (
    "env.scene.num_envs",
    "env.sim.dt",
    "env.decimation",
    "env.episode_length_s",
    "agent.max_iterations",
    "agent.num_steps_per_env",
    "agent.save_interval",
)
"""Keys whose value must be greater than zero for a run to make a single step."""


def resolve_configs(
    task: str, agent_entry: str | None, overrides: Sequence[str], play_mode: bool = False
) -> tuple[Any, Any]:
    """Return the environment's and the learner's configuration with *overrides* applied.

    These are ``physics=NAME``, ``renderer=NAME``, ``presets=NAME``, ``env.KEY=VALUE`` and ``agent.KEY=VALUE``. The
    learner's is None without an *agent_entry*; *play_mode* begins with the task's playing variant.

    Raises:
        CliError: If a preset or a key does not exist, or a value has the wrong type.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # Isaac Lab prints every class it instantiates
        if overrides:
            check_overrides(task, agent_entry, overrides)
        return resolve_task_config(task, agent_entry, play_mode=play_mode, overrides=overrides)


def check_configs(env_cfg: Any, agent_cfg: Any | None) -> None:
    """Refuse configurations, with overrides applied, that cannot run.

    Raises:
        CliError: If a value that must be positive is not, a folder's name is none, or Isaac Lab's own checks object.
    """
    root = SimpleNamespace(env=env_cfg, agent=agent_cfg)
    for key in _POSITIVE:
        value = functools.reduce(lambda node, name: getattr(node, name, None), key.split("."), root)
        if isinstance(value, (int, float)) and not value > 0:
            raise CliError(f"{key}={value}: must be greater than zero")
    if agent_cfg is not None:
        least, greatest = BOUNDS["seed"]
        if not least <= agent_cfg.seed <= greatest:
            raise CliError(f"agent.seed={agent_cfg.seed}: must be at least {least} and at most {greatest}")
        check_folder_name("agent.experiment_name", agent_cfg.experiment_name)
        check_folder_name("agent.run_name", agent_cfg.run_name)
    try:
        validate(env_cfg)
    except (TypeError, ValueError) as error:
        raise CliError(f"the environment's configuration is not complete: {error}") from None


def check_overrides(task: str, agent_entry: str | None, overrides: Sequence[str]) -> None:
    """Raise a :class:`CliError` for the first of *overrides* that does not fit *task*; see :func:`resolve_configs`."""
    choices: list[str] = []
    values: list[tuple[str, str]] = []
    presets = _presets_by_path(task, agent_entry)
    for token in overrides:
        key, _, text = token.partition("=")
        if key in SELECTORS:
            _check_selector(task, key, text)
            choices.append(token)
        elif key in presets and isinstance(_parse_val(text), str):
            if not _is_among(text, presets[key]):
                raise CliError(f"unknown preset {key}={text}: there is {', '.join(sorted(presets[key]))}")
            choices.append(token)
        elif key.startswith("env.") or (key.startswith("agent.") and agent_entry):
            values.append((key, text))
        else:
            sections = "env." + (" or agent." if agent_entry else "")
            raise CliError(f"unknown override {key!r}: keys begin with {sections}, or are {', '.join(SELECTORS)}")
    try:
        env_cfg, agent_cfg = resolve_task_config(task, agent_entry, overrides=choices)
    except ValueError as error:
        if not choices:
            raise
        raise CliError(str(error)) from None
    for key, text in values:
        _check_value(key, text, {"env": env_cfg, "agent": agent_cfg})


def _presets_by_path(task: str, agent_entry: str | None) -> dict[str, Mapping[str, Any]]:
    """Return the alternatives at every dotted path of the configurations that has any."""
    paths: dict[str, Mapping[str, Any]] = {}
    for section, entry in (("env", "env_cfg_entry_point"), ("agent", agent_entry)):
        if entry is not None:
            found = collect_presets(load_cfg_from_registry(task, entry))
            paths |= {f"{section}.{path}" if path else section: names for path, names in found.items()}
    return paths


def _check_selector(task: str, selector: str, text: str) -> None:
    """Refuse a preset that *task* does not have under *selector*."""
    target = PresetTarget(selector)
    found = enumerate_task_presets(task) or {}
    # presets=NAME reaches presets of every kind; physics= and renderer= only their own
    groups = [found.get(target, [])] if target is not PresetTarget.DOMAIN else list(found.values())
    known = sorted({name for group in groups for name in group})
    for name in filter(None, (part.strip() for part in text.split(","))):
        if not _is_among(name, known):
            raise CliError(f"unknown preset {selector}={name}: {task} has {', '.join(known) or 'none'}")
    if not text.strip(", "):
        raise CliError(f"{selector}= names no preset: {task} has {', '.join(known) or 'none'}")


def _is_among(name: str, presets: Iterable[str]) -> bool:
    return not {name, PresetTarget.all_legacy_aliases().get(name, name)}.isdisjoint(presets)


def _check_value(key: str, text: str, root: Mapping[str, Any]) -> None:
    """Refuse a *key* that leads nowhere in the configurations, or a *text* that means no value of the type there."""
    parts = key.split(".")
    node: Any = root
    for depth, part in enumerate(parts):
        children = _children(node)
        if part not in children:
            above = "".join(f"{name}." for name in parts[:depth])
            raise CliError(f"unknown key {key!r}: {suggestion(part, children, above)}")
        parent, node = node, children[part]
    expected = _expected(parent, parts[-1], node, _parse_val(text))
    if expected is not None:
        raise CliError(f"{key}={text}: must be {expected}, as {_shown(node)} is")


def _children(node: Any) -> dict[str, Any]:
    """Return what a dotted key can name below *node*."""
    if isinstance(node, Mapping):
        return dict(node)
    if isinstance(node, (str, int, float, Sequence)) or node is None or callable(node):
        return {}
    fields = dict.fromkeys(getattr(type(node), "__dataclass_fields__", {}))
    children = {name: getattr(node, name, None) for name in fields} | dict(vars(node))
    if isinstance(children.get("params"), Mapping) and callable(children.get("func")):
        # a term's parameter may be left to its function's default until somebody sets it
        given = dict(children["params"] or {})
        children["params"] = dict.fromkeys(_parameters(children["func"]), MISSING) | given
    return {name: value for name, value in children.items() if not name.startswith("_")}


def _parameters(func: Any) -> list[str]:
    """Return the names of a term function's parameters beyond the environment."""
    try:
        return list(inspect.signature(func.__call__ if inspect.isclass(func) else func).parameters)[1:]
    except (TypeError, ValueError):
        return []


def _expected(parent: Any, name: str, current: Any, value: Any) -> str | None:
    """Return in words what *value* should have been in place of *current*, or None when it fits."""
    annotation = _annotation(parent, name)
    if current is None or current is MISSING or annotation in ("Any", "object"):
        return None
    if value is None:
        optional = "None" in annotation or "Optional" in annotation or _is_section(current)
        return None if optional else "a value"
    if isinstance(current, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(current, (int, float)):
        return _number_problem(value, whole=annotation == "int")
    if isinstance(current, str) or callable(current):
        return None if isinstance(value, str) else "text"
    if isinstance(current, (list, tuple)):
        return _sequence_problem(current, value)
    if isinstance(current, Mapping):
        return None if isinstance(value, Mapping) else f"a section with the keys {', '.join(map(str, current))}"
    return f"null or one of its keys ({', '.join(_children(current))})" if _is_section(current) else None


def _annotation(parent: Any, name: str) -> str:
    """Return the type that *parent*'s class declares for *name*, as text; empty for a key of a dictionary."""
    field = getattr(type(parent), "__dataclass_fields__", {}).get(name)
    declared = getattr(field, "type", "")
    return declared.__name__ if isinstance(declared, type) else str(declared)


def _number_problem(value: Any, *, whole: bool) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return "a whole number" if whole else "a finite number"
    return "a whole number" if whole and not isinstance(value, int) else None


def _sequence_problem(current: Sequence[Any], value: Any) -> str | None:
    if not isinstance(value, (list, tuple)):
        return f"a list of {len(current)} values" if isinstance(current, tuple) else "a list"
    if isinstance(current, tuple) and len(value) != len(current):
        return f"a list of {len(current)} values"
    numeric = bool(current) and all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in current)
    if numeric and any(_number_problem(item, whole=False) for item in value):
        return "a list of numbers"
    return None


def _is_section(node: Any) -> bool:
    return hasattr(type(node), "__dataclass_fields__") or isinstance(node, Mapping)


def _shown(node: Any) -> str:
    return type(node).__name__ if _is_section(node) else repr(node)
