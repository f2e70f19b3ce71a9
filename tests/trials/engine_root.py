# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A root folder of Debian's packages with processes in namespaces of their own, and the table of a trial.

What runs in an :class:`EngineRoot` has its own mounts, processes and network. When it is closed, the kernel ends the
processes and takes mounts, bridges and rules away with the namespaces; only a pair of virtual Ethernet devices, one
rule for their traffic, and folders of control groups are the host's, and are removed by name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CGROUPS = Path("/sys/fs/cgroup")
START = r"""
set -euo pipefail
root="$1"
shift
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
while read -r name mode major minor; do
    mknod -m "$mode" "$root/dev/$name" c "$major" "$minor"
done <<<"null 666 1 3
zero 666 1 5
full 666 1 7
random 666 1 8
urandom 666 1 9
tty 666 5 0
fuse 666 10 229"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
while [[ $# -gt 0 ]]; do
    mkdir -p "$root$2"
    mount --rbind "$1" "$root$2"
    shift 2
done
cd "$root"
mkdir -p .before
pivot_root . .before
umount -l /.before
ip link set lo up
echo ready
exec >/dev/null </dev/null
while :; do sleep 5; done
"""
"""Run as the first process of the namespaces; as a shell it also buries orphans."""


class TrialError(Exception):
    """Something is not as it should be."""


def expect(good: object, told: str) -> None:
    """Raise a TrialError that tells *told* unless *good*."""
    if not good:
        raise TrialError(told)


def wait_until(condition: Callable[[], object], seconds: float, what: str, pause: float = 1.0) -> float:
    """Wait until *condition* is true and return how long that took [s].

    Raises:
        TrialError: If it is not after so many seconds.
    """
    start = time.monotonic()
    while not condition():
        expect(time.monotonic() - start < seconds, f"{what} has not happened in {seconds:.0f} s")
        time.sleep(pause)
    return time.monotonic() - start


