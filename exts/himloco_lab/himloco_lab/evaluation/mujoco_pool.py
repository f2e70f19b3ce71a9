# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Jobs in MuJoCo, shared out among processes."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from himloco_lab.deployment.manifest import Manifest, ManifestError, Tensor
from himloco_lab.deployment.policy import (
    OnnxPolicy,
    Policy,
    RandomPolicy,
    ZeroPolicy,
    find_policy,
    open_session,
    untrained_manifest,
)
from himloco_lab.robots.description import find_description

from .suites import Job, join, load, run_job, save

SLICE = 8
"""Robots that a process takes at a time."""


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A policy for MuJoCo, as it travels to another process."""

    manifest: Manifest
    path: Path | None
    """An ONNX or TorchScript file; None for a built-in policy."""
    built_in: str = ""
    """``zero`` or ``random``."""

    def make_policy(self, seed: int, robot: int) -> Policy:
        """Open it for one robot."""
        if self.path is None:
            if self.built_in == "zero":
                return ZeroPolicy(self.manifest)
            return RandomPolicy(self.manifest, int(np.random.default_rng([seed, robot]).integers(2**31)))
        if self.path.suffix == ".onnx":
            return OnnxPolicy(self.manifest, self.path)
        return _TorchScriptPolicy(self.manifest, self.path)


class _TorchScriptPolicy:
    """A TorchScript file, one thread."""

    def __init__(self, manifest: Manifest, path: Path) -> None:
        import torch

        from himloco_lab.playing.policies import FilePolicy, PolicyError, TaskLayout

        torch.set_num_threads(1)
        layout = TaskLayout(("obs",), (manifest.input.width,), manifest.output.width)
        try:
            self._policy = FilePolicy(path, layout)
        except PolicyError as error:
            raise ManifestError(str(error)) from None

    def reset(self) -> None:
        """Do nothing: the history lies in the input."""

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return raw actions, shape ``[A]``, for an input of shape ``[1, W]``."""
        import torch
        from tensordict import TensorDict

        batch = torch.as_tensor(observation, dtype=torch.float)
        return self._policy(TensorDict({"obs": batch}, batch_size=1)).double().numpy()[0]


def contestant(name: str, path: Path | None, robot: str, newest_first: bool = False) -> Contestant:
    """Find the manifest of a policy; for one that has none, the layout of its robot.

    Args:
        name: ``zero`` or ``random``, if there is no file.
        path: An ONNX or TorchScript file.
        robot: The task's robot, as ``"module:NAME"``.
        newest_first: Whether the file's policy was trained with the newest frame first, whatever its manifest says.

    Raises:
        ManifestError: If it has a manifest that is not sound, or does not fit the robot's layout without one.
    """
    if path is None:
        return Contestant(untrained_manifest(robot), None, name)
    beside = path.with_suffix(".onnx")
    try:
        manifest, _ = find_policy(beside if path.suffix != ".onnx" and beside.is_file() else path)
    except ManifestError as error:
        if "has no manifest" not in str(error) and path.suffix == ".onnx":
            raise
        manifest = untrained_manifest(robot)
        if path.suffix == ".onnx":
            session = open_session(path)
            source, target = session.get_inputs()[0].name, session.get_outputs()[0].name
            manifest = dataclasses.replace(
                manifest,
                input=Tensor(source, manifest.input.width),
                output=Tensor(target, manifest.output.width),
            )
    if newest_first:
        turned = dataclasses.replace(manifest.observation, history_order="newest-first")
        manifest = dataclasses.replace(manifest, observation=turned)
    found = Contestant(manifest, path)
    found.make_policy(0, 0)  # says what does not fit
    return found


def measure(one: Contestant, job: Job, kept: Path, on_robots: Callable[[int], None]) -> Any:
    """Do a job with all cores. What is done when it is interrupted is not done again.

    Args:
        one: The policy.
        job: What to measure.
        kept: Folder for recordings of robots that are done; its name stands for policy and job. It is removed at the
            end.
        on_robots: Called with the number of robots whenever some are done.
    """
    slices = [range(first, min(first + SLICE, job.num_robots)) for first in range(0, job.num_robots, SLICE)]
    kept.mkdir(parents=True, exist_ok=True)
    left = [chosen for chosen in slices if not _file_of(chosen, kept).is_file()]
    on_robots(job.num_robots - sum(map(len, left)))
    workers = min(len(os.sched_getaffinity(0)), len(left))
    if left:
        with _deaf_processes(workers) as pool:
            for chosen in pool.imap_unordered(_Worker(one, job, kept), left):
                on_robots(len(chosen))
    recordings = [load(_file_of(chosen, kept)) for chosen in slices]
    shutil.rmtree(kept)
    return join(recordings)


def _file_of(robots: range, kept: Path) -> Path:
    """Where the recording of some robots lies."""
    return kept / f"{robots.start}.npz"


def _deaf_processes(count: int) -> Any:
    """Return a pool that leaves Ctrl-C to this process, which then ends it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a new process inherits it
    try:
        return multiprocessing.get_context("spawn").Pool(count)
    finally:
        signal.signal(signal.SIGINT, before)


@dataclasses.dataclass(frozen=True)
class _Worker:
    """What a process does with a slice of the robots."""

    one: Contestant
    job: Job
    kept: Path

    def __call__(self, robots: range) -> range:
        """Measure and keep; return the robots."""
        os.environ.setdefault("MUJOCO_GL", "disable")  # nothing is drawn, so a broken backend need not matter
        from .mujoco_arena import MujocoArena, with_physics_dt

        manifest = with_physics_dt(self.one.manifest, self.job.physics_dt)
        shared = self.one.make_policy(self.job.seed, 0)
        is_random = self.one.built_in == "random"

        def policy_of(robot: int) -> Policy:
            return self.one.make_policy(self.job.seed, robot) if is_random else shared

        arena = MujocoArena(manifest, find_description(manifest.robot), policy_of, robots)
        save(run_job(arena, self.job, robots), _file_of(robots, self.kept))
        return robots
