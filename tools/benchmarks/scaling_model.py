# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A model on paper of training on many GPUs: nothing here is measured but the bytes, which come from the learner."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Link:
    """A connection between GPUs. The values are assumptions."""

    bandwidth: float
    """What one reduction gets of it, in each direction [B/s]."""
    latency: float
    """From a GPU to the next one, software included [s]."""


@dataclass(frozen=True)
class Cluster:
    """Machines that are alike."""

    name: str
    """What the tables call it."""
    gpus_per_machine: int
    """GPUs that one machine has."""
    inside: Link
    """Between them."""
    outside: Link
    """Between machines: the one that a GPU has to itself, or that a machine's GPUs share."""
    shared: bool
    """Whether they share it."""


NVLINK = Link(300.0e9, 3.0e-6)
"""NVLink 4: 450 GB/s in each direction by its data sheet, of which reductions are taken to get two thirds."""
PCIE = Link(20.0e9, 10.0e-6)
"""PCIe 4.0 x16: 32 GB/s in each direction, of which 20 are taken to arrive."""
INFINIBAND = Link(40.0e9, 5.0e-6)
"""NDR InfiniBand, 400 Gbit/s a GPU: 80 % of 50 GB/s."""
ETHERNET_100 = Link(10.0e9, 30.0e-6)
"""100 Gbit/s over TCP: 80 % of 12.5 GB/s."""
ETHERNET_10 = Link(1.0e9, 50.0e-6)
"""10 Gbit/s over TCP: 80 % of 1.25 GB/s."""

CLUSTERS = (
    Cluster("8 GPUs a machine, NVLink, InfiniBand", 8, NVLINK, INFINIBAND, shared=False),
    Cluster("8 GPUs a machine, PCIe, Ethernet 100 Gbit/s", 8, PCIE, ETHERNET_100, shared=True),
    Cluster("1 GPU a machine, Ethernet 10 Gbit/s", 1, PCIE, ETHERNET_10, shared=True),
)
"""What is looked at."""


@dataclass(frozen=True)
class Work:
    """One GPU's iteration with all robots. The values are assumptions unless somebody measures them."""

    iteration: float = 3.6
    """Time [s]: 4,096 robots x 100 steps in 3.6 s on an RTX 4090 is what HIM's paper amounts to (1,000 in an hour)."""
    update_share: float = 0.25
    """Share of the update in it."""
    steps: int = 50
    """Steps of a rollout."""
    optimizer_steps: int = 40
    """Optimizer steps of an update."""
    step_floor: float = 0.012
    """Least time of an environment step, with however few robots: the launches of its kernels [s]."""
    optimizer_floor: float = 0.004
    """Least time of an optimizer step, with however few samples [s]."""
    call: float = 40.0e-6
    """What a reduction costs however small it is: launch, and that the next operation waits for it [s]."""
    jitter: float = 0.02
    """Standard deviation of the time of a rollout, from GPU to GPU and time to time, as a share of it."""

    @property
    def rollout(self) -> float:
        """Time of a rollout with all robots [s]."""
        return self.iteration * (1.0 - self.update_share)

    @property
    def update(self) -> float:
        """Time of an update with all samples [s]."""
        return self.iteration * self.update_share


def reduction_time(size: int, gpus: int, cluster: Cluster, call: float) -> float:
    """Time of one all-reduce [s].

    Inside a machine and between machines alike 2 (n - 1) / n of the bytes pass a link, as in a ring, and there are
    2 log2 n latencies, as in a tree: what NCCL can choose between. Between machines every GPU sends its share of the
    bytes over a link of its own, or all of them over the one that the machine has.

    Args:
        size: Bytes.
        gpus: How many reduce.
        cluster: Where.
        call: See :class:`Work`.
    """
    if gpus == 1:
        return 0.0
    inside = min(gpus, cluster.gpus_per_machine)
    machines = math.ceil(gpus / cluster.gpus_per_machine)
    between = size if cluster.shared else size / inside
    return call + _link_time(size, inside, cluster.inside) + _link_time(between, machines, cluster.outside)


def _link_time(size: float, count: int, link: Link) -> float:
    if count == 1:
        return 0.0
    return 2.0 * (count - 1) / count * size / link.bandwidth + 2.0 * math.ceil(math.log2(count)) * link.latency


def communication_time(calls: Mapping[int, int], gpus: int, cluster: Cluster, call: float) -> float:
    """Time of all reductions of an iteration, one after the other [s].

    Args:
        calls: Size of a reduction [B] -> how many there are.
        gpus: How many reduce.
        cluster: Where.
        call: See :class:`Work`.
    """
    return sum(count * reduction_time(size, gpus, cluster, call) for size, count in calls.items())


def predict(calls: Mapping[int, int], gpus: int, cluster: Cluster, work: Work) -> dict[str, float]:
    """What the model says of so many GPUs.

    Args:
        calls: Size of a reduction [B] -> how many there are in an iteration.
        gpus: How many.
        cluster: Where.
        work: What one of them does alone.

    Returns:
        Seconds of an iteration's reductions, of waiting for the slowest, and of an iteration where every GPU has all
        robots (weak) and where they share them (strong); efficiencies, as shares of what so many GPUs could do; and
        the strong speed-up.
    """
    reducing = communication_time(calls, gpus, cluster, work.call)
    slowest = work.jitter * _largest_of(gpus)
    weak = work.iteration + slowest * work.rollout + reducing
    step_floors, optimizer_floors = work.steps * work.step_floor, work.optimizer_steps * work.optimizer_floor
    rollout = step_floors + max(work.rollout - step_floors, 0.0) / gpus
    update = optimizer_floors + max(work.update - optimizer_floors, 0.0) / gpus
    strong = rollout * (1.0 + slowest) + update + reducing
    return {
        "reducing_s": reducing,
        "waiting_s": slowest * work.rollout,
        "weak_s": weak,
        "weak_efficiency": work.iteration / weak,
        "strong_s": strong,
        "strong_speedup": work.iteration / strong,
        "strong_efficiency": work.iteration / strong / gpus,
    }


def _largest_of(count: int) -> float:
    """Expected value of the largest of so many standard normal numbers, within 5 % (Blom's approximation)."""
    return NormalDist().inv_cdf((count - 0.375) / (count + 0.25))


def pays_until(rows: list[dict[str, float]], efficiency: str, least: float = 0.5) -> int:
    """Return the largest number of GPUs up to which an efficiency stays above a share.

    Args:
        rows: From :func:`predict`, with ``gpus``, in ascending order.
        efficiency: Which key.
        least: The share.
    """
    best = 1
    for row in rows:
        if row[efficiency] < least:
            break
        best = int(row["gpus"])
    return best
