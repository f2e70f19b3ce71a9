# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""docker/cluster in a real Slurm with Apptainer and real trainings: ``python tests/trials/slurm.py`` (root).

``--sif FILE`` takes an image that exists; otherwise one is built by Docker as containers.py does, and converted. Slurm
and Apptainer come from Debian's packages and run in a root folder of their own, two slurmd with host names of their
own in it. Needs debootstrap, iproute2, about 30 GB below ``--folder``, and this repository's environment
(``./himloco.sh -p tests/trials/slurm.py``). Prints a table, removes what it made, and fails where a line fails. Not
collected by pytest.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from containers import CURVES, ENGINE, load_base, prepare_base, start_docker
from engine_root import REPOSITORY, Disk, EngineRoot, Table, TrialError, debootstrap, expect, wait_until

PACKAGES = ("apptainer", "slurmctld", "slurmd", "slurm-client", "munge", "squashfs-tools", "squashfuse", "iptables")
PACKAGES += ("iproute2", "procps", "ca-certificates", "fuse-overlayfs")
CONFIGURATION = """ClusterName=trial
SlurmctldHost=node0(127.0.0.1)
AuthType=auth/munge
CredType=cred/munge
SlurmUser=root
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd.%n
SlurmdPidFile=/run/slurmd.%n.pid
SlurmctldLogFile=/var/log/slurmctld.log
SlurmdLogFile=/var/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmdTimeout=30
KillWait=30
MinJobAge=3600
MpiDefault=none
SlurmdParameters=config_overrides
NodeName=node0 NodeAddr=127.0.0.1 Port=17001 CPUs=8 RealMemory=16000
NodeName=node1 NodeAddr=127.0.0.1 Port=17002 CPUs=2 RealMemory=16000
PartitionName=main Nodes=node0 Default=YES PriorityTier=1 PreemptMode=OFF MaxTime=INFINITE
PartitionName=low Nodes=node1 PriorityTier=1 PreemptMode=REQUEUE MaxTime=INFINITE
PartitionName=high Nodes=node1 PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE
PartitionName=both Nodes=node0,node1 PriorityTier=1 PreemptMode=OFF MaxTime=INFINITE
"""
SMALL = ("--num_envs", "8", "agent.num_steps_per_env=24", "agent.save_interval=5")
PATIENCE = 1500.0
"""Seconds after which a job has failed."""
TWO_NODES = """#!/bin/bash
#SBATCH --nodes=2 --ntasks-per-node=1 --partition=both --time=1:00:00 --output=/trial/jobs/two_nodes.out
export APPTAINERENV_GLOO_SOCKET_IFNAME=lo APPTAINERENV_TP_SOCKET_IFNAME=lo
srun bash -c 'exec apptainer exec --containall --pwd /workspace/himloco_lab \
    --bind /trial/jobs/two_$SLURM_NODEID:/workspace/himloco_lab/logs,/trial/jobs/cache:/cache \
    --env XDG_CACHE_HOME=/cache,OMP_NUM_THREADS=1 /trial/himloco_lab.sif ./himloco.sh -p -m torch.distributed.run \
    --nnodes 2 --nproc_per_node 1 --max_restarts 1 --rdzv_backend c10d --rdzv_endpoint 127.0.0.1:29400 \
    --rdzv_id two --rdzv_conf is_host=$((SLURM_NODEID == 0)) --local_addr 127.0.0.1 scripts/train.py --distributed \
    --task Himloco-G1-Flat-v0 --experiment_name two --run_name two --seed 1 --max_iterations 40 "$@"' srun "$@"
"""
"""A job of two nodes, as docs/scaling.md starts many machines."""


