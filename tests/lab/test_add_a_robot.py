# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""docs/add_a_robot.md, followed to the letter in a copy of the extension; and who may name a robot."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FILE = re.compile(r"^`(exts/[^`\n]+)`\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHECK = """
import importlib, json, sys
import gymnasium, himloco_lab, himloco_lab.tasks
from himloco_lab.commands.sim2sim import main
found = {}
for name in ("Himloco-Laikago-Rough-v0", "Himloco-Laikago-Flat-v0"):
    entries = gymnasium.registry[name].kwargs
    for key in ("env_cfg_entry_point", "rsl_rl_cfg_entry_point"):
        module, cls = entries[key].split(":")
        found[f"{name} {key[:3]}"] = getattr(importlib.import_module(module), cls)()
rough, flat = (found[f"Himloco-Laikago-{kind}-v0 env"] for kind in ("Rough", "Flat"))
robot = rough.scene.robot
print(json.dumps({
    "package": himloco_lab.__file__,
    "joints": list(robot.init_state.joint_pos),
    "height": robot.init_state.pos[2],
    "scale": rough.actions.joint_pos.scale,
    "efforts": list(robot.actuators["explicit"].actuator_effort_limit.values()),
    "flat scan": flat.observations.critic.height_scan is None,
    "trunk": rough.terminations.base_contact.params["sensor_cfg"].body_names,
    "runs": [found[f"Himloco-Laikago-{kind}-v0 rsl"].experiment_name for kind in ("Rough", "Flat")],
}))
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def page() -> str:
    return (Path(__file__).parents[2] / "docs" / "add_a_robot.md").read_text()


def test_the_pages_robot_is_added_by_its_three_files(page: str, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    files = dict(FILE.findall(page))
    assert len(files) == 3
    shutil.copytree(root / "exts", tmp_path / "exts", ignore=shutil.ignore_patterns("__pycache__", "policies"))
    before = {path for path in (tmp_path / "exts").rglob("*") if path.is_file()}
    for name, content in files.items():
        path = tmp_path / name
        assert path not in before, "a step changes a file that is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (look,) = re.findall(r"^\./himloco\.sh -p scripts/sim2sim\.py (.*)$", page, re.MULTILINE)
    result = tmp_path / "found.json"
    flags = [*shlex.split(look), "--duration", "1", "--json", str(result)]
    places = [str(tmp_path / "exts" / "himloco_lab"), str(root / "source" / "himloco_rl"), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", CHECK, *flags],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(places)),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    found = json.loads(next(line for line in lines if line.startswith('{"package"')))
    assert found["package"].startswith(str(tmp_path))
    assert found["joints"][:4] == ["FL_hip_joint", "FL_thigh_joint", "FL_calf_joint", "FR_hip_joint"]
    # 0.25 (cos 0.8 + cos 0.7) + 0.0265 of foot and 5 mm of clearance
    assert found["height"] == pytest.approx(0.25 * (0.69671 + 0.76484) + 0.0265 + 0.005, abs=1e-4)
    assert found["scale"] == 0.5
    assert found["efforts"] == [20.0, 55.0, 55.0] * 4
    assert found["flat scan"]
    assert found["trunk"] == "trunk"
    assert found["runs"] == ["himloco_laikago_rough", "himloco_laikago_flat"]
    assert json.loads(result.read_text())["survival_time"] == 1.0


def test_no_robot_is_named_outside_its_folders() -> None:
    """A robot's files carry its name; no other file of packages, scripts and jobs knows it, another robot's neither.

    Two say what there is: the quadrupeds' configurations of a few lines each, and the robot that commands take where
    none is named. The protocol of Unitree's motors is of two robots by its nature. What containers and clusters run
    where nobody says otherwise is a user's setting: the name of a task, of its runs.
    """
    root = Path(__file__).parents[2]
    package = root / "exts" / "himloco_lab" / "himloco_lab"
    configs = package / "tasks" / "velocity" / "config"
    robots = sorted(path.parent.name for path in configs.glob("*/__init__.py") if path.parent.name != "quadruped")
    assert {"a1", "aliengo", "g1", "go1", "go2"} <= set(robots)
    assert all((package / "robots" / f"{robot}.py").is_file() for robot in robots)
    listing = {package / "robots" / "__init__.py", configs / "quadruped" / "robots_cfg.py"}
    listing |= {*(package / "deployment" / "robot").glob("*.py"), root / "scripts" / "robot_sim.py"}
    listing |= {package / "commands" / name for name in ("deploy.py", "robot_sim.py")}
    whole = re.compile(rf"(?<![a-z0-9])({'|'.join(robots)})(?![a-z0-9])", re.IGNORECASE)
    in_a_name = re.compile(rf"({'|'.join(robot.capitalize() for robot in robots)})(?=[A-Z_])")
    setting = re.compile(r"Himloco-\w+-(Rough|Flat)-v0|himloco_[a-z0-9]+_(rough|flat)(?![a-z])")
    culprits, looked = [], 0
    for folder in ("exts", "source", "scripts", "docker", "himloco.sh"):
        place = root / folder
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if not path.is_file() or path.suffix in (".pyc", ".onnx", ".md") or "egg-info" in str(path):
                continue  # the change log is a record
            if path in listing:
                continue
            name = str(path.relative_to(root))
            own = set(re.split(r"[/_.]", name.lower()))
            looked += 1
            for number, line in enumerate(path.read_text().splitlines(), 1):
                text = setting.sub("", line) if folder == "docker" else line
                found = {match[1].lower() for look in (whole, in_a_name) for match in look.finditer(text)}
                if found - own:
                    culprits.append(f"{name}:{number}: {line.strip()}")
    assert looked > 100
    assert not culprits, "\n".join(culprits)
