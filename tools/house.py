# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/house.py [ROOT]``: checks that imports run one way, and prints lines and files by room.

A room is a folder, or a module, of one of the packages. The tables below say which rooms stand above which, and which
packages a room does not import. Exit code 1 where an import does not keep to them.
"""

from __future__ import annotations

import ast
import fnmatch
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from workspace import ROOT, markdown_table

# --- the contract ---

FOLDERS = {
    "tools": "tools",
    "scripts": "scripts",
    "himloco_lab": "exts/himloco_lab/himloco_lab",
    "himloco_rl": "source/himloco_rl/himloco_rl",
}
"""Where the modules of the repository are: what their names begin with -> folder."""
LAYERS = (
    ("tools",),
    ("scripts",),
    ("himloco_lab.commands",),
    ("himloco_lab.playing", "himloco_lab.evaluation", "himloco_lab.exporting", "himloco_lab.runs", "himloco_lab.setup"),
    ("himloco_lab.tasks", "himloco_lab.terrains", "himloco_lab.robots", "himloco_lab.deployment", "himloco_lab*"),
    ("himloco_rl*",),
)
"""From the top down. A room imports rooms of its own layer and of those below it, in no circle."""
SIMULATORS = ("isaaclab*", "isaacsim", "pxr", "omni", "carb", "ovphysx", "newton", "warp", "mujoco", "himloco_lab")
FORBIDDEN = (
    ("himloco_rl*", SIMULATORS, "the learner knows no simulator"),
    ("himloco_lab.tasks*cfg", ("pxr", "omni", "carb", "isaacsim"), "configurations are read before Kit starts"),
    ("himloco_lab.deployment.*", ("torch", "isaaclab*", "rsl_rl", "himloco_rl"), "deployment runs without them"),
)
"""Modules, what they do not import when they are loaded (the learner: at no time), and why."""
LAZY_TOO = ("himloco_rl*",)
"""Modules whose imports inside functions count as well."""


# --- the check ---


@dataclass(frozen=True)
class Import:
    """One module that another one imports."""

    importer: str
    imported: str
    place: str
    """``file:line``."""
    at_load: bool
    """Whether it happens when the importer is loaded, not inside a function."""


def read_modules(root: Path) -> dict[str, Path]:
    """Full name -> file of all modules of the repository at *root*, such as ``tools.benchmarks.report``."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted((root / folder).rglob("*.py")):
            parts = (package, *path.relative_to(root / folder).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def read_imports(modules: dict[str, Path], root: Path) -> list[Import]:
    """All imports of *modules*, those for type checkers only left out."""
    # what stands in scripts and tools is imported without the folder's name
    short = {name.partition(".")[2]: name for name in modules if name.startswith(("scripts.", "tools."))}
    imports = []
    for importer, path in modules.items():
        package = importer if path.name == "__init__.py" else importer.rpartition(".")[0]
        for node, at_load in _import_nodes(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                base = ".".join([*above, *filter(None, [node.module])])
                # of a package: its module of that name, or what it holds itself
                names = [name if (name := f"{base}.{alias.name}") in modules else base for alias in node.names]
            place = f"{path.relative_to(root)}:{node.lineno}"
            imports += [Import(importer, short.get(name, name), place, at_load) for name in names]
    return imports


def _import_nodes(node: ast.AST, at_load: bool = True) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_load
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        else:
            yield from _import_nodes(child, at_load and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def room_of(module: str) -> str:
    """The room that a module is in: the package's folder or module, all of ``scripts`` or all of ``tools``."""
    parts = module.split(".")
    return parts[0] if parts[0] in ("scripts", "tools") else ".".join(parts[:2])


def check(modules: dict[str, Path], imports: list[Import]) -> list[str]:
    """What does not keep to the contract, a line each."""
    problems, doors = [], defaultdict(set)
    for one in imports:
        for pattern, packages, reason in FORBIDDEN:
            counts = one.at_load or _fits(one.importer, LAZY_TOO)
            if counts and _fits(one.importer, (pattern,)) and _fits(one.imported.partition(".")[0], packages):
                problems.append(f"{one.place}: {one.importer} imports {one.imported}: {reason}")
        room, other = room_of(one.importer), room_of(one.imported)
        if one.imported not in modules or room == other:
            continue
        doors[room].add(other)
        if _layer(other) < _layer(room):
            problems.append(f"{one.place}: {room} imports {other}, which stands above it")
    if circle := circle_of(doors):
        problems.append(f"a circle of rooms: {' → '.join(circle)}")
    return list(dict.fromkeys(problems))


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _layer(room: str) -> int:
    return next(number for number, patterns in enumerate(LAYERS) if _fits(room, patterns))


def circle_of(doors: Mapping[str, Iterable[str]]) -> list[str]:
    """A circle in a graph, room -> rooms that it imports, from its first name to that name again; empty for none."""
    try:
        TopologicalSorter(doors).prepare()
    except CycleError as error:
        circle = error.args[1][:0:-1]  # it is told from the imported to the importing, and ends as it begins
        first = circle.index(min(circle))
        return [*circle[first:], *circle[: first + 1]]
    return []


# --- the table ---


def table(modules: dict[str, Path]) -> str:
    """Files and lines by room, as Markdown; scripts and packages are summed up as the product."""
    sizes: dict[str, list[int]] = defaultdict(list)
    for name, path in modules.items():
        sizes[room_of(name)].append(len(path.read_text().splitlines()))
    rows = [[room, str(len(lines)), f"{sum(lines):,}"] for room, lines in sorted(sizes.items())]
    product = [lines for room, all_lines in sizes.items() if room != "tools" for lines in all_lines]
    rows.append(["product (without tools)", str(len(product)), f"{sum(product):,}"])
    return markdown_table(["room", "files", "lines"], rows)


def main(argv: list[str]) -> int:
    """Check and print the repository that *argv* names, by default this one; return the exit code."""
    root = Path(argv[0] if argv else ROOT).resolve()
    modules = read_modules(root)
    print(table(modules))
    problems = check(modules, read_imports(modules, root))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(modules)} modules, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
