# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The log of a run on a robot: every step of the policy, to be replayed and plotted afterwards.

A file is one line of JSON, which names policy, joints and fields, and then one binary record for every step. It grows
while the robot runs, so that a run that is killed leaves all but its last second.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from himloco_lab.deployment.manifest import Manifest
from himloco_lab.deployment.observations import ObservationBuilder, RobotState
from himloco_lab.deployment.policy import Policy

from .controller import Phase, Step

Array = np.ndarray

FORMAT = "himloco-run/1"
PHASES = tuple(Phase)
"""Phases by the number that a record holds."""

_FLUSH_TIME = 1.0  # [s]


class LogError(ValueError):
    """A file that is no log of a run."""


def _dtype(joints: int, actions: int) -> np.dtype:
    return np.dtype(
        [
            ("time", "f8"),
            ("tick", "u4"),
            ("phase", "u1"),
            ("restarted", "u1"),
            ("quaternion", "f8", (4,)),
            ("base_ang_vel", "f8", (3,)),
            ("projected_gravity", "f8", (3,)),
            ("joint_pos", "f8", (joints,)),
            ("joint_vel", "f8", (joints,)),
            ("command", "f8", (4,)),
            ("action", "f8", (actions,)),
            ("target", "f8", (joints,)),
            ("stiffness", "f4", (joints,)),
            ("damping", "f4", (joints,)),
        ]
    )


class RunLog:
    """Writes steps as they come."""

    def __init__(self, path: Path, joints: tuple[str, ...], actions: int, about: Mapping[str, Any]) -> None:
        """Begin a file.

        Args:
            path: The file; its folder is made.
            joints: Names of the joints of a reading, in its order.
            actions: Width of an action.
            about: What else shall stand at the file's beginning.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._dtype = _dtype(len(joints), actions)
        self._file = path.open("wb")
        self._flushed = time.monotonic()
        head = {"format": FORMAT, "joints": joints, "actions": actions, **about}
        self._file.write(json.dumps(head).encode() + b"\n")

    def add(self, step: Step) -> None:
        """Write a step."""
        record = np.zeros((), self._dtype)
        reading = step.reading
        record["time"], record["tick"] = step.time, reading.tick
        record["phase"], record["restarted"] = PHASES.index(step.phase), step.restarted
        record["quaternion"], record["base_ang_vel"] = reading.quaternion, reading.base_ang_vel
        record["projected_gravity"] = reading.projected_gravity
        record["joint_pos"], record["joint_vel"] = reading.joint_pos, reading.joint_vel
        record["command"], record["action"] = step.command, step.action
        record["target"] = step.targets.joint_pos
        record["stiffness"], record["damping"] = step.targets.stiffness, step.targets.damping
        self._file.write(record.tobytes())
        if time.monotonic() - self._flushed > _FLUSH_TIME:
            self.flush()

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._file.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """End the file."""
        self._file.close()


def load_log(path: Path) -> tuple[dict[str, Any], Array]:
    """Return what stands at a log's beginning, and its records, shape ``[T]``; a last one that is cut off is left out.

    Raises:
        LogError: If the file is no log.
    """
    try:
        head, _, content = path.read_bytes().partition(b"\n")
        about = json.loads(head)
        dtype = _dtype(len(about["joints"]), int(about["actions"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LogError(
            f"{path} is no log of a run ({type(error).__name__}): name a file that deploy.py wrote"
        ) from error
    return about, np.frombuffer(content, dtype, len(content) // dtype.itemsize)


def replay(manifest: Manifest, policy: Policy, records: Array) -> float:
    """Run the policy on what the robot measured, and return the largest difference of its actions.

    Args:
        manifest: The policy's manifest.
        policy: The policy.
        records: From :func:`load_log`, shape ``[T]``.
    """
    builder, joints = ObservationBuilder(manifest), len(manifest.joints)
    action, largest = np.zeros(manifest.output.width), 0.0
    for record in records[records["phase"] == PHASES.index(Phase.POLICY)]:
        if record["restarted"]:
            builder.reset()
            action = np.zeros(manifest.output.width)
        state = RobotState(
            record["base_ang_vel"],
            record["projected_gravity"],
            record["joint_pos"][:joints],
            record["joint_vel"][:joints],
        )
        action = policy(builder.observe(state, record["command"], action))
        largest = max(largest, float(np.abs(action - record["action"]).max()))
        action = record["action"].copy()
    return largest


def plot(about: Mapping[str, Any], records: Array, path: Path) -> None:
    """Draw a run: command, turning, tilt, and for every joint where it was and was asked to be.

    Args:
        about: From :func:`load_log`.
        records: Likewise, shape ``[T]``.
        path: Picture to write, such as ``run.png``.
    """
    from matplotlib.figure import Figure

    seconds = records["time"] - records["time"][0] if len(records) else records["time"]
    names = about["joints"]
    rows = 1 + -(-len(names) // 3)
    figure = Figure(figsize=(16, 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, 3, squeeze=False)
    axes[0, 0].plot(seconds, records["command"], label=("vx", "vy", "yaw rate", "height"))
    axes[0, 1].plot(seconds, records["base_ang_vel"], label=("x", "y", "z"))
    axes[0, 2].plot(seconds, np.degrees(np.arccos(np.clip(-records["projected_gravity"][:, 2], -1.0, 1.0))))
    for axis, title in zip(axes[0], ("command", "angular velocity [rad/s]", "tilt [degrees]"), strict=True):
        axis.set_title(title)
    axes[0, 0].legend()
    for index, name in enumerate(names):
        axis = axes[1 + index // 3, index % 3]
        axis.plot(seconds, records["target"][:, index], lw=0.8, label="target")
        axis.plot(seconds, records["joint_pos"][:, index], lw=0.8, label="joint")
        axis.set_title(f"{name} [rad]", fontsize=8)
    figure.savefig(path)
