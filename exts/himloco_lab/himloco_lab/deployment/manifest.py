# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a policy expects and what its actions mean: the manifest that an export writes and that everything else reads.

Format ``himloco-policy/1``: SI units, quaternions XYZW. :mod:`.policy` finds the files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from himloco_lab.robots.policy_layout import VX, YAW_RATE

if TYPE_CHECKING:
    from himloco_lab.robots.description import RobotDescription
    from himloco_lab.robots.rigid_body import RevoluteJoint

FORMAT = "himloco-policy/1"
ORDERS = ("oldest-first", "newest-first")
DRIVERS = ("policy", "command")
METADATA_KEY = "himloco_manifest"
"""Key of the manifest, as JSON, in an ONNX file's metadata."""

START_NOISE = 0.02
"""Half-width of the noise on joint positions at the start of a run, in any engine [rad]: without it every seed and
every fall would be alike."""

COMMAND_PARTS = ("vx", "vy", "yaw_rate", "height")
"""Names of a command's numbers: [m/s], [m/s], [rad/s], [m]."""

VELOCITY_XY = slice(VX, YAW_RATE)
"""Where a command has vx and vy."""

JOINT_TERMS = ("joint_pos", "joint_vel")
"""Observation terms with one value per joint."""

SCAN_TERM = "height_scan"
"""The observation term that looks at the ground: height of the base above it, less the term's offset."""


class ManifestError(ValueError):
    """A manifest, or the policy beside it, that cannot be used: names the culprit and the remedy."""


class NoManifestError(ManifestError):
    """A policy without a manifest, inside or beside it."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of the network, shape ``[1, width]``."""

    name: str
    width: int
    dtype: str | None = None
    """Always ``float32``, whether it is said or not."""


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


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The network's input: some frames, one after the other, and what it sees once only."""

    history_length: int
    history_order: str = "oldest-first"
    terms: tuple[Term, ...]
    extra: tuple[Term, ...] = ()
    """Terms that follow the history, without one of their own."""

    clip_input: float | None = None
    """Half-width that the whole input is clipped to after scaling."""

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

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """Least and largest value of each of the :data:`COMMAND_PARTS`."""
        return (self.lin_vel_x, self.lin_vel_y, self.ang_vel_z, self.height)


@dataclass(frozen=True)
class HeldJoint:
    """A joint of the robot that the policy does not know, because training has locked it."""

    name: str
    position: float
    """[rad]"""
    stiffness: float
    """[N m/rad]"""
    damping: float
    """[N m s/rad]"""
    effort_limit: float
    """[N m]"""


