# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The CPU image, built and used for real by Docker and by podman: ``python tests/trials/containers.py`` (root).

Needs debootstrap, iproute2, about 30 GB below ``--folder`` and a Python 3.12 with this repository's packages (it runs
``./himloco.sh -p tests/trials/containers.py``). The engines come from Debian's packages and run in a root folder of
their own; a base made by debootstrap with this machine's Python 3.12 stands in for ``python:3.12-slim``, as no
registry of images is reachable here. Prints a table, removes what it made, and fails where a line fails. Not collected
by pytest.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from engine_root import REPOSITORY, Disk, EngineRoot, Table, TrialError, add_python, debootstrap, expect, wait_until

ENGINE = ("docker.io", "docker-cli", "docker-buildx", "docker-compose", "podman", "runc", "iptables", "iproute2")
ENGINE += ("ca-certificates", "procps", "curl", "netavark", "aardvark-dns")
BASE = ("ca-certificates", "libssl3", "libffi8", "libsqlite3-0", "libbz2-1.0", "liblzma5", "libreadline8", "zlib1g")
BASE += ("libncursesw6", "netbase", "tzdata", "libuuid1", "libexpat1")
TASK = ("--task", "Himloco-G1-Flat-v0")
SMALL = (*TASK, "--num_envs", "8", "agent.num_steps_per_env=24")
CURVES = """
import glob, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
(run,) = glob.glob(sys.argv[1])
found = EventAccumulator(run, size_guidance={"scalars": 0}, purge_orphaned_data=False)
found.Reload()
tags = {tag: [event.step for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
print("steps", *max(tags.values(), key=len))
"""
"""Prints which iterations a run's curves have."""
GONE = 1800.0
"""Seconds after which a training has failed."""


def prepare_base(folder: Path) -> Path:
    """Make what stands in for the base image, as a tar file, and return it."""
    root, packed = folder / "base", folder / "base.tar"
    if not packed.exists():
        debootstrap(root, "bookworm", BASE)
        add_python(root)
        certificates = os.environ.get("SSL_CERT_FILE")
        if certificates:  # of this machine, for pip and uv in a build; part of no committed file
            shutil.copy(certificates, root / "etc/ssl/certs/ca-certificates.crt")
        subprocess.run(["tar", "-C", root, "-cf", packed, "."], check=True)
        shutil.rmtree(root)
    return packed


def prepare_wheels(folder: Path) -> Path:
    """Fetch the packages of the CPU image, as tools/bundle.py does, and return their folder."""
    wheels = folder / "wheels"
    excluded = (REPOSITORY / "docker/cpu_excludes.txt").read_text().split("\n")
    entries = re.split(r"^(?=[a-z0-9])", (REPOSITORY / "requirements.lock").read_text(), flags=re.MULTILINE)
    lock = folder / "cpu.lock"
    lock.write_text("".join(entry for entry in entries if entry.partition("==")[0] not in excluded))
    program = "import bundle, pathlib, sys; bundle.download(*map(pathlib.Path, sys.argv[1:]))"
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'tools'}:{REPOSITORY / 'exts/himloco_lab'}"}
    done = subprocess.run(
        [sys.executable, "-c", program, lock, wheels], env=environment, capture_output=True, text=True
    )
    expect(done.returncode == 0, done.stderr[-1500:])
    return wheels