class Cluster:
    """Slurm in the root, with a normal user's jobs."""

    def __init__(self, root: EngineRoot, folder: Path) -> None:
        """Start munge, slurmctld and two slurmd; *folder* is seen in the root as /trial."""
        self.root, self.folder, self.jobs = root, folder, folder / "jobs"
        shutil.rmtree(self.jobs, ignore_errors=True)
        self.jobs.mkdir()
        os.chown(self.jobs, 1000, 1000)
        root.run("hostname", "node0")
        etc = root.folder / "etc"
        (etc / "hosts").write_text("127.0.0.1 localhost node0 node1\n")
        (etc / "slurm").mkdir(exist_ok=True)
        (etc / "slurm/slurm.conf").write_text(CONFIGURATION)
        root.run("bash", "-c", "id trainer >/dev/null 2>&1 || useradd --uid 1000 --create-home trainer")
        root.run("bash", "-c", "mkdir -p /var/spool/slurmctld /var/spool/slurmd.node{0,1} /run/munge /var/lib/munge")
        munge = "[ -s /etc/munge/munge.key ] || mungekey -c; chown -R munge: /etc/munge /run/munge /var/lib/munge"
        root.run("bash", "-c", f"{munge} /var/log/munge; chmod 755 /run/munge; runuser -u munge -- munged")
        root.start(folder / "slurmctld.log", "nice", "-n", "19", "slurmctld", "-D", "-c")
        self.start_node(0)
        self.start_node(1)
        wait_until(
            lambda: root.run("sinfo", "-h", "-N", "-o", "%t").stdout.split().count("idle") >= 4, 120, "two nodes"
        )

    def start_node(self, number: int) -> None:
        """Start a slurmd that finds itself in the configuration by its host name."""
        words = f"hostname node{number}; exec nice -n 19 slurmd -D"
        self.root.start(self.folder / f"slurmd{number}.log", "unshare", "--uts", "bash", "-c", words)

    def user(self, command: str, check: bool = True) -> str:
        """Run a command line as a normal user and return what it printed."""
        done = self.root.run("runuser", "-u", "trainer", "--", "bash", "-c", f"cd; {command}", check=check)
        return done.stdout + done.stderr

    def submit(self, name: str, arguments: tuple[str, ...] = SMALL, **settings: str) -> int:
        """Submit a job by submit.sh, with *settings* changed, and return its number."""
        values = {"JOB_NAME": name, "TASK": "Himloco-G1-Flat-v0", "EXPERIMENT": "trial", "MAX_ITERATIONS": "100"}
        values |= {"SEEDS": "1", "FIRST_SEED": "1", "IMAGE": "/trial/himloco_lab.sif", "LOG_DIR": "/trial/jobs/logs"}
        values |= {"CACHE_DIR": "/trial/jobs/cache", "TIME": "1:00:00", "CPUS": "1", "MEMORY": "2G", "GPUS": "0"}
        values |= {"MAX_RESTARTS": "5", **settings}
        (self.jobs / f"{name}.env").write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        told = self.user(f"/source/docker/cluster/submit.sh /trial/jobs/{name}.env {' '.join(arguments)}")
        return int(told.split()[-1])

    def show(self, job: str) -> dict[str, str]:
        """Return what Slurm says of a job or of a task of an array."""
        told = self.root.run("scontrol", "show", "job", job, check=False).stdout
        return dict(word.split("=", 1) for word in told.split() if "=" in word)

    def state(self, job: str) -> str:
        """Return a job's state."""
        return self.show(job).get("JobState", "gone")

    def wait(self, job: str, *states: str, seconds: float = PATIENCE) -> float:
        """Wait until a job is in one of the states."""

        def reached() -> bool:
            state = self.state(job)
            expect(state in states or state in ("PENDING", "RUNNING", "COMPLETING"), f"job {job} is {state}")
            return state in states

        return wait_until(reached, seconds, f"{' or '.join(states)} of job {job}")

    def models(self, name: str, seed: int = 1) -> list[int]:
        """Return the iterations of the checkpoints of a seed; it must have one run only."""
        runs = list((self.jobs / "logs/rsl_rl/trial").glob(f"*_{name}_seed{seed}"))
        expect(len(runs) <= 1, f"{name} has {len(runs)} runs")
        return sorted(int(path.stem.removeprefix("model_")) for run in runs for path in run.glob("model_*.pt"))

    def wait_for_models(self, name: str, count: int) -> None:
        """Wait until a job has so many checkpoints."""
        wait_until(lambda: len(self.models(name)) >= count, PATIENCE, f"checkpoint {count} of {name}")

    def once_each(self, name: str, count: int, seed: int = 1) -> str:
        """Tell that a seed's curves hold every iteration exactly once, or raise."""
        (self.jobs / "curves.py").write_text(CURVES)
        told = self.user(
            "apptainer exec --containall --bind /trial/jobs:/trial/jobs --pwd /workspace/himloco_lab"
            " /trial/himloco_lab.sif ./himloco.sh -p /trial/jobs/curves.py"
            f" '/trial/jobs/logs/rsl_rl/trial/*_{name}_seed{seed}'"
        )
        steps = [int(word) for word in re.findall(r"^steps (.*)$", told, re.MULTILINE)[-1].split()]
        expect(steps == list(range(count)), f"not each of {count} iterations once: {steps}")
        return f"each of {count} iterations once"

    def output(self, name: str, seed: int = 0) -> str:
        """Return what a job's task has printed."""
        file = self.jobs / f"logs/slurm-{name}-{seed}.out"
        return file.read_text(errors="replace") if file.exists() else ""


