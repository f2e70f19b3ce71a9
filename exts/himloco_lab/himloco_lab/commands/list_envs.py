# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/list_envs.py``: the tasks of this repository, or all that are installed.

Isaac Lab's ``isaaclab list_envs`` lists them, too, but does not name the learners' configurations, takes no
``--keyword`` of other case, prints an empty table for an unknown one, and always loads torch.
"""

from __future__ import annotations

import contextlib
import io

from himloco_lab.errors import CliError, Parser, run_command, suggestion
from himloco_lab.setup.registry import himloco_tasks, installed_tasks


def main(argv: list[str] | None = None) -> int:
    """Print the table *argv* asks for and return the exit code."""
    return run_command(_list, argv)


def _list(argv: list[str]) -> None:
    parser = Parser(description="List tasks with their configurations and physics presets.")
    parser.add_argument("--keyword", default="", help="Show only tasks whose name contains this.")
    parser.add_argument("--all", action="store_true", help="Show Isaac Lab's tasks and other packages' too.")
    parser.add_argument(
        "--no_presets", action="store_true", help="Leave the physics presets out, which takes no simulator."
    )
    args = parser.parse_args(argv)
    specs = installed_tasks() if args.all else himloco_tasks()
    specs = [spec for spec in specs if not spec.kwargs.get("deprecated")]
    shown = [spec for spec in specs if args.keyword.lower() in spec.id.lower()]
    if not shown:
        raise CliError(
            f"--keyword {args.keyword}: no such task; {suggestion(args.keyword, [spec.id for spec in specs])}"
        )
    entries = ("env_cfg_entry_point", "rsl_rl_cfg_entry_point")
    rows = [[spec.id, *(str(spec.kwargs.get(key, "-")).rpartition(".")[2] for key in entries)] for spec in shown]
    if not args.no_presets:
        rows = [[*row, _physics_presets(row[0])] for row in rows]
    print(format_table(["task", "environment", "learner", "physics="][: len(rows[0])], rows))


def _physics_presets(task: str) -> str:
    from isaaclab_tasks.utils.preset_cli import enumerate_task_presets
    from isaaclab_tasks.utils.preset_target import PresetTarget

    with contextlib.redirect_stdout(io.StringIO()):  # Isaac Lab prints every class it instantiates
        found = enumerate_task_presets(task)
    return "?" if found is None else ", ".join(found[PresetTarget.PHYSICS]) or "-"


def format_table(columns: list[str], rows: list[list[str]]) -> str:
    """Return *rows* below *columns*, aligned with spaces so that a task's name can be copied from the first."""
    widths = [max(len(line[i]) for line in [columns, *rows]) for i in range(len(columns))]
    lines = [columns, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
