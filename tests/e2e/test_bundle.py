# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A bundle of a small repository, made here and installed where there is no network."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import bundle
import pytest

from himloco_lab.errors import CliError

MODULES = "torch warp isaaclab.envs isaaclab_rl.rsl_rl isaaclab_tasks newton rsl_rl.runners tensorboard".split()
"""What himloco.sh tries after an installation; here empty modules of one small package."""


def write_wheel(folder: Path, name: str, version: str, files: dict[str, bytes], tag: str = "py3-none-any") -> Path:
    """Write a wheel by hand."""
    info = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-{tag}.whl"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        **files,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in files.items():
            entry = zipfile.ZipInfo(file)
            entry.external_attr = (0o100755 if "/scripts/" in file else 0o100644) << 16
            archive.writestr(entry, content)
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"]))
    return path


def installed_wheel(folder: Path, name: str) -> Path:
    """Make a wheel again of a package that is installed here."""
    package = importlib.metadata.distribution(name)
    files, info = {}, f"{name}-{package.version}"
    for entry in package.files or []:
        path = str(entry)
        if path.endswith((".pyc", "/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json")):
            continue
        if path.startswith("../../../bin/"):
            if path.endswith("/uv"):  # the others are made from the entry points
                files[f"{info}.data/scripts/uv"] = Path(str(package.locate_file(entry))).read_bytes()
        else:
            files[path] = Path(str(package.locate_file(entry))).read_bytes()
    return write_wheel(folder, name, package.version, files)


class Small:
    """A repository with the real himloco.sh and a lock of a few small wheels, and the folder they come from."""

    def __init__(self, folder: Path, repository: Path, packages: tuple[str, ...]) -> None:
        self.clone, self.index = folder / "clone", folder / "index"
        self.index.mkdir(parents=True)
        for name in ("himloco.sh", "docker/offline/install.sh"):
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / name, self.clone / name)
        for package, place in {"himloco_lab": "exts/himloco_lab", "himloco_rl": "source/himloco_rl"}.items():
            (self.clone / place / package).mkdir(parents=True)
            shutil.copy(repository / place / "pyproject.toml", self.clone / place)
            (self.clone / place / package / "__init__.py").write_text("")
        modules = {}
        for module in MODULES:
            parts = module.split(".")
            modules |= {f"{'/'.join(parts[: i + 1])}/__init__.py": b"" for i in range(len(parts))}
        wheels = [write_wheel(self.index, "stand_ins", "1.0", modules)]
        wheels += [installed_wheel(self.index, package) for package in packages]
        entries = [
            f"{wheel.name.split('-')[0].replace('_', '-')}=={wheel.name.split('-')[1]} \\\n"
            f"    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
            for wheel in wheels
        ]
        (self.clone / "requirements.lock").write_text("".join(sorted(entries)))
        git = ["git", "-C", str(self.clone), "-c", "user.name=t", "-c", "user.email=t@t"]
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
            subprocess.run([*git, *command], check=True)
        (self.clone / "untracked.txt").write_text("stays here")

    def bundle(self, out: Path, *arguments: str) -> int:
        """Make a bundle as tools/bundle.py does, with packages from the index folder only."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bundle, "ROOT", self.clone)
            patch.setenv("PIP_NO_INDEX", "1")
            patch.setenv("PIP_CONFIG_FILE", os.devnull)
            patch.setenv("PIP_FIND_LINKS", str(self.index))
            return bundle.main(["--out", str(out), *arguments])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Small:
    """Return a repository whose lock holds one tiny wheel."""
    return Small(tmp_path_factory.mktemp("small"), repository, ())


@pytest.fixture(scope="module")
def made(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return its bundle, in parts of 8 KB."""
    out = tmp_path_factory.mktemp("made") / "bundle"
    assert small.bundle(out, "--part-size", "8K") == 0
    return out


