# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``tools/bundle.py``: this repository and all its packages in parts, for a machine without internet."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import BinaryIO

from himloco_lab.errors import FAILURE, CliError, Parser, run_command

REPOSITORY, WHEELS = "himloco_lab", "wheels"
"""Folders that the joined parts unpack to; ``docker/offline/install.sh`` knows them, too."""
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
    repository, out = _repository(), Path(args.out).absolute()
    files = tracked_files(repository)
    _claim(out)
    with tempfile.TemporaryDirectory(dir=out, prefix=".wheels-") as temporary:
        wheels = Path(args.wheels or temporary).absolute()
        packages = download(repository / "requirements.lock", wheels)
        _check_space(out, packages, size)
        print(f"[INFO] {len(packages)} packages, {len(files)} files of the repository", flush=True)
        with PartWriter(out, size) as parts, tarfile.open(fileobj=parts, mode="w|") as archive:
            for path in files:
                archive.add(path, f"{REPOSITORY}/{path.relative_to(repository)}", recursive=False)
            for path in packages:
                archive.add(path, f"{WHEELS}/{path.name}", recursive=False)
    shutil.copy2(repository / "docker/offline/install.sh", out)
    sums = parts.sums | {"install.sh": hashlib.sha256((out / "install.sh").read_bytes()).hexdigest()}
    (out / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    print(f"[INFO] {len(parts.sums)} parts, {parts.total / 1e6:,.0f} MB in all, in {out}: there, bash install.sh")


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


class PartWriter(io.RawIOBase):
    """A stream that becomes files of one size, with the digest of each."""

    def __init__(self, folder: Path, size: int) -> None:
        """Write into *folder*, *size* bytes a file at most."""
        self.sums: dict[str, str] = {}
        self.total = 0
        self._folder, self._size, self._left = folder, size, 0
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()

    def writable(self) -> bool:
        """It is all it can do."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Append *data*, and begin a new file wherever one is full."""
        view = memoryview(data)
        while view:
            if not self._left:
                self._finish()
                self._file, self._left = (self._folder / f"{PART}{len(self.sums):04}").open("wb"), self._size
            assert self._file is not None
            piece, view = view[: self._left], view[self._left :]
            self._file.write(piece)
            self._digest.update(piece)
            self._left -= len(piece)
            self.total += len(piece)
        return len(data)

    def close(self) -> None:
        """End the last file."""
        self._finish()
        super().close()

    def _finish(self) -> None:
        if self._file is not None:
            self._file.close()
            self.sums[Path(self._file.name).name] = self._digest.hexdigest()
            self._file, self._digest = None, hashlib.sha256()


def _repository() -> Path:
    repository = Path(__file__).resolve().parents[1]
    if not (repository / "requirements.lock").is_file():
        raise CliError("bundles are made from a clone, not from an installed package", FAILURE)
    return repository


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