def build_image(folder: Path, table: Table) -> None:
    """Build the image from the Dockerfile by Docker and leave it as a docker archive."""
    with table.line("image built by Docker, saved as an archive", needed=True) as seen:
        debootstrap(folder / "engine", "trixie", ENGINE)
        prepare_base(folder)
        root = EngineRoot(folder / "engine", 1, ((folder / "source", "/source"), (folder, "/trial")))
        try:
            docker = start_docker(root, folder)
            load_base(docker)
            docker.build()
            docker("save", "-o", "/trial/image.tar", "himloco_lab:cpu")
            seen.append(f"image {docker.size():.2f} GB, archive {(folder / 'image.tar').stat().st_size / 1e9:.2f} GB")
        finally:
            root.close()
            shutil.rmtree(folder / "engine/var/lib/docker", ignore_errors=True)


def convert(root: EngineRoot, folder: Path, table: Table) -> None:
    """Make the archive a SIF file."""
    version = root.run("apptainer", "version").stdout.strip()
    with table.line(f"apptainer {version} build himloco_lab.sif docker-archive:image.tar", needed=True) as seen:
        (folder / "tmp").mkdir(exist_ok=True)
        environment = ("env", "APPTAINER_TMPDIR=/trial/tmp", "APPTAINER_CACHEDIR=/trial/tmp")
        with Disk(folder) as disk:
            words = ("apptainer", "build", "--force", "/trial/himloco_lab.sif", "docker-archive:/trial/image.tar")
            root.run("nice", "-n", "19", *environment, *words)
        size = (folder / "himloco_lab.sif").stat().st_size
        seen.append(f"{size / 1e9:.2f} GB; {(disk.peak - size) / 1e9:.1f} GB more while building (APPTAINER_TMPDIR)")
        shutil.rmtree(folder / "tmp")


