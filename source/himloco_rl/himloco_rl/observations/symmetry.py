# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The mirror map of a robot that is symmetric about a plane, the sagittal (x-z) one as a rule, derived from names.

Mirroring, y -> −y for example, maps a state to another possible state. On the flattened observations it is a
permutation with signs: joints swap sides, and a value flips if its quantity does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from tensordict import TensorDict

from .observation_layout import ObservationLayout, ObservationTerm

RANGE_TOLERANCE = 0.05
"""How far the ranges of a joint and its mirror image may differ [rad]."""

SignedIndex = tuple[int, float]
"""Where a mirrored value comes from, and its sign."""

TERM_KINDS: dict[str, str] = {
    "velocity_command": "twist_command",
    "velocity_commands": "twist_command",
    "height_command": "scalar",
    "base_height": "scalar",
    "base_lin_vel": "vector",
    "base_ang_vel": "pseudovector",
    "projected_gravity": "vector",
    "external_force": "vector",
    "joint_pos": "joints",
    "joint_pos_rel": "joints",
    "joint_vel": "joints",
    "joint_vel_rel": "joints",
    "actions": "actions",
    "last_action": "actions",
    "height_scan": "points",
}
"""What each observation term is, by its name."""

JOINT_AXES: dict[str, str] = {
    "roll": "x",
    "yaw": "z",
    "pitch": "y",
    "knee|elbow|thigh|calf|HFE|KFE": "y",
    "torso|waist": "z",
    "hip|HAA|abduction": "x",  # a joint called hip and nothing more is a quadruped's abduction
}
"""Axis a joint turns about, by the first pattern found in its name."""


@dataclass(frozen=True)
class MirrorPlane:
    """A vertical plane through the middle of a robot."""

    name: str
    vector: tuple[float, float, float]
    """Signs of a vector's components: a reflection flips the one along its normal."""
    sides: tuple[tuple[str, str], ...]
    """What names call either side: a capital prefix, or a word between underscores."""

    @property
    def vector_signs(self) -> dict[str, tuple[float, ...]]:
        """Signs of the kinds of terms that have fixed components."""
        x, y, z = self.vector
        # Of an angular velocity or torque the other two flip; a twist is (v_x, v_y, ω_z)
        return {"vector": (x, y, z), "pseudovector": (-x, -y, -z), "twist_command": (x, y, -z)}

    def partner(self, name: str) -> str:
        """The name on the other side; the name itself if it has no side."""
        for one, other in self.sides:
            pattern = rf"^({one}|{other})(?=_)" if one.isupper() else rf"(?:(?<=_)|^)({one}|{other})(?=_|$)"
            match = re.search(pattern, name)
            if match is not None:
                return name[: match.start()] + (other if match[1] == one else one) + name[match.end() :]
        return name


LEFT_RIGHT = MirrorPlane(
    "left-right",
    (1.0, -1.0, 1.0),
    (("FL", "FR"), ("RL", "RR"), ("LF", "RF"), ("LH", "RH"), ("L", "R"), ("left", "right")),
)
"""The sagittal (x-z) plane: y -> -y."""

FRONT_BACK = MirrorPlane(
    "front-back", (-1.0, 1.0, 1.0), (("FL", "RL"), ("FR", "RR"), ("LF", "LH"), ("RF", "RH"), ("front", "rear"))
)
"""The y-z plane: x -> -x. Few robots allow it: their knees would have to bend towards each other."""

PLANES = {plane.name: plane for plane in (LEFT_RIGHT, FRONT_BACK)}
"""Planes by name."""


@dataclass
class MirrorSettings:
    """What the mirror map is used for (algorithm.symmetry_cfg)."""

    use_data_augmentation: bool = False
    """Policy and value also learn from the mirror image of every executed transition."""
    use_mirror_loss: bool = False
    """Penalize actor and critic for disagreeing with their mirror images."""
    mirror_loss_coeff: float = 0.5
    """Weight of the actor's mirror loss."""
    value_mirror_loss_coeff: float = 0.5
    """Weight of the critic's mirror loss."""
    mirror_estimator: bool = False
    """The estimator also learns from mirror images."""
    term_kinds: dict[str, str] = field(default_factory=dict)
    """Additions to :data:`TERM_KINDS`."""
    joint_axes: dict[str, str] = field(default_factory=dict)
    """Additions to :data:`JOINT_AXES`, looked at first."""
    plane: str = LEFT_RIGHT.name
    """Which of :data:`PLANES`; a robot that is not symmetric about it is refused."""

    @classmethod
    def from_cfg(cls, cfg: Mapping[str, Any] | None) -> MirrorSettings:
        """Build from a dictionary; None switches everything off."""
        settings = {name: value for name, value in (cfg or {}).items() if value is not None}
        settings.pop("data_augmentation_func", None)  # rsl_rl's own extension asks for one; the map is built here
        unknown = sorted(set(settings) - set(cls.__dataclass_fields__))
        if unknown:
            raise ValueError(f"Unknown symmetry_cfg keys {unknown}; known are {sorted(cls.__dataclass_fields__)}.")
        if settings.get("plane", LEFT_RIGHT.name) not in PLANES:
            raise ValueError(f"symmetry_cfg.plane {settings['plane']!r}: there is {' and '.join(PLANES)}.")
        return cls(**settings)

    @property
    def for_policy(self) -> bool:
        """Whether actor and critic see mirror images."""
        return self.use_data_augmentation or self.use_mirror_loss

    @property
    def enabled(self) -> bool:
        """Whether anything needs the mirror map."""
        return self.for_policy or self.mirror_estimator


