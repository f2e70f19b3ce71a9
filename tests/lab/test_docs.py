# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What docs/ names is there: keys of the command line, tests, files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from isaaclab_tasks.utils import resolve_task_config

from himloco_lab.setup.overrides import _children

REPOSITORY = Path(__file__).parents[2]
REFERENCES_OWN = ("train.py", "g1_config.py", "aliengo_config.py")
TASKS = ("Himloco-G1-Flat-v0", "Himloco-G1-Rough-v0", "Himloco-G1-Sturdy-v0", "Himloco-Go2-Rough-v0")
PAGES = ("algorithm.md", "coming_from_himloco.md", "differences.md", "rewards.md", "training.md")
ABBREVIATIONS = {
    "lab/": "exts/himloco_lab/himloco_lab/",
    "loco/": "exts/himloco_lab/himloco_lab/tasks/velocity/",
    "mdp/": "exts/himloco_lab/himloco_lab/tasks/velocity/mdp/",
    "g1/": "exts/himloco_lab/himloco_lab/tasks/velocity/config/g1/",
    "quad/": "exts/himloco_lab/himloco_lab/tasks/velocity/config/quadruped/",
    "rl/": "source/himloco_rl/himloco_rl/",
}
"""As the pages say at their beginning; what begins with none of these is looked for by its end."""


def page(name: str) -> str:
    return (REPOSITORY / "docs" / name).read_text()


def code(name: str) -> list[str]:
    """What a page sets in code, inline and in indented blocks."""
    text = page(name)
    return [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^    (.+)$", text, re.MULTILINE)]


@pytest.fixture(scope="module")
def configurations() -> list[dict[str, Any]]:
    import himloco_lab.tasks  # noqa: F401

    pairs = [resolve_task_config(task, "rsl_rl_cfg_entry_point", overrides=["physics=ovphysx"]) for task in TASKS]
    return [{"env": env_cfg, "agent": agent_cfg} for env_cfg, agent_cfg in pairs]


def leads_somewhere(key: str, node: Any) -> bool:
    for part in key.split("."):
        children = _children(node)
        if part not in children:
            return False
        node = children[part]
    return True


def test_every_key_is_one(configurations: list[dict[str, Any]]) -> None:
    found = {
        key for name in PAGES for text in code(name) for key in re.findall(r"(?<![/\w])(?:env|agent)\.[\w.]*\w", text)
    }
    # the column "there" has a section env, too
    found -= {"env.num_envs", "env.num_one_step_observations", "env.num_actions"}
    assert len(found) > 80
    missing = {key for key in found if not any(leads_somewhere(key, cfg) for cfg in configurations)}
    assert not missing


def test_every_test_is_there() -> None:
    source = "\n".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    tests, files = set(re.findall(r"def (test_\w+)", source)), {p.name for p in (REPOSITORY / "tests").rglob("*.py")}
    named = {test for name in PAGES for text in code(name) for test in re.findall(r"\btest_\w+(?:\.py)?", text)}
    assert len(named) > 40
    assert not {t for t in named - tests - files if not any(test.startswith(t) for test in tests if t.endswith("_"))}


def test_every_name_is_one_of_the_code() -> None:
    """Of functions, classes and settings; test names and files are looked at below."""
    sources = [path for part in ("exts", "source") for path in (REPOSITORY / part).rglob("*.py")]
    identifiers = {name for path in sources for name in re.findall(r"[A-Za-z_]\w*", path.read_text())}
    named = {text for name in ("algorithm.md", "differences.md") for text in code(name)}
    names = {text for text in named if re.fullmatch(r"\.?[A-Za-z_][\w.]*", text)}
    names = {text for text in names if not re.search(r"test_|\.(py|md|urdf)$", text)}
    assert len(names) > 60
    assert not {name for name in names if name.split(".")[-1] not in identifiers}


def test_each_test_is_in_the_file_that_is_named_before_it() -> None:
    """In a table's cell: ```lab/test_env.py` `test_the_delay_acts``."""
    pairs = [
        (file, test)
        for name in ("algorithm.md", "differences.md")
        for file, test in re.findall(r"`((?:lab|rl|e2e)/test_\w+\.py)` `(test_\w+)`", page(name))
    ]
    assert len(pairs) > 20
    assert not [(f, t) for f, t in pairs if f"def {t}(" not in (REPOSITORY / "tests" / f).read_text()]


def test_every_file_is_there() -> None:
    files = [str(path.relative_to(REPOSITORY)) for path in REPOSITORY.rglob("*") if path.is_file()]
    files = [f for f in files if not f.startswith((".", "logs/", "outputs/"))]
    named = {
        (name, path)
        for name in PAGES
        for text in code(name)
        for path in re.findall(r"(?<![\w<>*{/.-])[\w/]+\.(?:py|csv|svg|md|png)\b", text)
    }
    # the references' own, and what the pages' readers name themselves
    named -= {(name, path) for name, path in named if path in REFERENCES_OWN or "scripts/" in path}
    assert len(named) > 60
    missing = {(name, path) for name, path in named if not any(f"/{f}".endswith(ends(path)) for f in files)}
    assert not missing


def ends(path: str) -> tuple[str, ...]:
    """What the whole path of a file that a page names may end with."""
    return f"/{path}", *(f"/{ABBREVIATIONS[s]}{path.removeprefix(s)}" for s in ABBREVIATIONS if path.startswith(s))


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page(name)):
        assert target.startswith("https://") or (REPOSITORY / "docs" / target).is_file(), target
