# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What README and docs/ name exists: keys of the command line, code, tests, files; and the site builds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from isaaclab_tasks.utils import resolve_task_config

from himloco_lab.setup.overrides import _children

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
TASKS = ("Himloco-G1-Flat-v0", "Himloco-G1-Rough-v0", "Himloco-G1-Sturdy-v0", "Himloco-Go2-Rough-v0")
GENERATED = ("dependencies.md", "log/ablations.md", "log/benchmarks.md")
"""Written by tools, from records of their day."""
PAGES = sorted(
    str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if str(page.relative_to(DOCS)) not in GENERATED
)
TOP = ("../README.md", "../CONTRIBUTING.md", "../CHANGELOG.md")
CODE_PAGES = ("algorithm.md", "architecture.md", "coming_from_himloco.md", "differences.md", "tasks.md")
"""Pages whose inline code names code of this repository."""
NOT_HERE = ("train.py", "g1_config.py", "aliengo_config.py", "benchmark.py", "isaaclab.sh", "my_run.csv", "my_run.png")
"""Files of HIMLoco, HomieRL and Isaac Lab, scripts without their folder, and what a command writes."""
PACKAGES = {
    "himloco_lab": REPOSITORY / "exts/himloco_lab/himloco_lab",
    "himloco_rl": REPOSITORY / "source/himloco_rl/himloco_rl",
    "mdp": REPOSITORY / "exts/himloco_lab/himloco_lab/tasks/velocity/mdp",
    "robots": REPOSITORY / "exts/himloco_lab/himloco_lab/robots",
    "terrains": REPOSITORY / "exts/himloco_lab/himloco_lab/terrains",
}
"""First part of a dotted name on a page -> its folder."""


def page(name: str) -> str:
    return (DOCS / name).read_text()


def code(name: str) -> list[str]:
    """What a page sets in code: inline, in indented and in fenced blocks."""
    text = page(name)
    fenced = [
        line
        for block in re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    return [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^    (.+)$", text, re.MULTILINE), *fenced]


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
        key
        for name in (*PAGES, *TOP)
        for text in code(name)
        for key in re.findall(r"(?<![/\w])(?:env|agent)\.[\w.]*\w", text)
    }
    # HIMLoco's configuration has a section env, too; `agent.pt` and the like are files
    found -= {"env.num_envs", "env.num_one_step_observations", "env.num_actions", "env.step", "env.yaml", "agent.yaml"}
    assert len(found) > 80
    missing = {key for key in found if not any(leads_somewhere(key, cfg) for cfg in configurations)}
    assert not missing


def test_every_test_is_there() -> None:
    source = "\n".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    tests, files = set(re.findall(r"def (test_\w+)", source)), {p.name for p in (REPOSITORY / "tests").rglob("*.py")}
    named = {
        test for name in (*PAGES, *TOP) for text in code(name) for test in re.findall(r"\btest_\w+(?:\.py)?", text)
    }
    assert len(named) > 40
    assert not {t for t in named - tests - files if not any(test.startswith(t) for test in tests if t.endswith("_"))}


def test_every_name_is_one_of_the_code() -> None:
    """Of functions, classes and settings; test names and files are looked at elsewhere."""
    sources = [path for folder in ("exts", "source") for path in (REPOSITORY / folder).rglob("*.py")]
    identifiers = {name for path in sources for name in re.findall(r"[A-Za-z_]\w*", path.read_text())}
    identifiers |= {path.parent.name for path in sources}
    named = {text for name in ("algorithm.md", "differences.md") for text in code(name)}
    names = {text for text in named if re.fullmatch(r"\.?[A-Za-z_][\w.]*", text)}
    names = {text for text in names if not re.search(r"test_|\.(py|md|urdf)$", text)}
    assert len(names) > 60
    assert not {name for name in names if name.split(".")[-1] not in identifiers}


def defines(folder: Path, name: str) -> bool:
    """Whether a file below *folder*, or itself, defines *name* or is called so."""
    if (folder / name).is_dir() or (folder / f"{name}.py").is_file():
        return True
    pattern = re.compile(rf"^(?:    )?(?:class|def) {name}\b|^{name}\b\s*[:=]|^    {name}\b\s*[:=]", re.MULTILINE)
    return any(pattern.search(path.read_text()) for path in folder.rglob("*.py"))


def test_every_dotted_name_is_in_its_package() -> None:
    """``himloco_rl.models.HIMActor``: the folder exists and something in it defines the name."""
    named = {
        text.removesuffix("()")
        for name in PAGES
        if not name.startswith(("log/", "changelog"))
        for text in code(name)
        if re.fullmatch(rf"(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z]\w*)+(?:\(\))?", text)
        if not text.endswith(".X")  # stands for any name
    }
    assert len(named) > 40
    missing = []
    for text in named:
        first, *parts = text.split(".")
        folder = PACKAGES[first]
        while parts and (folder / parts[0]).is_dir():
            folder /= parts.pop(0)
        if parts and not defines(folder, parts[0]):
            missing.append(text)
    assert not missing


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
    files = [f for f in files if not f.startswith((".", "logs/", "outputs/", "site/"))]
    named = {
        (name, path)
        for name in (*PAGES, "../README.md", "../CONTRIBUTING.md")
        if name != "add_a_robot.md"  # its robot's files are made by tests/lab/test_add_a_robot.py
        for text in code(name)
        for path in re.findall(r"(?<![\w<>*{/.-])[\w/]+\.(?:py|csv|svg|md|png|sh)\b", text)
    }
    named = {(name, path) for name, path in named if path not in (*NOT_HERE, "report.md", "report.png")}
    named = {(name, path) for name, path in named if not path.startswith(("tools/scaling", "bundle/", "scripts/"))}
    assert len(named) > 50
    missing = {(name, path) for name, path in named if not any(f"/{file}".endswith(f"/{path}") for file in files)}
    assert not missing


def test_every_script_is_there() -> None:
    named = {
        path
        for name in (*PAGES, *GENERATED, "../README.md", "../CONTRIBUTING.md")
        for path in re.findall(r"\b(?:scripts|tools)/\w+\.py\b", page(name))
    }
    assert len(named) > 12
    # log/scaling.md says that this one is not kept
    assert not {path for path in named - {"tools/scaling.py"} if not (REPOSITORY / path).is_file()}


@pytest.mark.parametrize("name", [*PAGES, *GENERATED, *TOP])
def test_every_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page(name)):
        assert target.startswith("https://") or (DOCS / name).parent.joinpath(target).exists(), target


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text().split()) <= 700


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=REPOSITORY,
        env=dict(os.environ, NO_MKDOCS_2_WARNING="1"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    reference = (tmp_path / "site/api/himloco_rl.html").read_text()
    for name in ("algorithms.HIMPPO", "models.HIMEstimator", "losses.swap_loss", "runners.HIMOnPolicyRunner"):
        assert f'id="himloco_rl.{name}"' in reference
    assert "terrain_scan" in (tmp_path / "site/api/tasks.html").read_text()