def mirror() -> str:
    """Return where this machine takes Debian's packages from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], capture_output=True, text=True
    )
    addresses = [line for line in listed.stdout.split() if line.rstrip("/").endswith("/debian")]
    expect(addresses, "apt-get knows no Debian here")
    return addresses[0]


def debootstrap(folder: Path, suite: str, packages: tuple[str, ...]) -> None:
    """Install a minimal Debian with *packages* into *folder*; one that is complete already is left as it is."""
    if (folder / "complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    include = ["--include=" + ",".join(packages)]
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", *include, suite, folder, mirror()], capture_output=True, text=True
    )
    expect(done.returncode == 0, f"debootstrap of {suite}: {(done.stdout + done.stderr)[-1500:]}")
    shutil.rmtree(folder / "var/cache/apt", ignore_errors=True)
    (folder / "complete").touch()


def add_python(folder: Path) -> None:
    """Copy the Python 3.12 that runs this into *folder*/usr/local, where python:3.12-slim has it."""
    base = Path(sys.base_prefix)
    for part in ("bin", "lib"):
        shutil.copytree(
            base / part,
            folder / "usr/local" / part,
            symlinks=True,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("site-packages", "test", "__pycache__", "*.a", "idlelib"),
        )
    (folder / "usr/local/lib/python3.12/site-packages").mkdir(exist_ok=True)
    (folder / "etc/ld.so.conf.d/local.conf").write_text("/usr/local/lib\n")
    subprocess.run(["chroot", folder, "ldconfig"], check=True)
    subprocess.run(["chroot", folder, "python3.12", "-m", "ensurepip"], check=True, capture_output=True)


class EngineRoot:
    """A root folder and the namespaces that processes in it live in."""

    def __init__(self, folder: Path, number: int, binds: tuple[tuple[Path, str], ...] = ()) -> None:
        """Start the namespaces.

        Args:
            folder: The root; it holds bash, mount and iproute2.
            number: Distinguishes the network devices and addresses, 10.78.NUMBER.0/24, of several roots.
            binds: Folders of this machine and where they are seen.
        """
        self.folder, self.number = folder, number
        self.device, self.address, self.host = f"himtrial{number}", f"10.78.{number}.2", f"10.78.{number}.1"
        self.groups = _groups()
        self.forwarding = Path("/proc/sys/net/ipv4/ip_forward").read_text()
        flags = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
        arguments = [text for path, place in binds for text in (str(path), place)]
        self.process = subprocess.Popen(
            ["unshare", *flags, "bash", "-c", START, "start", str(folder), *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        expect(self.process.stdout.readline() == "ready\n", f"no namespaces could be made for {folder}")
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        self.pid = int(children.split()[0])
        self._connect()

    def _connect(self) -> None:
        """Give the namespaces a way to where packages come from."""
        peer = ["peer", "name", "uplink", "netns", str(self.pid)]
        _host("ip", "link", "add", self.device, "type", "veth", *peer)
        _host("ip", "address", "add", f"{self.host}/24", "dev", self.device)
        _host("ip", "link", "set", self.device, "up")
        self.run("ip", "address", "add", f"{self.address}/24", "dev", "uplink")
        self.network(True)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")
        self._rule("-A")
        shutil.copy("/etc/resolv.conf", self.folder / "etc/resolv.conf")

    def _rule(self, change: str) -> None:
        rule = ["POSTROUTING", "-s", f"10.78.{self.number}.0/24", "!", "-o", self.device, "-j", "MASQUERADE"]
        _host("chroot", str(self.folder), "iptables", "-t", "nat", change, *rule)

    def network(self, there: bool) -> None:
        """Connect the root with the world, or pull the cable."""
        self.run("ip", "link", "set", "uplink", "up" if there else "down")
        if there:
            self.run("ip", "route", "replace", "default", "via", self.host)

    def command(self, *words: str | Path) -> list[str]:
        """Return the command line that runs *words* in the root."""
        enter = [
            "nsenter",
            "--target",
            str(self.pid),
            "--mount",
            "--pid",
            "--net",
            "--ipc",
            "--uts",
            "--root",
            "--wd=/",
        ]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return [*enter, "--root", "--wd=/", "env", "-i", path, "HOME=/root", "LC_ALL=C.UTF-8", *map(str, words)]

    def run(
        self, *words: str | Path, check: bool = True, timeout: float = 1800.0, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the root, with *text* as its input, and return what came of it.

        Raises:
            TrialError: If it fails and *check*.
        """
        done = subprocess.run(
            self.command(*words), input=text or "", capture_output=True, text=True, timeout=timeout, errors="replace"
        )
        if check and done.returncode:
            told = (done.stdout + done.stderr)[-2500:]
            raise TrialError(f"{' '.join(map(str, words))[:200]}: exit code {done.returncode}\n{told}")
        return done

    def start(self, log: Path, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start a command in the root that goes on, and write what it prints to *log*."""
        with log.open("w") as file:
            return subprocess.Popen(
                self.command(*words), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )

    def close(self) -> None:
        """End all processes in it and remove what was made for it on the host."""
        with contextlib.suppress(Exception):
            self._rule("-D")
        subprocess.run(["ip", "link", "delete", self.device], capture_output=True)
        Path("/proc/sys/net/ipv4/ip_forward").write_text(self.forwarding)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 9)  # the first process of its namespace: all others end with it
        self.process.wait()
        for _ in range(20):
            left = sorted(_groups() - self.groups, key=lambda path: -len(path.parts))
            for group in left:
                with contextlib.suppress(OSError):
                    group.rmdir()
            if not left:
                break
            time.sleep(0.5)


def _host(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    expect(done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}")


def _groups() -> set[Path]:
    return {Path(folder) for folder, _, _ in os.walk(CGROUPS)}


class Disk:
    """While entered, watches how much more of a file system is used than at the beginning."""

    def __init__(self, folder: Path) -> None:
        """Watch the file system of *folder*."""
        self.folder, self.peak = folder, 0
        self._end = threading.Event()

    def _free(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bfree * found.f_frsize

    def __enter__(self) -> Disk:
        """Begin."""
        self._before = self._free()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._end.wait(1.0):
            self.peak = max(self.peak, self._before - self._free())

    def __exit__(self, *error: object) -> None:
        """End."""
        self._end.set()
        self._thread.join()


class Table:
    """What was run, what came of it, and in how many seconds."""

    def __init__(self, title: str) -> None:
        """Begin a table."""
        self.title, self.rows = title, list[tuple[str, str, float]]()
        self.failed: list[str] = []
        self.outcome: list[str] = []

    @contextlib.contextmanager
    def line(self, what: str, needed: bool = False) -> Iterator[list[str]]:
        """Run a line of the table, which appends to the list that it gets what it has seen.

        Args:
            what: What is tried.
            needed: Whether the trial ends if it fails.
        """
        start, seen = time.monotonic(), list[str]()
        print(f"-- {what}", flush=True)
        try:
            yield seen
            outcome = "; ".join(seen) or "as it should be"
        except (TrialError, subprocess.SubprocessError, OSError, ValueError) as error:
            self.failed.append(what)
            outcome = "; ".join([*seen, f"FAILED: {error}"])
            if needed:
                raise TrialError(f"{what}: {error}") from error
        finally:
            seconds = time.monotonic() - start
            if what in self.failed and needed:
                outcome = "FAILED"
        self.rows.append((what, outcome, seconds))
        print(f"   {outcome} ({seconds:.0f} s)", flush=True)

    def print(self) -> int:
        """Print the table as Markdown and return the exit code."""
        print(f"\n{self.title}\n\n| what | outcome | seconds |\n|---|---|---|")
        for what, outcome, seconds in self.rows:
            told = outcome.replace("|", "\\|").split("\n")[0]
            print(f"| {what} | {told} | {seconds:.0f} |")
        for what in self.failed:
            print(f"failed: {what}", file=sys.stderr)
        return 1 if self.failed else 0
