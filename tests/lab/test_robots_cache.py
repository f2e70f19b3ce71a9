# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The cache of built robots: one build for many processes, broken files noticed, changes seen."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from himloco_lab.robots import cache
from himloco_lab.robots.description import RobotDescription, UrdfSource
from himloco_lab.robots.g1 import G1_29DOF_DESCRIPTION, G1_DESCRIPTION
from himloco_lab.robots.urdf import load_model

BUILD_AND_COUNT = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from himloco_lab.robots.cache import build_once

    folder = Path(sys.argv[1])

    def build(path):
        (folder / f"build-{sys.argv[2]}").touch()
        path.write_bytes(b"half")
        time.sleep(0.5)
        path.write_bytes(b"whole")

    (folder / f"ready-{sys.argv[2]}").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    assert build_once(folder / "robot.usd", build).read_bytes() == b"whole"
""")


class Builder:
    """Writes a fixed content and counts how often it was asked."""

    def __init__(self, content: bytes = b"a robot") -> None:
        self.content, self.calls = content, 0

    def __call__(self, path: Path) -> None:
        self.calls += 1
        path.write_bytes(self.content)


def test_two_processes_at_once_build_once(tmp_path: Path) -> None:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    processes = [
        subprocess.Popen([sys.executable, "-c", BUILD_AND_COUNT, str(tmp_path), str(index)], env=environment)
        for index in range(2)
    ]
    while len(list(tmp_path.glob("ready-*"))) < 2:
        assert all(process.poll() is None for process in processes)
    (tmp_path / "go").touch()
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert len(list(tmp_path.glob("build-*"))) == 1
    assert cache.is_sound(tmp_path / "robot.usd")


def test_second_call_does_not_build(tmp_path: Path) -> None:
    builder = Builder()
    for _ in range(2):
        assert cache.build_once(tmp_path / "robot.usd", builder).read_bytes() == b"a robot"
    assert builder.calls == 1


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "no checksum", "binary checksum"])
def test_broken_file_is_built_again(tmp_path: Path, damage: str) -> None:
    builder, target = Builder(), tmp_path / "robot.usd"
    checksum = tmp_path / "robot.usd.sha256"
    cache.build_once(target, builder)
    if damage == "truncate":
        target.write_bytes(b"a ro")
    elif damage == "flip":
        target.write_bytes(b"A robot")
    elif damage == "empty":
        target.write_bytes(b"")
    elif damage == "no checksum":
        checksum.unlink()
    else:
        checksum.write_bytes(b"\xff\xfe")
    assert not cache.is_sound(target)
    assert cache.build_once(target, builder).read_bytes() == b"a robot"
    assert builder.calls == 2


def test_failed_build_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half a robot")
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        cache.build_once(tmp_path / "robot.usd", fail)
    assert not (tmp_path / "robot.usd").exists()
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def _hash(description: RobotDescription) -> str:
    return cache.input_hash(description, load_model(description))


def test_hash_follows_the_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = _hash(G1_DESCRIPTION)
    assert base == _hash(dataclasses.replace(G1_DESCRIPTION))
    changed = [
        _hash(G1_29DOF_DESCRIPTION),
        _hash(dataclasses.replace(G1_DESCRIPTION, default_joint_pos={})),
        _hash(dataclasses.replace(G1_DESCRIPTION, contacts=G1_DESCRIPTION.contacts[:-1])),
        _hash(_with_heavier_pelvis(tmp_path)),
    ]
    monkeypatch.setattr(cache, "BUILDER_VERSION", "another")
    changed.append(_hash(G1_DESCRIPTION))
    assert len({base, *changed}) == 6


def _with_heavier_pelvis(folder: Path) -> RobotDescription:
    source = G1_DESCRIPTION.urdf.locate()
    text = source.read_text().replace("package://example-robot-data/robots/g1_description", str(source.parents[1]))
    (folder / "g1.urdf").write_text(text.replace('mass value="3.813"', 'mass value="3.9"'))
    return dataclasses.replace(G1_DESCRIPTION, urdf=UrdfSource(str(folder / "g1.urdf")))


def test_folder_is_the_one_asked_for_or_a_writable_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIMLOCO_CACHE_DIR", str(tmp_path / "mine"))
    assert cache.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("HIMLOCO_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_folder() == tmp_path / "xdg" / "himloco_lab" / "robots"
    # a file where the folder should be is as unwritable as a read-only disk, and root cannot write through it either
    (tmp_path / "file").touch()
    monkeypatch.setenv("HIMLOCO_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    assert cache.cache_folder().parent == tmp_path / "tmp"
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    with pytest.raises(PermissionError, match="HIMLOCO_CACHE_DIR"):
        cache.cache_folder()
