# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The two packages, their lock and the entry point by which Isaac Lab finds the tasks."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGES = {"himloco_lab": "exts/himloco_lab", "himloco_rl": "source/himloco_rl"}


@pytest.fixture(scope="module")
def lock(repository: Path) -> dict[str, tuple[Requirement, list[str]]]:
    """Return requirements.lock as name -> (requirement, hashes)."""
    text = re.sub(r"#.*", "", (repository / "requirements.lock").read_text()).replace("\\\n", " ")
    entries = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        requirement, *hashes = re.split(r"\s+--hash=", line)
        entries[canonicalize_name(Requirement(requirement).name)] = (Requirement(requirement), hashes)
    return entries


def project(repository: Path, folder: str) -> dict:
    """Return the [project] table of a folder's pyproject.toml."""
    return tomllib.loads((repository / folder / "pyproject.toml").read_text())["project"]


def _dependencies(project: dict) -> list[str]:
    """What a package needs in the environment of himloco.sh; a robot's (deploy) is another one."""
    extras = project.get("optional-dependencies", {})
    return [*project["dependencies"], *extras.get("train", []), *extras.get("sim", [])]


def test_every_locked_package_has_one_version_and_hashes(lock: dict[str, tuple[Requirement, list[str]]]) -> None:
    assert len(lock) > 100
    for name, (requirement, hashes) in lock.items():
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), name
        assert requirement.url is None, name
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), name


def test_the_lock_names_no_host_and_no_folder_of_a_machine(repository: Path) -> None:
    text = (repository / "requirements.lock").read_text()
    assert not re.findall(r"://|/tmp|/home|/root|/opt|--index|--extra-index|--find-links", text)


def test_the_lock_holds_what_is_asked_for(repository: Path, lock: dict[str, tuple[Requirement, list[str]]]) -> None:
    lines = (line.split("#")[0].strip() for line in (repository / "requirements.in").read_text().splitlines())
    asked = [Requirement(line) for line in lines if line]
    for folder in PACKAGES.values():
        asked += [Requirement(text) for text in _dependencies(project(repository, folder))]
    for requirement in asked:
        if requirement.name in PACKAGES:
            continue
        (version,) = lock[canonicalize_name(requirement.name)][0].specifier
        assert requirement.specifier.contains(version.version), requirement


@pytest.mark.skipif(not (Path(sys.prefix) / ".himloco/stamp").exists(), reason="not the environment of himloco.sh")
def test_the_environment_is_the_locked_one(lock: dict[str, tuple[Requirement, list[str]]]) -> None:
    wrong = {}
    for name, (requirement, _) in lock.items():
        if requirement.marker is None or requirement.marker.evaluate():
            installed = importlib.metadata.version(name)
            if not requirement.specifier.contains(installed):
                wrong[name] = installed
    assert wrong == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_one_version_everywhere(repository: Path, package: str) -> None:
    version = project(repository, PACKAGES[package])["version"]
    module = (repository / PACKAGES[package] / package / "__init__.py").read_text()
    assert f'__version__ = "{version}"' in module
    assert project(repository, PACKAGES["himloco_lab"])["version"] == version
    extension = tomllib.loads((repository / "exts/himloco_lab/config/extension.toml").read_text())
    assert extension["package"]["version"] == version
    assert f"himloco_rl=={version}" in project(repository, PACKAGES["himloco_lab"])["optional-dependencies"]["train"]


def test_installing_into_isaac_sim_leaves_its_torch_alone(repository: Path) -> None:
    projects = [project(repository, folder) for folder in PACKAGES.values()]
    asked = [Requirement(text) for one in projects for text in one["dependencies"]]
    asked += [Requirement(text) for one in projects for text in one.get("optional-dependencies", {}).get("train", [])]
    assert {"torch", "rsl-rl-lib"} <= {requirement.name for requirement in asked}
    for requirement in asked:
        assert requirement.name not in {"isaaclab", "isaacsim", "numpy", "torchvision"}
        assert requirement.name != "torch" or not requirement.specifier


def test_a_robot_needs_neither_torch_nor_meshes(repository: Path) -> None:
    told = project(repository, PACKAGES["himloco_lab"])
    needed = {Requirement(text).name for text in (*told["dependencies"], *told["optional-dependencies"]["deploy"])}
    assert needed == {"cyclonedds", "numpy", "onnxruntime", "pyyaml"}


def test_isaac_lab_finds_the_tasks_through_the_entry_point(repository: Path) -> None:
    declared = project(repository, PACKAGES["himloco_lab"])["entry-points"]["isaaclab.tasks"]
    # From the repository's root, `isaaclab list_envs` reads the root's table to know which tasks are this project's.
    assert project(repository, ".")["entry-points"]["isaaclab.tasks"] == declared
    installed = importlib.metadata.entry_points(group="isaaclab.tasks")
    assert {point.name: point.value for point in installed if point.value.startswith("himloco")} == declared


def test_registering_the_tasks_loads_no_simulator() -> None:
    program = (
        "import sys, gymnasium, himloco_lab.tasks\n"
        "print(*sorted(name for name in gymnasium.registry if name.startswith('Himloco-')))\n"
        "print(*sorted({'torch', 'pxr', 'omni', 'carb', 'isaacsim', 'warp', 'isaaclab.sim'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    tasks, simulators = done.stdout.split("\n")[:2]
    assert {"Himloco-G1-Flat-v0", "Himloco-G1-Rough-v0", "Himloco-G1-Rough-Perceptive-v0"} <= set(tasks.split())
    assert simulators == ""