@dataclass(frozen=True)
class Hardware:
    """What a real robot needs and a simulator does not."""

    bus: str
    """Whose messages it speaks: ``unitree_hg`` or ``unitree_go``."""

    slots: Mapping[str, Any]
    """Motor of every joint, the held ones included."""

    imu: str
    """Link whose angular velocity and orientation the policy sees."""

    machine_modes: tuple[int, ...] = ()
    """Values of ``mode_machine`` that stand for a robot with these joints; empty where a robot states none."""

    held: tuple[HeldJoint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything needed to run a policy, in the order in which it is written."""

    format: str = FORMAT
    task: str
    source: Mapping[str, Any] = field(default_factory=dict)
    """Where it was trained; free form."""

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

    hardware: Hardware | None = None
    """Motors, IMU and held joints of the real robot; what its name stands for when None, as in old manifests."""

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

    @property
    def behavior(self) -> Manifest:
        """What decides how the policy acts; where it comes from and the names of its files do not."""
        return dataclasses.replace(self, source={}, files={})

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as dictionaries and lists, ready for YAML or JSON; what is None is left out."""
        return _plain(self)

    def to_yaml(self) -> str:
        """Return what ``policy.yaml`` holds."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, width=120)

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
        return _build(cls, content, "")

    @classmethod
    def from_yaml(cls, path: Path) -> Manifest:
        """Read a file, and check the digests of the files beside it.

        Raises:
            ManifestError: If it cannot be read, is not sound, or a file beside it is not the one it was written for.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ManifestError(f"{path} cannot be read ({error.strerror}): name an exported policy") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ManifestError(f"{path} is not YAML ({' '.join(str(error).split())[:120]}): export again") from error
        manifest = cls._from_content(content, path)
        for kind in ("onnx", "torchscript"):
            name, expected = manifest.files.get(kind), manifest.files.get(f"{kind}_sha256")
            beside = path.parent / str(name)
            if name and expected and beside.is_file() and digest(beside) != expected:
                raise ManifestError(
                    f"{beside} is not the file that {path.name} was written for (its SHA-256 differs):"
                    " export both again"
                )
        return manifest

    @classmethod
    def from_json(cls, text: str, path: Path) -> Manifest:
        """Read the metadata of an ONNX file.

        Args:
            text: The metadata.
            path: The file, for messages.

        Raises:
            ManifestError: If it is not JSON, or not sound.
        """
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ManifestError(
                f"{path}: its metadata {METADATA_KEY} is not JSON ({error}): export it again"
            ) from error
        return cls._from_content(content, path)

    @classmethod
    def _from_content(cls, content: Any, path: Path) -> Manifest:
        try:
            return cls.from_dict(content)
        except ManifestError as error:
            raise ManifestError(f"{path}: {error}") from error


def digest(path: Path) -> str:
    """Return the SHA-256 digest of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def describe_joint(description: RobotDescription, urdf: RevoluteJoint, driven: bool) -> Joint:
    """Return gains and limits of a joint; ``driven`` by the policy, or by a command."""
    spec = description.actuator_of(urdf.name)
    return Joint(
        name=urdf.name,
        default_pos=description.default_pos_of(urdf.name),
        stiffness=spec.stiffness,
        damping=spec.damping,
        effort_limit=description.effort_limit_of(urdf),
        velocity_limit=description.velocity_limit_of(urdf),
        armature=spec.armature,
        lower=urdf.lower,
        upper=urdf.upper,
        driven_by="policy" if driven else "command",
    )


def _plain(value: Any) -> Any:
    """Return mappings and lists for dataclasses and tuples, without a dataclass's fields that are None or empty."""
    if dataclasses.is_dataclass(value):
        fields = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
        return {name: _plain(item) for name, item in fields.items() if item is not None and item != {}}
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
    if manifest.hardware is not None:
        _check_hardware(manifest.hardware, names)


def _check_hardware(hardware: Hardware, joints: Sequence[str]) -> None:
    held = [joint.name for joint in hardware.held]
    odd = sorted(set(hardware.slots) ^ {*joints, *held}) or sorted(set(held) & set(joints))
    if odd or len(set(held)) != len(held):
        wrong = ", ".join(odd) or "a joint that is held twice"
        raise ManifestError(f"hardware: {wrong} must be under 'joints' or 'held', once, and have one of the slots")
    slots = list(hardware.slots.values())
    if not all(type(slot) is int and slot >= 0 for slot in slots) or len(set(slots)) != len(slots):
        raise ManifestError(f"hardware.slots {slots}: must be different numbers, 0 or more")
    for joint in hardware.held:
        if min(joint.stiffness, joint.damping, joint.effort_limit) < 0.0:
            raise ManifestError(f"hardware.held.{joint.name}: gains and limits must not be negative")


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


def _build[T](cls: type[T], content: Any, path: str) -> T:
    """Return a dataclass filled from a mapping, its fields checked against their annotations.

    Args:
        cls: The dataclass.
        content: The mapping.
        path: Where the mapping lies, for messages; empty at the top.

    Raises:
        ManifestError: If a key is missing or unknown or a value is of the wrong kind.
    """
    if not isinstance(content, Mapping):
        raise ManifestError(f"{path}: must be a mapping, is {content!r}")
    hints = typing.get_type_hints(cls)
    fields = {item.name: item for item in dataclasses.fields(typing.cast(Any, cls))}
    prefix = f"{path}." if path else ""
    unknown = [str(key) for key in content if key not in fields]
    if unknown:
        raise ManifestError(f"{prefix}{unknown[0]}: unknown key; there is {', '.join(fields)}")
    values = {}
    for name, item in fields.items():
        if name in content:
            values[name] = _convert(hints[name], content[name], prefix + name)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise ManifestError(f"{prefix}{name}: missing; export the policy again")
    return cls(**values)


def _convert(kind: Any, value: Any, path: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _convert_union(arguments, value, path)
    if origin is tuple:
        return _convert_tuple(arguments, value, path)
    if dataclasses.is_dataclass(kind):
        return _build(typing.cast(type, kind), value, path)
    if origin is not None:  # a mapping of free form
        if not isinstance(value, Mapping):
            raise ManifestError(f"{path}: must be a mapping, is {value!r}")
        return dict(value)
    return _convert_scalar(kind, value, path)


def _convert_union(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    wants_list = isinstance(value, (list, tuple))
    fitting = [kind for kind in kinds if kind is not type(None) and (typing.get_origin(kind) is tuple) == wants_list]
    if not fitting:
        raise ManifestError(f"{path}: {value!r} is {'a list' if wants_list else 'no list'}, which it must not be")
    return _convert(fitting[0], value, path)


def _convert_tuple(kinds: tuple[Any, ...], value: Any, path: str) -> tuple:
    if not isinstance(value, (list, tuple)):
        raise ManifestError(f"{path}: must be a list, is {value!r}")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        raise ManifestError(f"{path}: must have {len(kinds)} entries, has {len(value)}")
    return tuple(_convert(kind, item, f"{path}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True)))


def _convert_scalar(kind: Any, value: Any, path: str) -> Any:
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ManifestError(f"{path}: must be a finite number, is {value!r}")
        return float(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return value
    raise ManifestError(f"{path}: must be a {kind.__name__}, is {value!r}")