class SymmetryMap:
    """Mirrors observations and actions; applying it twice changes nothing."""

    def __init__(
        self,
        layout: ObservationLayout,
        term_kinds: Mapping[str, str] | None = None,
        joint_axes: Mapping[str, str] | None = None,
        groups: Sequence[str] | None = None,
        plane: MirrorPlane = LEFT_RIGHT,
    ) -> None:
        """Derive the map of some groups of a layout, or of all of them; term_kinds and joint_axes add to the tables.

        Raises:
            ValueError: If a term or joint has no mirror image.
        """
        self._plane = plane
        self._term_kinds = {**TERM_KINDS, **(term_kinds or {})}
        self._joint_axes = {**(joint_axes or {}), **JOINT_AXES}
        self._layout = layout
        self._maps: dict[tuple[str, ...], tuple[torch.Tensor, torch.Tensor]] = {}
        self.action_map = _tensors(self._mirror_joints(layout.action_joint_names, "the action"))
        self.group_maps = {name: _tensors(self._mirror_group(name)) for name in groups or layout.groups}

    @classmethod
    def from_env(cls, env: Any, **settings: Any) -> SymmetryMap:
        """Derive the map of an environment."""
        return cls(ObservationLayout.from_env(env), **settings)

    def to(self, device: torch.device | str) -> SymmetryMap:
        """Move the map's tensors."""
        self.action_map = (self.action_map[0].to(device), self.action_map[1].to(device))
        self.group_maps = {name: (i.to(device), s.to(device)) for name, (i, s) in self.group_maps.items()}
        self._maps.clear()
        return self

    def mirror_observations(self, groups: str | Sequence[str], values: torch.Tensor) -> torch.Tensor:
        """Mirror image of a group, or of groups concatenated in this order, shape [..., D]."""
        key = (groups,) if isinstance(groups, str) else tuple(groups)
        if key not in self._maps:
            indices, signs, start = [], [], 0
            for name in key:
                indices.append(self.group_maps[name][0] + start)
                signs.append(self.group_maps[name][1])
                start += len(signs[-1])
            self._maps[key] = (torch.cat(indices), torch.cat(signs))
        index, sign = self._maps[key]
        return values.index_select(-1, index) * sign

    def mirror_actions(self, actions: torch.Tensor) -> torch.Tensor:
        """Mirror image of actions, shape [..., A]."""
        return actions.index_select(-1, self.action_map[0]) * self.action_map[1]

    def with_mirrored(self, groups: str | Sequence[str], values: torch.Tensor) -> torch.Tensor:
        """Observations [B, D] with their mirror images below, shape [2B, D]."""
        return torch.cat((values, self.mirror_observations(groups, values)))

    def with_mirrored_actions(self, actions: torch.Tensor) -> torch.Tensor:
        """Actions [B, A] with their mirror images below, shape [2B, A]."""
        return torch.cat((actions, self.mirror_actions(actions)))

    def _mirror_group(self, name: str) -> list[SignedIndex]:
        """The map of a group over all its frames."""
        group = self._layout.group(name)
        return [
            (columns.start + index, sign)
            for term, _, columns in group.columns()
            for index, sign in self._mirror_term(name, term)
        ]

    def _mirror_term(self, group: str, term: ObservationTerm) -> list[SignedIndex]:
        """The map of one term in one frame."""
        where = f"observation term '{term.name}' of group '{group}'"
        kind = self._term_kinds.get(term.name)
        if kind == "scalar":
            return [(i, 1.0) for i in range(term.dim)]
        if kind == "points":
            return _mirror_points(term, where, self._plane)
        if kind in ("joints", "actions"):
            joints = self._layout.action_joint_names if kind == "actions" else term.joint_names
            if joints is None or len(joints) != term.dim:
                raise ValueError(
                    f"The {where} has {term.dim} values but {len(joints or ())} joint names; name its joints in"
                    " params['asset_cfg'].joint_names with preserve_order=True."
                )
            return self._mirror_joints(joints, where)
        if kind in self._plane.vector_signs:
            signs = self._plane.vector_signs[kind]
            if term.dim != len(signs):
                raise ValueError(f"The {where} is a {kind} and must have {len(signs)} values, not {term.dim}.")
            return list(enumerate(signs))
        raise ValueError(
            f"No mirror rule for the {where} (kind {kind!r}); add it to symmetry_cfg.term_kinds with one of"
            f" {['scalar', 'points', 'joints', 'actions', *self._plane.vector_signs]}."
        )

    def _mirror_joints(self, joints: Sequence[str], where: str) -> list[SignedIndex]:
        """The map of values that belong to joints: left and right swap, roll and yaw flip."""
        position = {joint: i for i, joint in enumerate(joints)}
        result: list[SignedIndex] = []
        for joint in joints:
            partner = self._plane.partner(joint)
            if partner not in position:
                raise ValueError(
                    f"Joint '{joint}' of {where} has no partner '{partner}' among {list(joints)}; name joints in pairs,"
                    " or switch mirroring off by algorithm.symmetry_cfg=null."
                )
            # An angle is the component of a pseudovector
            sign = self._plane.vector_signs["pseudovector"]["xyz".index(self._joint_axis(joint, where))]
            self._check_range(joint, partner, sign)
            result.append((position[partner], sign))
        return result

    def _check_range(self, joint: str, partner: str, sign: float) -> None:
        """Refuse a pair of joints that cannot do the same, if their ranges are known."""
        ranges = self._layout.joint_ranges
        if joint not in ranges or partner not in ranges:
            return
        image = sorted(sign * end for end in ranges[partner])
        if max(abs(one - other) for one, other in zip(ranges[joint], image, strict=True)) > RANGE_TOLERANCE:
            low, high = ranges[joint]
            raise ValueError(
                f"Joint '{joint}' moves from {low:.3g} to {high:.3g} rad, the {self._plane.name} image of '{partner}'"
                f" from {image[0]:.3g} to {image[1]:.3g}: this robot has no such symmetry; set"
                " algorithm.symmetry_cfg.plane to another one, or algorithm.symmetry_cfg=null."
            )

    def _joint_axis(self, joint: str, where: str) -> str:
        """The axis a joint turns about."""
        for pattern, axis in self._joint_axes.items():
            if re.search(pattern, joint):
                return axis
        raise ValueError(
            f"The axis of joint '{joint}' of {where} is not in its name; add a pattern for it to"
            " symmetry_cfg.joint_axes, such as {'" + joint + "': 'y'}."
        )


