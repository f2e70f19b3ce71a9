# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""tools/house.py: this repository keeps to the contract, and what does not is named."""

from __future__ import annotations

from pathlib import Path

import house
import pytest


def problems_of(root: Path, **files: str) -> list[str]:
    """What is found in a repository of these files, written ``himloco_lab__robots__urdf``."""
    for folder in house.FOLDERS.values():
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        package, *parts = name.split("__")
        path = root / house.FOLDERS[package] / f"{'/'.join(parts)}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    modules = house.read_modules(root)
    return house.check(modules, house.read_imports(modules, root))


def test_imports_run_one_way(repository: Path) -> None:
    modules = house.read_modules(repository)
    assert house.check(modules, house.read_imports(modules, repository)) == []


@pytest.mark.parametrize(
    ("module", "text", "problem"),
    [
        ("himloco_lab__robots__urdf", "from himloco_lab.commands import train", "himloco_lab.robots imports"),
        ("himloco_lab__robots__urdf", "from ..commands.train import main", "himloco_lab.robots imports"),
        ("himloco_lab__robots__urdf", "def f():\n    import himloco_lab.commands.train", "himloco_lab.robots imports"),
        ("himloco_lab__robots__urdf", "from benchmarks.report import render", "himloco_lab.robots imports tools"),
        ("scripts__train", "import plot_run", "scripts imports tools, which stands above it"),
        ("himloco_rl__models__actor", "def f():\n    import isaaclab.sim", "the learner knows no simulator"),
        ("himloco_rl__models__actor", "import himloco_lab", "the learner knows no simulator"),
        ("himloco_lab__tasks__g1__env_cfg", "try:\n    from pxr import Usd\nfinally:\n    pass", "before Kit starts"),
        ("himloco_lab__deployment__policy", "import torch", "deployment runs without them"),
    ],
)
def test_an_import_against_the_contract_is_named(tmp_path: Path, module: str, text: str, problem: str) -> None:
    others = {"himloco_lab__commands__train": "", "tools__benchmarks__report": "", "tools__plot_run": ""}
    (found,) = problems_of(tmp_path, **others, **{module: text})
    place = f"{module.split('__')[-1]}.py:{2 if text.startswith(('def', 'try')) else 1}: "
    assert place in found and problem in found


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("himloco_lab__commands__play", "from himloco_lab.robots import urdf"),
        ("himloco_lab__tasks__g1__env_cfg", "def f():\n    from pxr import Usd"),
        ("himloco_lab__deployment__policy", "if TYPE_CHECKING:\n    import torch"),
        ("tools__benchmark", "from benchmarks.report import render\nimport himloco_lab.commands.train"),
    ],
)
def test_what_keeps_to_it_is_not(tmp_path: Path, module: str, text: str) -> None:
    others = {"himloco_lab__robots__urdf": "", "himloco_lab__commands__train": "", "tools__benchmarks__report": ""}
    assert problems_of(tmp_path, **others, **{module: text}) == []


def test_a_circle_of_rooms_is_named(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        himloco_lab__runs__a="from himloco_lab.setup import b",
        himloco_lab__setup__b="from himloco_lab.playing import c",
        himloco_lab__playing__c="def f():\n    from himloco_lab.runs.a import x",
    )
    rooms = "himloco_lab.playing → himloco_lab.runs → himloco_lab.setup → himloco_lab.playing"
    assert found == [f"a circle of rooms: {rooms}"]


def test_files_and_lines_are_counted(tmp_path: Path) -> None:
    problems_of(tmp_path, himloco_lab__runs__a="1\n2\n", himloco_lab__runs__b="1\n", tools__x="1\n")
    table = house.table(house.read_modules(tmp_path))
    assert "| himloco_lab.runs | 2 | 3 |" in table and "| product (without tools) | 2 | 3 |" in table