class Engine:
    """Docker or podman in the root, with its own words for the same things."""

    def __init__(self, root: EngineRoot, name: str, folder: Path) -> None:
        """Name it; *folder* is this machine's folder that the root sees as /trial."""
        self.root, self.name, self.folder = root, name, folder

    def __call__(self, *words: str, check: bool = True, timeout: float = GONE) -> subprocess.CompletedProcess[str]:
        """Run a command of the engine."""
        return self.root.run("nice", "-n", "19", self.name, *words, check=check, timeout=timeout)

    def build(self, *options: str, target: str = "cpu", tag: str = "himloco_lab:cpu") -> None:
        """Build a target from the Dockerfile as committed."""
        # podman: its own format keeps neither SHELL nor HEALTHCHECK; a network of its own would need nftables
        kind = ["--format", "docker", "--network", "host"] if self.name == "podman" else ["--progress", "plain"]
        base = ["--build-arg", "PYTHON_IMAGE=localhost/python_base:3.12"]
        where = ["-f", "/source/docker/Dockerfile", "--target", target, "-t", tag]
        self("build", *kind, *base, *where, *options, "/source", timeout=2400)

    def size(self, tag: str = "himloco_lab:cpu") -> float:
        """Return an image's size [GB]."""
        return int(self("image", "inspect", "--format", "{{.Size}}", tag).stdout) / 1e9

    def train(self, name: str, *arguments: str, options: tuple[str, ...] = ()) -> None:
        """Start a training in the background."""
        volumes = ["-v", "trial_logs:/workspace/himloco_lab/logs", "-v", "trial_cache:/home/himloco/.cache"]
        self("rm", "-f", name, check=False)
        words = ["-p", "scripts/train.py", *SMALL, *arguments]
        self("run", "-d", "--name", name, "--network", "none", *volumes, *options, "himloco_lab:cpu", *words)

    def state(self, name: str) -> dict:
        """Return what the engine says of a container's state."""
        return json.loads(self("inspect", "--format", "{{json .State}}", name).stdout)

    def log(self, name: str) -> str:
        """Return what a container has printed."""
        done = self("logs", name, check=False)
        return done.stdout + done.stderr

    def ended(self, name: str, code: int) -> None:
        """Wait until a container has ended, with that exit code."""
        wait_until(lambda: self.state(name)["Status"] == "exited", GONE, f"the end of {name}")
        found = self.state(name)["ExitCode"]
        expect(found == code, f"{name} ended with {found}, not {code}: {self.log(name)[-1200:]}")

    def once(self, *words: str, options: tuple[str, ...] = ()) -> str:
        """Run something in a container of its own and return what it printed."""
        volumes = ["-v", "trial_logs:/workspace/himloco_lab/logs", "-v", "trial_cache:/home/himloco/.cache"]
        done = self("run", "--rm", "--network", "none", *volumes, *options, "himloco_lab:cpu", *words)
        return done.stdout + done.stderr

    def models(self, run: str = "trial") -> list[int]:
        """Return the iterations of a run's checkpoints."""
        words = ["-c", f"ls logs/rsl_rl/*/*_{run}/ || true"]
        told = self.once(*words, options=("--entrypoint", "/bin/bash"))
        return sorted(int(number) for number in re.findall(r"model_(\d+)\.pt", told))

    def steps(self, run: str = "trial") -> list[int]:
        """Return which iterations a run's curves have."""
        told = self.once("-p", "-c", CURVES, f"logs/rsl_rl/*/*_{run}")
        return [int(word) for word in re.findall(r"^steps (.*)$", told, re.MULTILINE)[-1].split()]


def start_docker(root: EngineRoot, folder: Path) -> Engine:
    """Start Docker's daemon and return the engine once it answers."""
    limits = ["--default-ulimit", "nofile=20000:20000", "--default-ulimit", "nproc=32768:32768"]
    words = ["dockerd", "--exec-opt", "native.cgroupdriver=cgroupfs", *limits]
    root.start(folder / "dockerd.log", "nice", "-n", "19", *words)
    docker = Engine(root, "docker", folder)
    wait_until(lambda: docker("version", check=False).returncode == 0, 180, "an answer of dockerd")
    return docker


def configure_podman(root: EngineRoot) -> None:
    """Tell podman what fits a machine without systemd and with both kinds of control groups."""
    lines = ["[containers]", 'default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]', "[engine]"]
    lines += ['cgroup_manager = "cgroupfs"', 'events_logger = "file"', 'runtime = "runc"']
    file = root.folder / "etc/containers/containers.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")
    policy = root.folder / "etc/containers/policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')


def load_base(engine: Engine) -> None:
    """Make the tar file the image that the Dockerfile is built from."""
    certificates = "ENV SSL_CERT_FILE={0} PIP_CERT={0}".format("/etc/ssl/certs/ca-certificates.crt")
    environment = ["--change", "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"]
    environment += ["--change", certificates] if os.environ.get("SSL_CERT_FILE") else []
    engine("import", *environment, "/trial/base.tar", "localhost/python_base:3.12")


