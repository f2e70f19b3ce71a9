# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whatever is typed or lies in a file: it is understood, or refused in one line. Nothing else, and nothing is built.

2,500 cases with those of test_file_properties.py; HIMLOCO_CASES=10 makes ten times as many.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import functools
import io
import math
import os
import string
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from properties import cases, complaint_of, numbers, values, words

from himloco_lab.commands.train import Plan, plan_run
from himloco_lab.setup import arguments, overrides

TASK, AGENT = "Himloco-G1-Flat-v0", "rsl_rl_cfg_entry_point"
PARSERS: dict[str, Callable[[], arguments.Parser]] = {
    "train": arguments.train_parser,
    "play": arguments.play_parser,
    "evaluate": arguments.evaluate_parser,
    "export": arguments.export_parser,
    "agent": lambda: arguments.agent_parser("zero"),
}


@functools.cache
def parser_of(name: str) -> arguments.Parser:
    return PARSERS[name]()


@functools.cache
def flags_of(name: str) -> tuple[str, ...]:
    return tuple(flag for action in parser_of(name)._actions for flag in action.option_strings if flag != "--help")


@st.composite
def command_lines(draw: st.DrawFn, name: str) -> list[str]:
    """Flags of a command with and without values, misspelt ones, overrides, and what a cat types."""
    argv: list[str] = []
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.integers(0, 5))
        if kind <= 2:
            argv.append(draw(st.sampled_from(flags_of(name))))
            argv.extend(draw(st.lists(values, max_size=2)))
        elif kind == 3:
            flag = draw(st.sampled_from(flags_of(name)))
            argv.append(f"{flag}={draw(values)}")
        elif kind == 4:
            argv.append(draw(st.sampled_from(["env.", "agent.", "~", "+", "physics=", "--", "-", "="])) + draw(values))
        else:
            argv.append(draw(values))
    return argv


@pytest.mark.parametrize("name", PARSERS)
@cases(160)
@given(data=st.data())
def test_any_command_line_is_parsed_or_refused(name: str, data: st.DataObject) -> None:
    argv = data.draw(command_lines(name))
    parsed: list[tuple[argparse.Namespace, list[str]]] = []
    complaint_of(lambda: parsed.append(arguments.parse(parser_of(name), argv)))
    for args, rest in parsed:
        for flag, (least, greatest) in arguments.BOUNDS.items():
            value = getattr(args, flag, None)
            assert value is None or least <= value <= greatest, flag
        for flag in ("experiment_name", "run_name"):
            folder = getattr(args, flag, None)
            assert not folder or Path("logs", folder).name == folder, "a run's folder outside the logs"
        floats = [
            number for number in vars(args).values() for number in (number if isinstance(number, list) else [number])
        ]
        assert all(math.isfinite(number) for number in floats if isinstance(number, float))
        assert all("=" in token and not token.startswith(("-", "~")) for token in rest)


@pytest.mark.parametrize(
    ("name", "flag", "least", "greatest"),
    [
        ("train", "num_envs", 1, 2**31 - 1),
        ("train", "seed", -1, 2**32 - 1),
        ("play", "port", 1, 65535),
        ("evaluate", "runs", 1, 100000),
    ],
)
@cases(50)
@given(number=st.one_of(st.integers(-10, 10), st.integers(-(2**40), 2**40)))
@example(number=2**31 - 1)
@example(number=2**31)
@example(number=2**32)
@example(number=65536)
def test_a_whole_number_is_taken_exactly_within_its_bounds(
    name: str, flag: str, least: int, greatest: int, number: int
) -> None:
    complaint = complaint_of(lambda: arguments.parse(parser_of(name), [f"--{flag}={number}"]))
    assert (complaint is None) == (least <= number <= greatest)
    assert complaint is None or (flag in complaint and str(number) in complaint)


# --- overrides ---


def plain(node: Any) -> Any:
    """A configuration as dictionaries, by Isaac Lab's own conversion."""
    from isaaclab.utils import to_dict

    return to_dict(node)


def paths_of(tree: Mapping[str, Any], above: str) -> list[str]:
    """Every dotted key of a tree."""
    found = []
    for key, value in tree.items():
        if isinstance(key, str) and "." not in key and not key.startswith("_"):
            found.append(f"{above}.{key}")
            if isinstance(value, Mapping):
                found += paths_of(value, f"{above}.{key}")
    return found


@pytest.fixture(scope="module")
def resolved() -> tuple[Any, Any]:
    """The configurations of the Flat task."""
    import himloco_lab.tasks  # noqa: F401

    with contextlib.redirect_stdout(io.StringIO()):
        return overrides.resolve_task_config(TASK, AGENT, overrides=[])


