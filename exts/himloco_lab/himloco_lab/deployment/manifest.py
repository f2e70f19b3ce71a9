# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The policy manifest: everything one needs to run an exported policy, as plain data.

Format ``himloco-policy/1``: SI units, quaternions XYZW. :mod:`.files` finds and reads manifests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .schema import ManifestError, build

FORMAT = "himloco-policy/1"
ORDERS = ("oldest-first", "newest-first")
DRIVERS = ("policy", "command")

JOINT_TERMS = ("joint_pos", "joint_vel")
"""Observation terms with one value per joint."""

SCAN_TERM = "height_scan"
"""The observation term that looks at the ground: height of the base above it, less the term's offset."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of the network, shape ``[1, width]``."""

    name: str
    width: int
    dtype: str = "float32"


@dataclass(frozen=True)
class Timing:
    """Rates of the control loop."""

    physics_dt: float
    """Physics step of the training [s]; the joints' PD law runs at this rate."""

    decimation: int
    """Physics steps per policy step."""

    policy_dt: float
    """Policy step [s]."""


@dataclass(frozen=True)
class Term:
    """One entry of an observation frame: ``clip(raw) * scale``."""

    name: str
    width: int
    scale: float | tuple[float, ...] = 1.0
    """One factor for all values, or one each."""

    clip: tuple[float, float] | None = None
    """Bounds of the raw value, in its own unit."""

    joints: tuple[str, ...] | None = None
    """Joints of a joint term, in its order."""

    points: tuple[tuple[float, float], ...] | None = None
    """Where a scan of the ground looks, x ahead of the base and y to its left, turned by its heading alone [m]."""

    offset: float | None = None
    """What a scan subtracts from the height of the base above the ground [m]."""


@dataclass(frozen=True)
class Observation:
    """The network's input: some frames, one after the other, and what it sees once only."""

    history_length: int
    terms: tuple[Term, ...]
    history_order: str = "oldest-first"
    clip_input: float | None = None
    """Half-width that the whole input is clipped to after scaling."""

    extra: tuple[Term, ...] = ()
    """Terms that follow the history, without one of their own."""

    @property
    def frame_width(self) -> int:
        """Values of one frame."""
        return sum(term.width for term in self.terms)

    @property
    def width(self) -> int:
        """Values of the whole input."""
        return self.history_length * self.frame_width + sum(term.width for term in self.extra)

    @property
    def scan(self) -> Term | None:
        """The term that looks at the ground, if there is one."""
        return next((term for term in (*self.terms, *self.extra) if term.name == SCAN_TERM), None)

    @property
    def layout(self) -> str:
        """The input in words, for people who must find out why another does not fit."""
        terms = " + ".join(f"{term.name} {term.width}" for term in self.terms)
        extra = "".join(f" + {term.name} {term.width}" for term in self.extra)
        return f"{self.history_length} frames x ({terms} = {self.frame_width}){extra}"


@dataclass(frozen=True)
class Action:
    """What the network's output means: ``target = offset + scale * clip(raw)`` [rad]."""

    joints: tuple[str, ...]
    scale: float | tuple[float, ...]
    offset: float | tuple[float, ...]
    """[rad]"""

    clip: float | None = None
    """Half-width that the raw output is clipped to."""

    delay_steps: tuple[int, int] = (0, 0)
    """Fewest and most physics steps by which targets came late in training, drawn anew for every policy step."""


@dataclass(frozen=True)
class Joint:
    """An actuated joint with its PD gains and limits."""

    name: str
    default_pos: float
    """[rad]"""
    stiffness: float
    """[N m/rad]"""
    damping: float
    """[N m s/rad]"""
    effort_limit: float
    """[N m]"""
    velocity_limit: float
    """[rad/s]"""
    armature: float
    """[kg m^2]"""
    lower: float
    """[rad]"""
    upper: float
    """[rad]"""
    driven_by: str = "policy"
    """``policy``, or ``command``: held at ``default_pos`` or moved by someone else."""


@dataclass(frozen=True)
class Command:
    """Ranges that the policy was trained for, and the command to stand still."""

    lin_vel_x: tuple[float, float]
    """[m/s]"""
    lin_vel_y: tuple[float, float]
    """[m/s]"""
    ang_vel_z: tuple[float, float]
    """[rad/s]"""
    height: tuple[float, float]
    """[m]"""
    standing: tuple[float, float, float, float]
    """vx, vy [m/s], yaw rate [rad/s], height [m]"""