def jobs(cluster: Cluster, table: Table) -> None:
    """The array and the single jobs, side by side."""
    with table.line("a wrong command line") as seen:
        job = cluster.submit("wrong", ("--no_such_flag",))
        cluster.wait(f"{job}_0", "FAILED")
        shown = cluster.show(f"{job}_0")
        seen.append(f"FAILED, exit code {shown['ExitCode']}, restarts {shown['Restarts']}")
        expect(shown["ExitCode"] == "2:0" and shown["Restarts"] == "0", "not once with exit code 2")
    limited = cluster.submit("limited", TIME="0:04:00")
    array = cluster.submit("array", SEEDS="2")
    preempted = cluster.submit("preempted", PARTITION="low", CPUS="2")
    started = time.monotonic()
    with table.line("array of two seeds, scontrol requeue of one of them") as seen:
        cluster.wait_for_models("array", 2)
        cluster.root.run("scontrol", "requeue", f"{array}_0")
        cluster.wait(f"{array}_0", "PENDING")
        seen.append(f"back in the queue with model_{cluster.models('array')[-1]}.pt")
        wait = cluster.wait(f"{array}_0", "RUNNING")
        seen.append(f"running again after {wait:.0f} s")
    with table.line("preemption by a partition of higher priority") as seen:
        cluster.wait_for_models("preempted", 2)
        hold = "sbatch --parsable --partition high --cpus-per-task 2 --output /dev/null --wrap 'sleep 20'"
        higher = cluster.user(hold).split()[-1]
        cluster.wait(higher, "COMPLETED")
        cluster.wait(f"{preempted}_0", "RUNNING", "COMPLETED")
        cluster.wait(f"{preempted}_0", "COMPLETED")
        seen.append(f"restarts {cluster.show(f'{preempted}_0')['Restarts']}; {cluster.once_each('preempted', 100)}")
    with table.line("the array's end") as seen:
        for task in (0, 1):
            cluster.wait(f"{array}_{task}", "COMPLETED")
        restarts = [cluster.show(f"{array}_{task}")["Restarts"] for task in (0, 1)]
        seen.append(f"restarts {' and '.join(restarts)}; seeds 1, 2: {cluster.once_each('array', 100)}")
        cluster.once_each("array", 100, seed=2)
    with table.line("time limit of 4 minutes, USR1 (started with the array)") as seen:
        cluster.wait(f"{limited}_0", "COMPLETED", "FAILED")
        shown, told = cluster.show(f"{limited}_0"), cluster.output("limited")
        expect(shown["JobState"] == "COMPLETED", f"failed: {told[-800:]}")
        seen.append(f"restarts {shown['Restarts']}, COMPLETED after {time.monotonic() - started:.0f} s")
        seen.append(cluster.once_each("limited", 100))


def ends(cluster: Cluster, table: Table) -> None:
    """What must not go on for ever: a node that is lost, a cancelled job, a limit that is too short."""
    short = cluster.submit("short", TIME="0:03:00", MAX_ITERATIONS="4000", FIRST_SEED="9")
    lost = cluster.submit("lost", PARTITION="low", CPUS="2")
    cancelled = cluster.submit("cancelled", MAX_ITERATIONS="4000")
    with table.line("scancel") as seen:
        cluster.wait_for_models("cancelled", 2)
        cluster.user(f"scancel {cancelled}")
        cluster.wait(f"{cancelled}_0", "CANCELLED")
        wait_until(lambda: "ended with" in cluster.output("cancelled"), 60, "the end of the training")
        seen.append(f"CANCELLED, restarts {cluster.show(f'{cancelled}_0')['Restarts']}")
        seen.append(f"saved as model_{cluster.models('cancelled')[-1]}.pt")
        cluster.once_each("cancelled", cluster.models("cancelled")[-1] + 1)
    with table.line("a node is lost: its slurmd and the job's processes killed") as seen:
        cluster.wait_for_models("lost", 2)
        listed = cluster.root.run("ps", "-eo", "pid,args").stdout
        number = cluster.show(f"{lost}_0")["JobId"]
        victims = cluster.root.run("cat", "/run/slurmd.node1.pid").stdout.split()
        # first what would tell slurmctld how the job has ended
        for name in (rf"slurmstepd: \[{number}\.", "lost_seed1|/lost\\.env"):
            victims += re.findall(rf"^ *(\d+) .*(?:{name}).*$", listed, re.MULTILINE)
        cluster.root.run("kill", "-KILL", *victims, check=False)
        waited = cluster.wait(f"{lost}_0", "PENDING", seconds=300)
        seen.append(f"queued again after {waited:.0f} s with model_{cluster.models('lost')[-1]}.pt")
        cluster.start_node(1)
        cluster.wait(f"{lost}_0", "COMPLETED")
        seen.append(f"restarts {cluster.show(f'{lost}_0')['Restarts']}; {cluster.once_each('lost', 100)}")
    with table.line("a time limit of 3 minutes") as seen:
        cluster.wait(f"{short}_0", "FAILED", "COMPLETED", seconds=900)
        told = [line for line in cluster.output("short").splitlines() if line.startswith("job.slurm:")]
        seen.append(f"{cluster.state(f'{short}_0')}, restarts {cluster.show(f'{short}_0')['Restarts']}: {told[-2:]}")
        expect(
            "no new checkpoint" in cluster.output("short") or cluster.models("short", 9), "it neither ran nor said why"
        )