def install(folder: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run the bundle's install.sh without a network, a configuration or a cache; skip that where it cannot be had."""
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    offline = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--net"]
    if subprocess.run([*offline, "true"], capture_output=True).returncode:
        offline = []
    python = f"{sys.base_prefix}/bin/python3.12"
    return subprocess.run(
        [*offline, "bash", folder / "install.sh", *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHON": python, **extra},
        cwd=folder.parent,
        text=True,
        capture_output=True,
        timeout=400,
    )


def parts_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("himloco_lab.part-*"))


def test_parts_have_the_size_asked_for_and_join_to_what_git_knows_and_the_lock_names(small: Small, made: Path) -> None:
    parts = parts_of(made)
    assert len(parts) > 3
    assert {part.stat().st_size for part in parts[:-1]} == {8192}
    assert 0 < parts[-1].stat().st_size <= 8192
    done = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=made, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{part.name}: OK" for part in parts] + ["install.sh: OK"]
    assert {path.name for path in made.iterdir()} == {part.name for part in parts} | {"install.sh", "SHA256SUMS"}
    joined = made.parent / "joined.tar"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    tracked = subprocess.run(["git", "-C", small.clone, "ls-files"], capture_output=True, text=True).stdout.split()
    with tarfile.open(joined) as archive:
        names = [f"himloco_lab/{path}" for path in tracked] + ["wheels/stand_ins-1.0-py3-none-any.whl"]
        assert sorted(archive.getnames()) == sorted(names)
        wheel = archive.extractfile(names[-1])
        assert wheel is not None
        assert wheel.read() == (small.index / "stand_ins-1.0-py3-none-any.whl").read_bytes()
        assert archive.getmember("himloco_lab/himloco.sh").mode & 0o100


def test_a_bundle_installs_where_there_is_no_network(tmp_path: Path, repository: Path) -> None:
    small = Small(tmp_path / "online", repository, ("pip", "setuptools", "uv"))
    out = tmp_path / "away" / "bundle with a space"
    assert small.bundle(out, "--part-size", "20M") == 0
    shutil.rmtree(tmp_path / "online")
    done = install(out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trying pip" not in done.stderr, "uv does it"
    program = "import himloco_lab, torch; print(himloco_lab.__file__, torch.__file__)"
    script = tmp_path / "away/himloco/himloco_lab/himloco.sh"
    done = subprocess.run([script, "-p", "-c", program], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.stderr == ""
    for module in done.stdout.split():
        assert module.startswith(str(tmp_path / "away/himloco/himloco_lab/")), "nothing of this machine's environment"


def test_join_unpacks_and_installs_nothing(made: Path, tmp_path: Path) -> None:
    done = install(made, "--join", "--to", str(tmp_path / "there"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there/wheels/stand_ins-1.0-py3-none-any.whl").is_file()
    assert os.access(tmp_path / "there/himloco_lab/himloco.sh", os.X_OK)
    assert not (tmp_path / "there/himloco_lab/.venv").exists()


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "swap"])
def test_parts_that_are_not_what_they_were_are_named(made: Path, tmp_path: Path, harm: str) -> None:
    copy = shutil.copytree(made, tmp_path / "copy")
    first, second = parts_of(copy)[:2]
    content = first.read_bytes()
    if harm == "flip":
        first.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    elif harm == "cut":
        first.write_bytes(content[:-1])
    elif harm == "remove":
        first.unlink()
    else:
        first.write_bytes(second.read_bytes())
    done = install(copy, "--to", str(tmp_path / "there"))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{first.name} ({'missing' if harm == 'remove' else 'damaged'})" in line
    assert second.name not in line
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("entry", ["0" * 64 + "  ../../etc/passwd", "0" * 64 + "  $(touch x)", "abc", ""])
def test_a_damaged_list_of_checksums_is_refused(made: Path, tmp_path: Path, entry: str) -> None:
    copy = shutil.copytree(made, tmp_path / "copy")
    (copy / "SHA256SUMS").write_text(f"{entry}\n" if entry else "")
    done = install(copy, "--to", str(tmp_path / "there"))
    assert done.returncode == 1
    assert "SHA256SUMS" in done.stderr
    assert "copy it again" in done.stderr
    assert not list(tmp_path.rglob("x"))


def test_a_package_that_is_not_the_locked_one_is_not_bundled(
    small: Small, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    lock = small.clone / "requirements.lock"
    text = lock.read_text()
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, text))
    assert small.bundle(tmp_path / "out", "--wheels", str(kept)) == 1
    lock.write_text(text)
    assert "error: pip could not fetch all packages" in capfd.readouterr().err
    assert not parts_of(tmp_path / "out")


def test_a_folder_that_holds_something_is_left_alone(
    small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert small.bundle(tmp_path) == 1
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_parts_that_cannot_be_written_are_an_error(small: Small, tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"the parts could not be written to .*nowhere"):
        bundle.write_parts([(small.clone / "himloco.sh", "himloco.sh")], tmp_path / "nowhere", 4096)