@dataclass(frozen=True)
class Manifest:
    """Everything needed to run a policy."""

    task: str
    robot: str
    """The :class:`~himloco_lab.robots.description.RobotDescription` as ``"module:NAME"``."""

    input: Tensor
    output: Tensor
    timing: Timing
    observation: Observation
    action: Action
    joints: tuple[Joint, ...]
    command: Command
    spawn_height: float
    """Root height at the default pose [m]."""

    format: str = FORMAT
    source: Mapping[str, Any] = field(default_factory=dict)
    """Where it was trained; free form."""

    files: Mapping[str, Any] = field(default_factory=dict)
    """Names and SHA-256 digests of the exported files."""

    def __post_init__(self) -> None:
        """Check that the parts fit together.

        Raises:
            ManifestError: If they do not.
        """
        _check(self)

    @property
    def joint_names(self) -> tuple[str, ...]:
        """All actuated joints, in the manifest's order."""
        return tuple(joint.name for joint in self.joints)

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as dictionaries and lists, ready for YAML or JSON."""
        return _plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, content: Any) -> Manifest:
        """Read what :meth:`to_dict` wrote.

        Raises:
            ManifestError: If a key is missing or unknown, or a value is of the wrong kind or does not fit the others.
        """
        if not isinstance(content, Mapping):
            raise ManifestError(f"a manifest is a mapping, this is {type(content).__name__}: export the policy again")
        if content.get("format") != FORMAT:
            raise ManifestError(
                f"format {content.get('format')!r} is not {FORMAT!r}: export the policy again with this version"
            )
        return build(cls, content, "")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _check(manifest: Manifest) -> None:
    timing, observation, action = manifest.timing, manifest.observation, manifest.action
    if not timing.physics_dt > 0.0 or timing.decimation < 1:
        raise ManifestError(f"timing: physics_dt {timing.physics_dt} s and decimation {timing.decimation} must be > 0")
    if abs(timing.physics_dt * timing.decimation - timing.policy_dt) > 1e-9:
        raise ManifestError(
            f"timing: policy_dt {timing.policy_dt} s must be physics_dt x decimation ="
            f" {timing.physics_dt * timing.decimation} s"
        )
    names = manifest.joint_names
    twice = {name for name in names if names.count(name) > 1}
    if twice or not names:
        raise ManifestError(f"joints: each once, and at least one; found twice: {sorted(twice)}")
    for joint in manifest.joints:
        if joint.driven_by not in DRIVERS:
            raise ManifestError(f"joints.{joint.name}.driven_by {joint.driven_by!r}: must be one of {DRIVERS}")
        if min(joint.stiffness, joint.damping, joint.effort_limit, joint.armature) < 0.0 or joint.lower > joint.upper:
            raise ManifestError(f"joints.{joint.name}: gains and limits must not be negative, nor lower above upper")
    _known(action.joints, names, "action.joints")
    width = len(action.joints)
    _same("output.width", manifest.output.width, "action.joints", width)
    for name, value in (("action.offset", action.offset), ("action.scale", action.scale)):
        if isinstance(value, tuple):
            _same(name, len(value), "action.joints", width)
    fewest, most = action.delay_steps
    if not 0 <= fewest <= most <= timing.decimation:
        raise ManifestError(f"action.delay_steps {[fewest, most]}: fewest first, from 0 to {timing.decimation} at most")
    _check_observation(observation, manifest)
    driven = {joint.name for joint in manifest.joints if joint.driven_by == "policy"}
    if driven != set(action.joints):
        odd = sorted(driven ^ set(action.joints))
        raise ManifestError(f"action.joints and joints[].driven_by: policy disagree about {', '.join(odd)}")


def _check_observation(observation: Observation, manifest: Manifest) -> None:
    if observation.history_length < 1:
        raise ManifestError(f"observation.history_length {observation.history_length}: must be at least 1")
    if observation.history_order not in ORDERS:
        raise ManifestError(f"observation.history_order {observation.history_order!r}: must be one of {ORDERS}")
    for term in (*observation.terms, *observation.extra):
        at = f"observation.terms.{term.name}"
        if isinstance(term.scale, tuple):
            _same(f"{at}.scale", len(term.scale), f"{at}.width", term.width)
        if term.clip is not None and not term.clip[0] <= term.clip[1]:
            raise ManifestError(f"{at}.clip {list(term.clip)}: the lower bound comes first")
        if term.name in JOINT_TERMS and term.joints is None:
            raise ManifestError(f"{at}.joints: missing; name its {term.width} joints")
        if term.joints is not None:
            _known(term.joints, manifest.joint_names, f"{at}.joints")
            _same(f"{at}.joints", len(term.joints), f"{at}.width", term.width)
        if term.name == "actions":
            _same(f"{at}.width", term.width, "output.width", manifest.output.width)
        if term.name == SCAN_TERM:
            if term.points is None or term.offset is None or term is not observation.scan:
                raise ManifestError(f"{at}: must be there once, with points and offset; export the policy again")
            _same(f"{at}.points", len(term.points), f"{at}.width", term.width)
    _same("input.width", manifest.input.width, observation.layout, observation.width)


def _same(name: str, value: int, other: str, expected: int) -> None:
    if value != expected:
        raise ManifestError(f"{name} has {value} values, but {other} makes {expected}: correct one of them")


def _known(names: Sequence[str], known: Sequence[str], where: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown or len(set(names)) != len(names):
        wrong = ", ".join(unknown) or "a joint that is named twice"
        raise ManifestError(f"{where}: {wrong} must be one of the {len(known)} joints under 'joints', each once")