def two_nodes(cluster: Cluster, table: Table) -> None:
    """One training on two nodes, a process of which is killed."""
    with table.line("two nodes: srun torchrun, a process of the second killed") as seen:
        for number in (0, 1):
            (cluster.jobs / f"two_{number}").mkdir()
            os.chown(cluster.jobs / f"two_{number}", 1000, 1000)
        (cluster.jobs / "two_nodes.sh").write_text(TWO_NODES)
        job = cluster.user(f"sbatch --parsable /trial/jobs/two_nodes.sh {' '.join(SMALL)}").split()[-1]
        models = cluster.jobs / "two_0"
        wait_until(lambda: len(list(models.rglob("model_*.pt"))) >= 2, PATIENCE, "a second checkpoint")
        listed = cluster.root.run("pgrep", "-f", "scripts/train.py --distributed").stdout.split()
        ranks = {}
        for pid in listed:
            environment = cluster.root.run("cat", f"/proc/{pid}/environ", check=False).stdout.split("\0")
            rank = [entry[5:] for entry in environment if entry.startswith("RANK=")]
            if rank:
                ranks[rank[0]] = pid
        cluster.root.run("kill", "-KILL", ranks["1"])
        cluster.wait(job, "COMPLETED", "FAILED")
        told = (cluster.jobs / "two_nodes.out").read_text()
        expect(cluster.state(job) == "COMPLETED", f"failed: {told[-1500:]}")
        expect(not list((cluster.jobs / "two_1").rglob("model_*.pt")), "the second node wrote checkpoints")
        last = max(int(path.stem.removeprefix("model_")) for path in models.rglob("model_*.pt"))
        expect(last == 39, f"the last checkpoint is {last}")
        seen.append("started again by torchrun and COMPLETED with all 40 iterations; only the first node wrote")


def main() -> int:
    """Make the trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/himloco-slurm"))
    parser.add_argument("--sif", type=Path, default=None, help="An image to use; one is built when omitted.")
    parser.add_argument("--keep", action="store_true", help="Keep roots and images for the next time.")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    table = Table(f"Slurm and Apptainer, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}")
    source, image = args.folder / "source", args.folder / "himloco_lab.sif"
    root: EngineRoot | None = None
    try:
        shutil.rmtree(source, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", "--shared", REPOSITORY, source], check=True)
        if args.sif is not None and args.sif.resolve() != image.resolve():
            shutil.copy(args.sif, image)
        elif args.sif is None and not (args.folder / "image.tar").exists():
            build_image(args.folder, table)
        with table.line("Slurm and Apptainer from Debian's packages", needed=True):
            debootstrap(args.folder / "slurm", "sid", PACKAGES)
            root = EngineRoot(args.folder / "slurm", 2, ((source, "/source"), (args.folder, "/trial")))
        if args.sif is None:
            convert(root, args.folder, table)
            (args.folder / "image.tar").unlink()
        with table.line("munge, slurmctld, two slurmd", needed=True) as seen:
            cluster = Cluster(root, args.folder)
            seen.append(root.run("sinfo", "--version").stdout.strip())
        jobs(cluster, table)
        ends(cluster, table)
        two_nodes(cluster, table)
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