def health(docker: Engine, table: Table) -> None:
    """Healthy while a training writes, unhealthy where nothing has been written for an hour."""
    often = ("--health-interval", "5s", "--health-start-period", "1s", "--health-retries", "2")
    with table.line("health check: healthy while a training writes") as seen:
        docker.train("trial_healthy", "--run_name", "trial_health", "--max_iterations", "2000", options=often)
        states: list[str] = []

        def healthy() -> bool:
            state = docker.state("trial_healthy")
            expect(state["Status"] == "running", f"the training has ended: {docker.log('trial_healthy')[-1200:]}")
            if state["Health"]["Status"] not in states:
                states.append(state["Health"]["Status"])
            return states[-1] == "healthy"

        wait_until(healthy, GONE, "a healthy container")
        seen.append(" -> ".join(states))
    with table.line("health check: unhealthy where nothing is written") as seen:
        old = "touch -d '2 hours ago' /workspace/himloco_lab/logs/events; exec sleep 900"
        entry = ("--entrypoint", "/bin/bash", *often)
        docker("run", "-d", "--name", "trial_old", *entry, "himloco_lab:cpu", "-c", old)
        wait_until(lambda: docker.state("trial_old")["Health"]["Status"] == "unhealthy", 300, "an unhealthy container")
        seen.append(docker.state("trial_old")["Health"]["Log"][-1]["Output"].strip())
        docker("rm", "-f", "trial_old")
    docker("rm", "-f", "trial_healthy", check=False)


def signals(docker: Engine, table: Table) -> None:
    """Stopped, killed and resumed: every iteration once in the curves."""
    with table.line("training; docker stop") as seen:
        docker.train("trial_train", "--run_name", "trial", "--max_iterations", "4000", "agent.save_interval=5")
        wait_until(lambda: len(docker.models()) >= 3, GONE, "a third checkpoint", pause=3)
        start = time.monotonic()
        docker("stop", "--time", "60", "trial_train")
        docker.ended("trial_train", 143)
        seen.append(f"exit code 143 after {time.monotonic() - start:.0f} s, saved as model_{docker.models()[-1]}.pt")
        expect(docker.models()[-1] == docker.steps()[-1], "the last iteration is not saved")
    with table.line("resumed; SIGKILL") as seen:
        before = docker.models()[-1]
        docker.train("trial_train", "--resume", "--max_iterations", "4000", "agent.save_interval=5")
        wait_until(lambda: docker.models()[-1] > before + 5, GONE, "a checkpoint after the resume", pause=3)
        docker("kill", "trial_train")
        docker.ended("trial_train", 137)
        seen.append(f"went on from {before}, killed with model_{docker.models()[-1]}.pt, exit code 137")
    with table.line("resumed to the end") as seen:
        before = docker.models()[-1]
        docker.train("trial_train", "--resume", "--max_iterations", "6")
        docker.ended("trial_train", 0)
        steps = docker.steps()
        seen.append(f"went on from {before}; iterations 0 to {steps[-1]} in the curves")
        expect(steps == list(range(before + 7)), f"not each iteration once: {steps}")


