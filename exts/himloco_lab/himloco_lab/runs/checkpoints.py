# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Run folders, ``logs/rsl_rl/<experiment>/<time>_<run>`` as Isaac Lab lays them out, and the checkpoints in them."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from isaaclab_rl.entrypoints.common import CHECKPOINT_SELECTORS, RUN_MANIFEST_FILENAME, normalize_task_name
from isaaclab_rl.utils.wandb import is_wandb_checkpoint, resolve_wandb_checkpoint

from himloco_lab.errors import FAILURE, CliError, nearest

MODEL_PATTERN = r"model_.*\.pt"
"""Names under which the runner saves its checkpoints."""


def log_root(experiment: str) -> Path:
    """Return the folder of an experiment's runs, below the working directory as in Isaac Lab."""
    return (Path("logs") / "rsl_rl" / experiment).absolute()


class _PlainLoader(yaml.SafeLoader):
    """YAML without code; the tuples that Isaac Lab writes become lists."""


_PlainLoader.add_constructor("tag:yaml.org,2002:python/tuple", yaml.SafeLoader.construct_yaml_seq)

LEARNERS = "ablations.learners"
"""Module of the classes that ``tools/ablate.py`` compares, which is found with ``tools`` on the path."""
FORMER_LEARNERS = re.compile(r"\bhimloco_lab\.benchmarks\.ablations\.(history_actor|reference_ppo)(?=:)")
"""How runs of 2026-11 name the modules of these classes."""
TRUSTED = ("himloco_lab", "himloco_rl", "isaaclab_rl", "rsl_rl", LEARNERS)
"""Packages whose classes and functions a run's record may name: whatever it names is imported and called."""


def recorded_agent(checkpoint: Path) -> dict[str, Any]:
    """Return the learner's configuration that stands beside a checkpoint, or nothing if it stands alone.

    Raises:
        CliError: If the file is there and cannot be read, or names code of a package that is not :data:`TRUSTED`.
    """
    path = checkpoint.parent / "params" / "agent.yaml"
    try:
        recorded = yaml.load(FORMER_LEARNERS.sub(LEARNERS, path.read_text()), _PlainLoader)
    except FileNotFoundError:
        return {}
    except Exception as error:  # PyYAML lets whatever its constructors raise through
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CliError(f"cannot read {path} ({reason}); move it away to use the task's own", FAILURE) from None
    if not isinstance(recorded, dict):
        return {}
    for name in _code_in(recorded):
        module = name.partition(":")[0]
        if not any(f"{module}.".startswith(f"{package}.") for package in TRUSTED):
            trusted = ", ".join(TRUSTED)
            raise CliError(
                f"{path} names the code {name!r}, and a record may name that of {trusted} only; if you wrote it, move"
                " the file away and set it on the command line",
                FAILURE,
            )
        if module == LEARNERS and importlib.util.find_spec(module.partition(".")[0]) is None:
            raise CliError(f"{path} names the code {name!r}, which is found with PYTHONPATH=tools only", FAILURE)
    return recorded


def _code_in(record: dict[str, Any]) -> Iterator[str]:
    """Yield the classes and functions that *record* names by their modules."""
    left: list[Any] = [record]
    seen: set[int] = set()  # YAML's anchors make circles
    while left:
        node = left.pop()
        if id(node) in seen or not isinstance(node, (dict, list)):
            continue
        seen.add(id(node))
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            names_code = isinstance(value, str) and str(key).endswith(("class_name", "func"))
            if names_code and not value.isidentifier():
                yield value
            left.append(value)


def find_checkpoint(selector: str, root: Path, *, task: str, agent_entry: str) -> Path:
    """Return the checkpoint that ``--checkpoint`` names without ``--resume``.

    Args:
        selector: ``latest``, ``best``, a file (an exported policy, ``*.onnx``, unread), a run folder, or a Weights &
            Biases run.
        root: Folder of the experiment's runs.
        task: Task the run must have been made with, for ``latest`` and ``best``.
        agent_entry: Learner it must have been made with, likewise.

    Raises:
        CliError: If there is no such checkpoint, or the file is none. Of several that would do, the newest one that can
            be read is taken.
    """
    if selector in CHECKPOINT_SELECTORS:
        return _newest_of_all(_runs_of(root, task, agent_entry), f"--checkpoint {selector}: no run of {task}", root)
    if is_wandb_checkpoint(selector):
        return Path(resolve_wandb_checkpoint(selector))
    path = Path(selector).expanduser().absolute()
    if path.is_dir():
        models = models_in(path, MODEL_PATTERN)
        if not models:
            raise CliError(
                f"--checkpoint {selector}: no {MODEL_PATTERN} in this folder; name a run that has saved, or a file",
                FAILURE,
            )
        return newest_readable(models)
    if not path.exists():
        raise CliError(f"--checkpoint {selector}: no such file{_neighbours(path)}", FAILURE)
    if path.suffix != ".onnx":
        read(path)
    return path