def mirror_batch(
    env: Any, obs: TensorDict | None = None, actions: torch.Tensor | None = None
) -> tuple[TensorDict | None, torch.Tensor | None]:
    """Samples followed by their mirror images: ``data_augmentation_func`` for rsl_rl's own symmetry extension.

    Observations, group -> [B, D], and actions [B, A] are returned with 2 B rows. The map is derived from the
    environment on the first call.
    """
    symmetry: SymmetryMap | None = getattr(env, "_himloco_symmetry_map", None)
    if symmetry is None:
        symmetry = SymmetryMap.from_env(env).to(env.device)
        env._himloco_symmetry_map = symmetry
    if obs is not None:
        names = [str(name) for name in obs.keys()]  # noqa: SIM118
        rows = {name: symmetry.with_mirrored(name, obs.get(name)) for name in names}
        obs = TensorDict(rows, batch_size=[2 * obs.batch_size[0]])
    if actions is not None:
        actions = symmetry.with_mirrored_actions(actions)
    return obs, actions


def _mirror_points(term: ObservationTerm, where: str, plane: MirrorPlane) -> list[SignedIndex]:
    """Values measured at points go to the points on the other side of the plane."""
    if term.points is None or len(term.points) != term.dim:
        raise ValueError(
            f"The {where} has {term.dim} values but {len(term.points or ())} measuring points; give its sensor in"
            " params['sensor_cfg'], or the points in the layout."
        )
    points = torch.tensor(term.points, dtype=torch.float64)
    distances = torch.cdist(points * torch.tensor(plane.vector[:2], dtype=torch.float64), points)
    nearest, index = distances.min(dim=1)
    if float(nearest.max()) > 1.0e-4:  # [m]
        worst = int(nearest.argmax())
        raise ValueError(f"The {where} has no point opposite to {term.points[worst]} m; center its grid.")
    return [(int(i), 1.0) for i in index]


def _tensors(signed: list[SignedIndex]) -> tuple[torch.Tensor, torch.Tensor]:
    """Index and sign vectors."""
    return torch.tensor([i for i, _ in signed]), torch.tensor([sign for _, sign in signed])