@pytest.fixture(scope="module")
def trees(resolved: tuple[Any, Any]) -> dict[str, Any]:
    """The same as dictionaries."""
    return {"env": plain(resolved[0]), "agent": plain(resolved[1])}


@pytest.fixture
def quick() -> Iterator[None]:
    """What an override is compared with is loaded once a test instead of once a case."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_presets_by_path", "enumerate_task_presets"):
            patch.setattr(overrides, name, functools.cache(getattr(overrides, name)))
        load = overrides.resolve_task_config
        loaded: dict[tuple[str, ...], tuple[Any, Any]] = {}

        def once(task: str, agent: str | None, overrides: Sequence[str]) -> tuple[Any, Any]:
            key = (task, agent or "", *overrides)
            if key not in loaded:
                loaded[key] = load(task, agent, overrides=overrides)
            return loaded[key]

        patch.setattr(overrides, "resolve_task_config", once)
        yield


def meaning_of(text: str) -> Any:
    """What Isaac Lab's documents say that a value means."""
    words_for = {"true": True, "false": False, "null": None, "none": None}
    if text.lower() in words_for:
        return words_for[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


literals = st.one_of(
    numbers,
    words,
    st.sampled_from(["true", "false", "null", "None", "[]", "{}", "[1, 2]", "(1.0, 2.0)", "{'a': 1}", "1e999", "'x'"]),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(string.printable, max_size=5)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
        max_leaves=4,
    ).map(repr),
)


@cases(700)
@given(data=st.data())
def test_any_override_is_checked_or_refused(quick: None, trees: dict[str, Any], data: st.DataObject) -> None:
    keys = [path for section, tree in trees.items() for path in paths_of(tree, section)]
    key = data.draw(st.sampled_from(keys))
    if data.draw(st.integers(0, 3)) == 0:  # misspell it
        place = data.draw(st.integers(0, len(key) - 1))
        key = key[:place] + data.draw(st.text(string.ascii_letters + "._-[]", max_size=2)) + key[place + 1 :]
    text = data.draw(literals)
    complaint = complaint_of(lambda: overrides.check_overrides(TASK, AGENT, [f"{key}={text}"]))
    if complaint is not None:
        assert key in complaint
    elif key in keys:
        node: Any = trees
        for part in key.split("."):
            node = node[part]
        value = meaning_of(text)
        if isinstance(node, bool):
            assert isinstance(value, bool)
        elif isinstance(node, (int, float)) and value is not None:  # null is for those who ask for it
            assert isinstance(value, (int, float)) and not isinstance(value, bool)
            assert math.isfinite(value)


@cases(300)
@given(
    selector=st.sampled_from(["physics", "renderer", "presets", "env.sim.physics"]),
    text=values | st.sampled_from(["ovphysx", "newton_mjwarp"]),
)
def test_any_preset_exists_or_is_refused(quick: None, selector: str, text: str) -> None:
    complaint = complaint_of(lambda: overrides.check_overrides(TASK, AGENT, [f"{selector}={text}"]))
    known = {"ovphysx", "physx", "newton_mjwarp", "isaacsim_physx"}
    if complaint is None and selector == "physics":
        assert {part.strip() for part in text.split(",") if part.strip()} <= known


@cases(5)
@given(data=st.data())
def test_a_plan_is_what_was_asked_for(tmp_path: Path, data: st.DataObject) -> None:
    wanted = {
        "num_envs": data.draw(st.integers(1, 4096)),
        "seed": data.draw(st.integers(0, 2**32 - 1)),
        "max_iterations": data.draw(st.integers(1, 2**31 - 1)),
    }
    decimation = data.draw(st.integers(-2, 20))
    argv = ["--task", TASK, "--device", "cpu", "--nproc_per_node", "1", f"env.decimation={decimation}"]
    argv += [part for name, value in wanted.items() for part in (f"--{name}", str(value))]
    plans: list[Plan] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py"])
        patch.chdir(tmp_path)
        complaint = complaint_of(lambda: plans.append(plan_run(argv)))
    assert (complaint is None) == (decimation > 0)
    for plan in plans:
        assert plan.env_cfg.decimation == decimation
        assert plan.env_cfg.scene.num_envs == wanted["num_envs"]
        assert plan.agent_cfg.seed == plan.env_cfg.seed == wanted["seed"]
        assert plan.agent_cfg.max_iterations == wanted["max_iterations"]
    assert not os.listdir(tmp_path)