def commands(docker: Engine, table: Table) -> None:
    """What else there is to do with an image: nothing may be missing in it."""
    short = (*TASK, "--checkpoint", "latest")
    policy = "exts/himloco_lab/himloco_lab/policies/g1_sturdy"
    for what, words in {
        "play": ("scripts/play.py", *short, "--num_envs", "2", "--max_steps", "50"),
        "play --video": ("scripts/play.py", *short, "--num_envs", "1", "--video", "--video_length", "30"),
        "play an ONNX policy": ("scripts/play.py", *TASK, "--policy", f"{policy}/policy.onnx", "--max_steps", "50"),
        "export": ("scripts/export.py", *TASK),
        "evaluate in PhysX, Newton and MuJoCo": (
            *("scripts/evaluate.py", *TASK, "--policy", f"{policy}/policy.onnx", "--suite", "tracking"),
            *("--num_commands", "2", "--duration", "3", "--engine", "ovphysx", "newton_mjwarp", "mujoco"),
        ),
        "sim2sim": ("scripts/sim2sim.py", "--policy", policy, "--vx", "0.5"),
        "train in Newton": ("scripts/train.py", *SMALL, "--max_iterations", "2", "physics=newton_mjwarp"),
        "train on rough ground": (
            *("scripts/train.py", "--task", "Himloco-G1-Rough-v0", "--num_envs", "4", "--max_iterations", "2"),
            "--agent=rsl_rl_lean_cfg_entry_point",
        ),
        "train with two processes": (
            *("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "scripts/train.py"),
            *("--distributed", *SMALL, "--max_iterations", "2"),
        ),
    }.items():
        with table.line(f"in the image: {what}"):
            docker.once("-p", *words)


def compose(docker: Engine, table: Table) -> None:
    """The services together, and who reaches their pages."""
    words = ("compose", "-f", "/source/docker/compose.yaml", "-f", "/trial/small.yaml")
    small = ["-p", "scripts/train.py", *SMALL, "--max_iterations", "4000"]
    service = {"command": small, "healthcheck": {"interval": "5s", "start_period": "1s"}}
    quick = {"healthcheck": {"interval": "5s"}}
    services = {"train": service, "play": quick, "tensorboard": quick}
    volumes = {"logs": {"external": True, "name": "trial_logs"}, "cache": {"external": True, "name": "trial_cache"}}
    (docker.folder / "small.yaml").write_text(json.dumps({"services": services, "volumes": volumes}))
    with table.line("compose up train play tensorboard: all healthy") as seen:
        docker(*words, "up", "-d", "--no-build", "train", "play", "tensorboard")

        def all_healthy() -> bool:
            listed = docker(*words, "ps", "--all", "--format", "json").stdout
            found = {one["Service"]: one for one in map(json.loads, listed.splitlines())}
            for name, one in found.items():
                log = docker(*words, "logs", "--tail", "30", name, check=False).stdout
                expect(one["State"] == "running", f"{name} is {one['State']}: {log[-1200:]}")
            return len(found) == 3 and all(one["Health"] == "healthy" for one in found.values())

        seen.append(f"after {wait_until(all_healthy, GONE, 'the health of all services', pause=3):.0f} s")
    for name, port in {"play": 8080, "tensorboard": 6006}.items():
        with table.line(f"{name}'s page: on loopback only") as seen:
            page = docker.root.run("curl", "-sS", "-m", "20", f"http://127.0.0.1:{port}/").stdout
            expect("<html" in page.lower() or "<!doctype" in page.lower(), f"no page: {page[:200]}")
            own = docker.root.run("curl", "-sS", "-m", "10", f"http://{docker.root.address}:{port}/", check=False)
            expect(own.returncode == 7, f"its other address answers: {own.returncode} {own.stderr}")
            try:
                urllib.request.urlopen(f"http://{docker.root.address}:{port}/", timeout=10)
            except OSError as error:
                expect("refused" in str(error), f"not refused: {error}")
            else:
                raise TrialError("another machine reaches it")
            seen.append("answers on 127.0.0.1; refused on the machine's address, from it and from another machine")
    with table.line("compose stop: the training saves") as seen:
        docker(*words, "stop", timeout=300)
        listed = docker(*words, "ps", "--all", "--format", "json").stdout
        codes = {one["Service"]: one["ExitCode"] for one in map(json.loads, listed.splitlines())}
        seen.append(f"exit codes {codes}")
        expect(codes["train"] == 143, "the training did not end as it should")
    docker(*words, "down", check=False)


def confinement(docker: Engine, table: Table) -> None:
    """Less than the usual: a root that cannot be written to, a user that nobody knows."""
    few = ("--run_name", "trial_few", "--max_iterations", "2")
    with table.line("read-only root, no capabilities"):
        options = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        docker.train("trial_few", *few, options=options)
        docker.ended("trial_few", 0)
    with table.line("--user 4242:4242 without a home, logs in a folder of theirs") as seen:
        logs = docker.folder / "foreign"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir()
        os.chown(logs, 4242, 4242)
        words = ["-v", "/trial/foreign:/workspace/himloco_lab/logs", "himloco_lab:cpu", "-p", "scripts/train.py"]
        docker("run", "--rm", "--network", "none", "--user", "4242:4242", *words, *SMALL, *few)
        owners = {path.stat().st_uid for path in logs.rglob("model_*.pt")}
        expect(owners == {4242}, f"checkpoints belong to {owners}")
        seen.append("trained; the checkpoints are theirs")


def docker_trial(docker: Engine, table: Table) -> None:
    """All that is tried with Docker."""
    versions = docker("version", "--format", "{{.Client.Version}}").stdout.strip()
    versions += ", compose " + docker("compose", "version", "--short").stdout.strip()
    versions += ", " + docker("buildx", "version").stdout.split()[1]
    with table.line(f"build with Docker {versions}, packages from the network", needed=True) as seen:
        load_base(docker)
        with Disk(docker.root.folder) as disk:
            docker.build()
        seen.append(
            f"image {docker.size():.2f} GB; {disk.peak / 1e9:.1f} GB while building, with the cache of packages"
        )
        expect(docker.size() <= 5.0, "the image is larger than 5 GB")
    with table.line("what is in its layers") as seen:
        seen.append(docker("history", "--format", "{{.Size}}", "himloco_lab:cpu").stdout.strip().replace("\n", ", "))
    health(docker, table)
    signals(docker, table)
    commands(docker, table)
    compose(docker, table)
    confinement(docker, table)


def podman_trial(podman: Engine, table: Table, wheels: Path) -> None:
    """What is tried with podman: a build without a network from a bundle's packages."""
    version = podman("version", "--format", "{{.Client.Version}}").stdout.strip()
    expect(wheels.is_dir(), "no packages")
    with table.line(f"podman {version}: the stage that needs Debian's packages", needed=True):
        load_base(podman)
        podman.build(target="locked", tag="locked")
    with table.line("podman: build from a bundle's packages, the network off", needed=True) as seen:
        podman.root.network(False)
        try:
            expect(podman.root.run("curl", "-m", "5", "https://pypi.org", check=False).returncode, "there is a network")
            with Disk(podman.root.folder) as disk:
                podman.build("--build-context", "wheels=/trial/wheels")
        finally:
            podman.root.network(True)
        seen.append(f"image {podman.size():.2f} GB; {disk.peak / 1e9:.1f} GB while building")
        expect(podman.size() <= 5.0, "the image is larger than 5 GB")
    with table.line("podman: --format docker keeps SHELL and HEALTHCHECK") as seen:
        found = json.loads(podman("image", "inspect", "himloco_lab:cpu").stdout)[0]
        kept = found.get("HealthCheck") or found.get("Healthcheck") or found["Config"].get("Healthcheck")
        expect(kept and "docker/healthy.py" in kept["Test"], f"no health check: {kept}")
        shell = found["Config"].get("Shell") or re.findall(r"/bin/bash -o pipefail", json.dumps(found["History"]))
        expect(shell, "no SHELL")
        seen.append(" ".join(kept["Test"]))
    with table.line("podman: training, health check, stop") as seen:
        # systemd, which podman leaves the repetition to, is not there
        by_hand = ("--health-interval", "disable")
        words = ("--run_name", "trial", "--max_iterations", "4000", "agent.save_interval=5")
        podman.train("trial_train", *words, options=by_hand)
        wait_until(lambda: len(podman.models()) >= 2, GONE, "a second checkpoint", pause=3)
        podman("healthcheck", "run", "trial_train")
        podman("stop", "--time", "60", "trial_train")
        podman.ended("trial_train", 143)
        seen.append(f"healthy; exit code 143, saved as model_{podman.models()[-1]}.pt")
    podman("rm", "-af", check=False)


def main() -> int:
    """Make the trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/himloco-containers"))
    parser.add_argument("--keep", action="store_true", help="Keep roots, packages and images for the next time.")
    parser.add_argument("--only", choices=("docker", "podman"), default=None)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    table = Table(f"Containers, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}")
    root: EngineRoot | None = None
    source = args.folder / "source"
    try:
        with table.line("engines and a base image from Debian's packages", needed=True):
            debootstrap(args.folder / "engine", "trixie", ENGINE)
            prepare_base(args.folder)
            shutil.rmtree(source, ignore_errors=True)
            subprocess.run(["git", "clone", "--quiet", "--shared", REPOSITORY, source], check=True)
            root = EngineRoot(args.folder / "engine", 1, ((source, "/source"), (args.folder, "/trial")))
            configure_podman(root)
        if args.only != "podman":
            docker_trial(start_docker(root, args.folder), table)
        if args.only != "docker":
            with table.line("packages for an offline build, as tools/bundle.py fetches them", needed=True) as seen:
                wheels = prepare_wheels(args.folder)
                seen.append(f"{sum(path.stat().st_size for path in wheels.iterdir()) / 1e9:.1f} GB")
            podman_trial(Engine(root, "podman", args.folder), table, wheels)
    except TrialError as error:
        print(error, file=sys.stderr)
    finally:
        if root is not None:
            root.close()
        if not args.keep:
            shutil.rmtree(args.folder, ignore_errors=True)
    return table.print()


if __name__ == "__main__":
    raise SystemExit(main())
