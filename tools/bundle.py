# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/bundle.py``: this repository and all its packages in parts, for a machine without internet."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from workspace import ROOT

from himloco_lab.errors import FAILURE, CliError, Parser, run_command

REPOSITORY, WHEELS = "himloco_lab", "wheels"
"""Folders that the joined parts unpack to; ``docker/offline/install.sh`` expects them, too."""
PART = "himloco_lab.part-"
"""What the parts' names begin with; four digits follow."""
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_LEAST, _MOST_PARTS = 4096, 9999


def main(argv: list[str] | None = None) -> int:
    """Make the bundle that *argv* describes, and return the exit code."""
    return run_command(_bundle, argv)


def _bundle(argv: list[str]) -> None:
    parser = Parser(
        description="Put this repository and its locked packages into parts for a machine without internet."
    )
    parser.add_argument("--out", required=True, help="Folder for the parts, their checksums and install.sh.")
    parser.add_argument("--part-size", "--part_size", default="1G", help="Largest part, such as 60M or 2G.")
    parser.add_argument(
        "--wheels", default=None, help="Folder that keeps the packages between bundles; a temporary one when omitted."
    )
    args = parser.parse_args(argv)
    size = part_size(args.part_size)
    out = Path(args.out).absolute()
    files = tracked_files(ROOT)
    _claim(out)
    with tempfile.TemporaryDirectory(dir=out, prefix=".wheels-") as temporary:
        packages = download(ROOT / "requirements.lock", Path(args.wheels or temporary).absolute())
        _check_space(out, packages, size)
        print(f"[INFO] {len(packages)} packages, {len(files)} files of the repository", flush=True)
        members = [(path, f"{REPOSITORY}/{path.relative_to(ROOT)}") for path in files]
        members += [(path, f"{WHEELS}/{path.name}") for path in packages]
        parts = write_parts(members, out, size)
    total = sum(path.stat().st_size for path in parts)
    installer = Path(shutil.copy2(ROOT / "docker/offline/install.sh", out))
    names = [path.name for path in [*parts, installer]]
    with (out / "SHA256SUMS").open("w") as sums:
        subprocess.run(["sha256sum", "--", *names], cwd=out, stdout=sums, check=True)
    print(f"[INFO] {len(parts)} parts, {total / 1e6:,.0f} MB in all, in {out}: there, bash install.sh")


def part_size(text: str) -> int:
    """Return the number of bytes that *text* means: digits, and perhaps K, M or G (powers of 1024) after them.

    Raises:
        CliError: If it means none, or one too small to be sensible.
    """
    match = re.fullmatch(r"(\d{1,15})([KMG]?)(?:i?B)?", text.strip(), re.IGNORECASE | re.ASCII)
    if match is None:
        raise CliError(f"--part-size {text}: must be a number of bytes such as 60M, with K, M or G for powers of 1024")
    size = int(match[1]) * _UNITS[match[2].upper()]
    if size < _LEAST:
        raise CliError(f"--part-size {text}: must be at least {_LEAST} bytes")
    return size


def tracked_files(repository: Path) -> list[Path]:
    """Return the files of *repository* that git knows, as they lie there.

    Raises:
        CliError: If git does not know the folder.
    """
    try:
        done = subprocess.run(["git", "-C", str(repository), "ls-files", "-z"], capture_output=True, text=True)
    except OSError as error:
        raise CliError(
            f"git, which knows what belongs to {repository}, does not run: {error.strerror}", FAILURE
        ) from None
    if done.returncode:
        reason = done.stderr.strip().partition("\n")[0]
        raise CliError(f"{repository} is no clone that git knows ({reason}): make bundles from a clone", FAILURE)
    paths = [repository / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_symlink() or path.exists()]


def download(lock: Path, folder: Path) -> list[Path]:
    """Fetch every package of *lock* for this platform into *folder*, and return the files.

    pip compares each with the lock's hashes; what is already in *folder* and right is not fetched again.

    Raises:
        CliError: If pip fails; it has said why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--no-build-isolation"]
    done = subprocess.run([*pip, "--progress-bar", "off", "--dest", str(folder), "-r", str(lock)])
    if done.returncode:
        raise CliError(f"pip could not fetch all packages of {lock} (see above); run it again with --wheels", FAILURE)
    return sorted(path for path in folder.iterdir() if path.name.endswith((".whl", ".tar.gz", ".zip")))


def write_parts(members: Iterable[tuple[Path, str]], out: Path, size: int) -> list[Path]:
    """Write files under their names in a tar archive to parts of *size* bytes in *out*; return these in their order.

    Raises:
        CliError: If a part cannot be written; ``split`` says why.
    """
    split = ["split", f"--bytes={size}", "--numeric-suffixes", "--suffix-length=4", "-", str(out / PART)]
    with subprocess.Popen(split, stdin=subprocess.PIPE) as process, contextlib.suppress(BrokenPipeError):
        assert process.stdin is not None
        with process.stdin, tarfile.open(fileobj=process.stdin, mode="w|") as archive:
            for path, name in members:
                archive.add(path, name, recursive=False)
    if process.returncode:
        raise CliError(f"the parts could not be written to {out} (see above)", FAILURE)
    return sorted(out.glob(f"{PART}*"))


def _claim(out: Path) -> None:
    """Create *out*, or refuse a folder that holds something: a part of an older bundle would be joined with the new."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise CliError(f"--out {out}: is not empty; name a new folder", FAILURE)
    except OSError as error:
        raise CliError(f"--out {out}: cannot be written ({error.strerror}); name another folder", FAILURE) from None


def _check_space(out: Path, packages: list[Path], size: int) -> None:
    """Refuse what will not fit, before it is half written."""
    total = sum(path.stat().st_size for path in packages)
    if total // size >= _MOST_PARTS:
        raise CliError(f"--part-size: {total / 1e6:,.0f} MB would be more than {_MOST_PARTS} parts; choose larger ones")
    free = shutil.disk_usage(out).free
    if total > free:
        raise CliError(f"--out {out}: needs {total / 1e6:,.0f} MB and has {free / 1e6:,.0f} MB free", FAILURE)


if __name__ == "__main__":
    raise SystemExit(main())