def find_resumed_checkpoint(root: Path, load_run: str, checkpoint: str) -> Path:
    """Return the checkpoint that ``--resume [--load_run NAME] [--checkpoint NAME]`` names.

    Isaac Lab's ``get_checkpoint_path`` looks into the last run only, whether or not it has saved, and returns the
    newest file, readable or not.

    Args:
        root: Folder of the experiment's runs.
        load_run: Name or regular expression of the run; the last by name that matches and holds a checkpoint counts.
        checkpoint: File name, iteration, or regular expression; the last in natural order that matches counts.

    Raises:
        CliError: If there is no such run or checkpoint, or the file is none.
    """
    if load_run == "-1":  # legged_gym's names: -1 for the last, a number for an iteration
        load_run = ".*"
    if checkpoint == "-1":
        checkpoint = MODEL_PATTERN
    elif checkpoint.isdigit():
        checkpoint = rf"model_{checkpoint}\.pt"
    runs = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    matching = _matching("--load_run", load_run, runs)
    if not matching:
        known = nearest(load_run, (run.name for run in runs)) or [run.name for run in runs[-3:]]
        there = f"; there is {', '.join(known)}" if known else ""
        raise CliError(f"--resume: no run matches {load_run!r} in {root}{there}", FAILURE)
    for run in reversed(matching):
        models = models_in(run, checkpoint)
        if models:
            return newest_readable(models)
    names = [path.name for path in models_in(matching[-1], MODEL_PATTERN)]
    there = f"; it has {', '.join(names[-5:])}" if names else ", nor any other"
    raise CliError(f"--resume: no checkpoint matches {checkpoint!r} in {matching[-1]}{there}", FAILURE)


def models_in(folder: Path, pattern: str) -> list[Path]:
    """Return the files of *folder* whose names match *pattern*, in natural order (``model_9`` before ``model_10``)."""
    files = [path for path in folder.iterdir() if path.suffix == ".pt" and path.is_file()]
    return sorted(
        _matching("--checkpoint", pattern, files),
        key=lambda path: [(part.isdigit(), part.zfill(20)) for part in re.split(r"(\d+)", path.name)],
    )


def read(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds, on the CPU; nothing that it may want to run is run.

    Raises:
        CliError: If it is truncated or damaged, wants to run something, or is something else.
    """
    from himloco_rl.checkpoints import CheckpointError, read_checkpoint

    try:
        return read_checkpoint(path)
    except CheckpointError as error:
        raise CliError(str(error), FAILURE) from None


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what Isaac Lab's ``run.json`` says of a run; nothing if there is none that can be read."""
    try:
        manifest = json.loads((folder / RUN_MANIFEST_FILENAME).read_text())
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _runs_of(root: Path, task: str, agent_entry: str) -> list[Path]:
    """Return the folders of a task's and learner's runs by what their manifests say, the newest first."""
    wanted = {"library": "rsl_rl", "task": normalize_task_name(task)}
    found = []
    for folder in root.iterdir() if root.is_dir() else []:
        manifest = read_manifest(folder)
        metadata = manifest.get("metadata")
        if isinstance(metadata, dict) and metadata.get("agent") == agent_entry and wanted.items() <= manifest.items():
            found.append((str(manifest.get("created_at")), folder))
    return [folder for _, folder in sorted(found, reverse=True)]


def _newest_of_all(runs: list[Path], complaint: str, root: Path) -> Path:
    """Return the newest readable checkpoint of the newest run that has one, and say what was passed over.

    Isaac Lab's ``resolve_checkpoint_selector`` returns the newest file, readable or not.

    Raises:
        CliError: If no run has a checkpoint; about the newest if none can be read.
    """
    unreadable = None
    for models in filter(None, (models_in(run, MODEL_PATTERN) for run in runs)):
        try:
            readable = newest_readable(models)
        except CliError as error:
            unreadable = unreadable or error
            continue
        if unreadable:
            print(f"[WARNING] {unreadable}: taking an earlier run's, {readable}")
        return readable
    raise unreadable or CliError(f"{complaint} with a checkpoint in {root}; train one, or name a file", FAILURE)


def newest_readable(models: list[Path]) -> Path:
    """Return the last of *models*, the newest last, that can be read, and say which ones cannot.

    Raises:
        CliError: If none can; about the last.
    """
    if not models:
        raise CliError("no checkpoint was saved", FAILURE)
    complaints = []
    for path in reversed(models):
        try:
            read(path)
        except CliError as error:
            complaints.append(error)
            continue
        for complaint in complaints:
            print(f"[WARNING] {complaint}: taking {path.name} instead")
        return path
    raise complaints[0]


def _matching(flag: str, pattern: str, paths: list[Path]) -> list[Path]:
    """Return the path called *pattern*, or those whose names it matches from the beginning, as in Isaac Lab."""
    exact = [path for path in paths if path.name == pattern]
    try:
        return exact or [path for path in paths if re.match(pattern, path.name)]
    except re.error as error:
        raise CliError(f"{flag} {pattern}: neither a name nor a regular expression ({error})") from None


def _neighbours(path: Path) -> str:
    """Return what stands beside a missing *path*, in words."""
    if not path.parent.is_dir():
        return f", and no folder {path.parent}"
    close = nearest(path.name, (entry.name for entry in path.parent.iterdir()))
    return f"; beside it is {', '.join(close)}" if close else ""
