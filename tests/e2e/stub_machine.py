# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A machine made of stand-ins for himloco.sh: a PATH with the system's tools, stub Pythons and a stub uv.

The stub Python answers as the interpreter it plays; the stub uv writes down what it is asked to do.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = "awk bash cat dirname env find flock grep head ls mkdir mv readlink rm sed sha256sum sleep sort tr".split()

PYTHON = """#!/usr/bin/env bash
# Plays a Python: -E -s -c is the question who it is, anything else is written down.
if [[ $1 == -E ]]; then echo "{version} {implementation} 64 {base}"; exit; fi
if [[ $1 == -c && $2 == "import torch"* ]]; then exit; fi
if [[ $1 == -c && $2 == *ctypes* ]]; then cat "$HOME/missing" 2>/dev/null; exit 0; fi
printf '<%s>' "$PWD" "$@" >>"$HOME/python.log"
echo "${{PYTHONPATH:+PYTHONPATH=$PYTHONPATH}}" >>"$HOME/python.log"
exit "${{STUB_EXIT:-0}}"
"""

UV = """#!/usr/bin/env bash
echo "$*${PYTHONPATH:+PYTHONPATH=$PYTHONPATH}" >>"$HOME/uv.log"
case "$*" in
--version) echo "uv 1.0" ;;
"venv "*)
    [[ $* != *"--python 3.12 "* || ${STUB_KNOWN:-} ]] || exit 1
    for folder; do [[ $folder != /*/.venv && $folder != /*/moved ]] || break; done
    mkdir -p "$folder/bin"
    cat <"$HOME/stub-python" >"$folder/bin/python"
    chmod +x "$folder/bin/python" ;;
*requirements.lock*)
    echo half > "$(dirname "$HOME")/clone/.venv/half-written"
    [[ -z ${STUB_DIE:-} ]] || kill -9 "$PPID"
    sleep "${STUB_SLEEP:-0}" ;;
esac
"""


class Machine:
    """A throw-away clone and home with a PATH of their own."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.clone, self.home, self.bin = (folder / name for name in ("clone", "home", "bin"))
        for package in ("source/himloco_rl", "exts/himloco_lab"):
            (self.clone / package).mkdir(parents=True)
            shutil.copy(repository / package / "pyproject.toml", self.clone / package)
        shutil.copy(repository / "himloco.sh", self.clone)
        (self.clone / "requirements.lock").write_text(
            "pip==1 \\\n    --hash=sha256:00\nuv==1 \\\n    --hash=sha256:11\n"
        )
        self.home.mkdir()
        self.bin.mkdir()
        for tool in [*TOOLS, "chmod"]:
            (self.bin / tool).symlink_to(shutil.which(tool) or pytest.skip(f"no {tool} here"))
        self.environment = {"PATH": str(self.bin), "HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / "cache")}

    def script(self, path: Path | str, text: str) -> Path:
        """Put an executable file at `path`, counted from the PATH's folder."""
        path = self.bin / path
        path.write_text(text)
        path.chmod(0o755)
        return path

    def python(self, path: Path | str, version: str = "3.12.4", implementation: str = "CPython") -> Path:
        """Put a stub Python at `path`, counted from the PATH's folder."""
        path = self.bin / path
        path.parent.mkdir(parents=True, exist_ok=True)
        text = PYTHON.format(version=version, implementation=implementation, base=path)
        self.script(path, text)
        if version.startswith("3.12"):
            (self.home / "stub-python").write_text(text)
        return path

    def uv(self) -> None:
        """Put the stub uv on the PATH."""
        self.script("uv", UV)

    def broken(self, name: str) -> Path:
        """Put something on the PATH that exists and only fails, as pyenv's shims do."""
        return self.script(name, "#!/usr/bin/env bash\necho 'pyenv: not found' >&2\nexit 127\n")

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run himloco.sh with additional environment variables and return its outcome."""
        return subprocess.run(
            [self.clone / "himloco.sh", *arguments],
            env=self.environment | extra,
            cwd=self.home,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )

    def log(self, of: str) -> list[str]:
        """Return the lines that the stub `of` has written."""
        path = self.home / f"{of}.log"
        return path.read_text().splitlines() if path.exists() else []

    def locked_installs(self) -> int:
        """Count how often uv was told to install the lock."""
        return sum("requirements.lock" in line for line in self.log("uv"))
