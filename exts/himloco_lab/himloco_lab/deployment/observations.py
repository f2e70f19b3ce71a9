# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""From a robot's raw state to the network's flat input, exactly as the manifest says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from himloco_lab.robots.policy_layout import HEIGHT, VELOCITY

from .manifest import JOINT_TERMS, SCAN_TERM, Manifest, ManifestError, Term

Array = np.ndarray

KNOWN_TERMS = {
    "velocity_command": 3,
    "height_command": 1,
    "base_ang_vel": 3,
    "projected_gravity": 3,
    "joint_pos": None,
    "joint_vel": None,
    "actions": None,
    SCAN_TERM: None,
}
"""Terms that a robot can measure, with their width; None where the joints, the action or the points decide."""


@dataclass(frozen=True)
class RobotState:
    """What the IMU and the joint encoders of a robot measure, and its map of the ground if it has one."""

    base_ang_vel: Array
    """Angular velocity of the base in its own frame [rad/s], shape ``[3]``."""

    projected_gravity: Array
    """Unit vector of gravity in the base's frame, shape ``[3]``."""

    joint_pos: Array
    """[rad], in the manifest's order, shape ``[J]``."""

    joint_vel: Array
    """[rad/s], in the manifest's order, shape ``[J]``."""

    height_scan: Array | None = None
    """Height of the base above the ground at the points of the manifest's scan [m], shape ``[P]``."""


class FrameHistory:
    """The last frames; the first one after a reset fills all."""

    def __init__(self, length: int, width: int, newest_first: bool = False) -> None:
        """Create an empty history.

        Args:
            length: Number of frames H.
            width: Values of a frame W.
            newest_first: Whether the flat vector begins with the newest frame.
        """
        self._frames = np.zeros((length, width), np.float32)  # [H, W], oldest first
        self._newest_first = newest_first
        self._is_empty = True

    def reset(self) -> None:
        """Forget all frames."""
        self._is_empty = True

    def append(self, frame: Array) -> Array:
        """Take a frame, shape ``[W]``, and return all of them in one vector, shape ``[H * W]``."""
        if self._is_empty:
            self._frames[:] = frame
            self._is_empty = False
        else:
            self._frames[:-1] = self._frames[1:].copy()
            self._frames[-1] = frame
        frames = self._frames[::-1] if self._newest_first else self._frames
        return frames.reshape(-1).copy()


class _Terms:
    """Some terms side by side, and what all their values are shifted by, clipped to and scaled with: arrays ``[W]``."""

    def __init__(self, terms: tuple[Term, ...], places: Mapping[str, int]) -> None:
        """Lay them out.

        Args:
            terms: The terms.
            places: Where a joint stands in a robot's state.
        """
        self.terms = terms
        self.joint_ids = [[places[name] for name in term.joints or ()] for term in terms]
        self._offset = _spread((term, term.offset or 0.0) for term in terms)
        self._low = _spread((term, -np.inf if term.clip is None else term.clip[0]) for term in terms)
        self._high = _spread((term, np.inf if term.clip is None else term.clip[1]) for term in terms)
        self._scale = _spread((term, term.scale) for term in terms)

    def finish(self, raw: list[Array]) -> Array:
        """Return the values that the network sees, shape ``[W]``, for those of each term."""
        return np.minimum(np.maximum(np.concatenate(raw) - self._offset, self._low), self._high) * self._scale


def _spread(values: Iterable[tuple[Term, float | tuple[float, ...]]]) -> Array:
    """Return one number for every value of every term."""
    return np.concatenate([np.broadcast_to(value, term.width) for term, value in values] or [np.zeros(0)])


class ObservationBuilder:
    """Builds the input of a policy step after step."""

    def __init__(self, manifest: Manifest) -> None:
        """Look the joints up and lay out the frame.

        Args:
            manifest: The policy's manifest.

        Raises:
            ManifestError: If it asks for something that a robot state does not hold, such as a picture.
        """
        self._observation = manifest.observation
        for term in (*self._observation.terms, *self._observation.extra):
            _check_term(term)
        self._default_pos = np.array([joint.default_pos for joint in manifest.joints])
        places = {name: place for place, name in enumerate(manifest.joint_names)}
        self._frame = _Terms(self._observation.terms, places)
        self._extra = _Terms(self._observation.extra, places)
        newest_first = self._observation.history_order == "newest-first"
        self._history = FrameHistory(self._observation.history_length, self._observation.frame_width, newest_first)

    def reset(self) -> None:
        """Begin a new episode: the next frame fills the history."""
        self._history.reset()

    def frame(self, state: RobotState, command: Array, last_action: Array) -> Array:
        """Return one frame of scaled values, shape ``[W]``.

        Args:
            state: What the robot measures.
            command: vx, vy [m/s], yaw rate [rad/s], height [m]; shape ``[4]``.
            last_action: The policy's last raw output; zeros before the first. Shape ``[A]``.
        """
        return self._values(self._frame, state, command, last_action)

    def _values(self, layout: _Terms, state: RobotState, command: Array, last_action: Array) -> Array:
        """Return the scaled values of some terms, one after the other."""
        raw = {
            "velocity_command": command[VELOCITY],
            "height_command": command[HEIGHT : HEIGHT + 1],
            "base_ang_vel": state.base_ang_vel,
            "projected_gravity": state.projected_gravity,
            "joint_pos": state.joint_pos - self._default_pos,
            "joint_vel": state.joint_vel,
            "actions": last_action,
            SCAN_TERM: state.height_scan,
        }
        parts = []
        for term, joint_ids in zip(layout.terms, layout.joint_ids, strict=True):
            value = raw[term.name]
            if value is None:
                raise ManifestError(f"the policy sees {term.name}, but this robot has no map of the ground")
            if term.name in JOINT_TERMS:
                value = value[joint_ids]
            if value.shape != (term.width,):
                raise ValueError(f"{term.name} has shape {list(value.shape)}, the manifest says [{term.width}].")
            parts.append(value)
        return layout.finish(parts)

    def observe(self, state: RobotState, command: Array, last_action: Array) -> Array:
        """Append a frame and return the network's input: the history, then what has none; shape ``[1, W]`` (float32).

        Args:
            state: What the robot measures.
            command: vx, vy [m/s], yaw rate [rad/s], height [m]; shape ``[4]``.
            last_action: The policy's last raw output, shape ``[A]``.

        Raises:
            ManifestError: If the policy sees the ground and the state says nothing of it.
        """
        flat = self._history.append(self.frame(state, command, last_action))
        if self._observation.extra:
            extra = self._values(self._extra, state, command, last_action)
            flat = np.concatenate([flat, extra.astype(np.float32)])
        limit = self._observation.clip_input
        return (flat if limit is None else flat.clip(-limit, limit))[None, :]


def _check_term(term: Term) -> None:
    if term.name not in KNOWN_TERMS:
        raise ManifestError(
            f"the policy sees {term.name!r}, which is not built here: use a policy of {', '.join(KNOWN_TERMS)}"
        )
    width = KNOWN_TERMS[term.name]
    if width is not None and term.width != width:
        raise ManifestError(f"observation.terms.{term.name}.width {term.width}: it has {width} values")
