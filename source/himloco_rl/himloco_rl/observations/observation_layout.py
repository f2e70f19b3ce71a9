# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What each column of an observation means: groups, terms, frames, joints, by name.

Everything that needs a column looks it up here. :meth:`ObservationLayout.from_env` is the only place of the learner
that reads an environment's managers, and it does so by duck typing; an environment without managers offers the
finished layout as its attribute ``observation_layout``.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch


@dataclass(frozen=True)
class ObservationTerm:
    """One term of a group, in one frame."""

    name: str
    """Name in the group."""
    dim: int
    """Values per frame."""
    scale: float | tuple[float, ...] = 1.0
    """Observation units per physical unit."""
    joint_names: tuple[str, ...] | None = None
    """The joints in the order of the values, for joint terms."""
    points: tuple[tuple[float, float], ...] | None = None
    """Where each value is measured in the robot's frame, (x, y) [m], for height scans."""


@dataclass(frozen=True)
class ObservationGroup:
    """A group of terms over one or more frames, flattened to [N, dim]."""

    name: str
    """Name in the observations."""
    terms: tuple[ObservationTerm, ...]
    """Terms in order."""
    history_length: int = 1
    """Frames held, 1 for none but the current."""
    history_order: Literal["time", "term"] = "time"
    """"time": frame after frame, oldest first; "term": each term with all its frames, oldest first."""

    @property
    def frame_dim(self) -> int:
        """Values of one frame."""
        return sum(term.dim for term in self.terms)

    @property
    def dim(self) -> int:
        """Values of the group, all frames."""
        return self.history_length * self.frame_dim

    def term(self, name: str) -> ObservationTerm:
        """Look a term up by name."""
        for term in self.terms:
            if term.name == name:
                return term
        raise KeyError(
            f"Observation group '{self.name}' has no term '{name}'; its terms are {[term.name for term in self.terms]}."
        )

    def frame_slice(self, name: str) -> slice:
        """Columns of a term within one frame."""
        term = self.term(name)
        start = sum(before.dim for before in self.terms[: self.terms.index(term)])
        return slice(start, start + term.dim)

    def columns(self) -> list[tuple[ObservationTerm, int, slice]]:
        """Every (term, frame, columns) of the flattened group, in order of the columns; frame 0 is the oldest."""
        frames = range(self.history_length)
        if self.history_order == "time":
            order = [(term, frame) for frame in frames for term in self.terms]
        else:
            order = [(term, frame) for term in self.terms for frame in frames]
        ends = itertools.accumulate(term.dim for term, _ in order)
        return [(term, frame, slice(end - term.dim, end)) for (term, frame), end in zip(order, ends, strict=True)]


class NotFiniteError(ValueError):
    """NaN or infinity where none may be; the message says where."""


@dataclass(frozen=True)
class ObservationLayout:
    """All groups of an environment and the joints of its action."""

    groups: dict[str, ObservationGroup]
    """Groups by name."""
    action_joint_names: tuple[str, ...]
    """The joint of each action value."""
    joint_ranges: dict[str, tuple[float, float]] = field(default_factory=dict, compare=False)
    """Least and largest angle of joints [rad], where they are known."""

    def group(self, name: str) -> ObservationGroup:
        """Look a group up by name."""
        if name not in self.groups:
            raise KeyError(f"The environment has no observation group '{name}'; its groups are {sorted(self.groups)}.")
        return self.groups[name]

    @classmethod
    def from_env(cls, env: Any) -> ObservationLayout:
        """Read the layout of an environment (see the module's description)."""
        base = getattr(env, "unwrapped", env)
        for owner in (env, base):
            if isinstance(getattr(owner, "observation_layout", None), cls):
                return owner.observation_layout
        manager = getattr(base, "observation_manager", None)
        if manager is None:
            raise ValueError(
                f"Environment {type(base).__name__} has neither an 'observation_manager' nor an 'observation_layout';"
                " set env.observation_layout to a himloco_rl.observations.ObservationLayout."
            )
        action_joints = _action_joint_names(base)
        groups = {name: _read_group(base, name) for name in manager.active_terms}
        return cls(groups, action_joints, _joint_ranges(base))

    def check(self, observations: Any) -> None:
        """Compare with observations (group -> [N, D]): every group present must have the width the layout gives."""
        for name, group in self.groups.items():
            if name not in observations:
                continue
            shape = tuple(observations[name].shape)
            if len(shape) != 2 or shape[1] != group.dim:
                terms = ", ".join(f"{term.name}({term.dim})" for term in group.terms)
                raise ValueError(
                    f"Observation group '{name}' has shape {shape}, but its layout gives [N, {group.dim}] ="
                    f" {group.history_length} frame(s) x [{terms}]; correct the layout or concatenate and flatten the"
                    " group (concatenate_terms, flatten_history_dim)."
                )

    def check_finite(self, observations: Any, when: str) -> None:
        """Refuse NaN and infinity in observations, group -> [N, D], that came from *when*, as the message says.

        Raises:
            NotFiniteError: Naming term, frame and environment.
        """
        message = self.describe_not_finite(observations, when)
        if message:
            raise NotFiniteError(message)

    def describe_not_finite(self, observations: Any, when: str = "after a step") -> str | None:
        """Name the term that holds NaN or infinity, or return None; arguments as in :meth:`check_finite`."""
        # One wait for the device: a sum is finite exactly when no value is NaN or infinite (float32's range aside).
        if bool(torch.isfinite(torch.stack([values.sum() for values in observations.values()])).all()):
            return None
        name = next((name for name, values in observations.items() if not bool(torch.isfinite(values).all())), None)
        if name is None:
            return None
        values = observations[name]
        bad = ~torch.isfinite(values)
        rows = bad.any(dim=1).nonzero().squeeze(-1)
        row, columns = int(rows[0]), self.groups[name].columns() if name in self.groups else []
        culprits = ((term.name, frame) for term, frame, where in columns if bool(bad[row, where].any()))
        term, frame = next(culprits, ("?", 0))
        return (
            f"Observation term '{term}' of group '{name}' (shape {list(values.shape)}) {when} is not finite: frame"
            f" {frame} of environment {row}, {len(rows)} environment(s) in all; check the term's function and the"
            " simulation of that environment (clip the term, lower gains or the time step)."
        )

    def as_record(self) -> dict[str, Any]:
        """Return the layout as plain data, for a checkpoint."""
        return {"groups": asdict(self)["groups"], "action_joint_names": self.action_joint_names}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> ObservationLayout:
        """Build the layout that :meth:`as_record` described."""
        groups = {
            name: ObservationGroup(**{**group, "terms": tuple(ObservationTerm(**term) for term in group["terms"])})
            for name, group in record["groups"].items()
        }
        return cls(groups, tuple(record["action_joint_names"]))


# Reading the managers of Isaac Lab ------------------------------------------------------------------------------------


def _read_group(base: Any, name: str) -> ObservationGroup:
    """Read one group of a manager-based environment."""
    manager = base.observation_manager
    # The manager works on a copy of the environment's configuration; only the copy has its joints and classes resolved
    group_cfg = getattr(getattr(manager, "cfg", None) or base.cfg.observations, name)
    group_history = getattr(group_cfg, "history_length", None)
    terms, lengths = [], set()
    for term_name, shape in zip(manager.active_terms[name], manager.group_obs_term_dim[name], strict=True):
        term_cfg = getattr(group_cfg, term_name)
        history = getattr(term_cfg, "history_length", 0) if group_history is None else group_history
        length = max(1, int(history or 0))
        dim, rest = divmod(int(math.prod(shape)), length)
        if rest:
            raise ValueError(
                f"Term '{term_name}' of group '{name}' has shape {tuple(shape)}, not a multiple of its"
                f" {length} frames; set flatten_history_dim=True."
            )
        lengths.add(length)
        scale = _read_scale(getattr(term_cfg, "scale", None))
        joints, points = _read_joint_names(base, term_cfg, dim), _read_points(base, term_cfg)
        terms.append(ObservationTerm(term_name, dim, scale, joints, points))
    if len(lengths) > 1:
        raise ValueError(
            f"The terms of group '{name}' have different history lengths {sorted(lengths)}; set history_length on the"
            " group instead."
        )
    order = "time" if getattr(group_cfg, "history_order", "term") == "time" else "term"
    return ObservationGroup(name, tuple(terms), lengths.pop(), order)


def _read_scale(scale: Any) -> float | tuple[float, ...]:
    """A term's scale as numbers; none is 1."""
    values = scale.tolist() if isinstance(scale, torch.Tensor) else 1.0 if scale is None else scale
    return tuple(float(value) for value in values) if isinstance(values, list | tuple) else float(values)


def _read_joint_names(base: Any, term_cfg: Any, dim: int) -> tuple[str, ...] | None:
    """The joints that a term reads, in the order of its values; None where that is not certain."""
    asset_cfg = (getattr(term_cfg, "params", None) or {}).get("asset_cfg")
    try:
        robot = tuple(base.scene[getattr(asset_cfg, "name", "robot")].joint_names)
    except (AttributeError, KeyError):
        robot = ()
    ids, asked = getattr(asset_cfg, "joint_ids", slice(None)), getattr(asset_cfg, "joint_names", None)
    if not isinstance(ids, slice):  # resolved: these joints of the robot, in this order
        names = tuple(robot[int(i)] for i in ids)
    elif asked is None or tuple(asked) == robot:
        names = robot
    else:  # not resolved: certain only for full names whose order is kept
        certain = getattr(asset_cfg, "preserve_order", False) and all(name in robot for name in asked)
        names = tuple(asked) if certain else ()
    return names if len(names) == dim else None


def _read_points(base: Any, term_cfg: Any) -> tuple[tuple[float, float], ...] | None:
    """Where a term's values are measured, (x, y) in the robot's frame [m]: the term's own ``points``, or its rays."""
    function = getattr(term_cfg, "func", None)
    points = getattr(function, "points", getattr(function, "_points", None))
    sensor_cfg = (getattr(term_cfg, "params", None) or {}).get("sensor_cfg")
    if points is None and sensor_cfg is not None:
        pattern = getattr(base.scene[sensor_cfg.name].cfg, "pattern_cfg", None)
        points = None if pattern is None else pattern.func(pattern, "cpu")[0]
    return None if points is None else tuple((float(x), float(y)) for x, y in points[:, :2].tolist())


def _action_joint_names(base: Any) -> tuple[str, ...]:
    """Joint of each action value, over all action terms in order."""
    manager = base.action_manager
    names: list[str] = []
    for term_name in manager.active_terms:
        term = manager.get_term(term_name)
        joints = getattr(term, "_joint_names", None)
        if joints is None or len(joints) != term.action_dim:
            joints = [f"{term_name}[{i}]" for i in range(term.action_dim)]
        names += list(joints)
    return tuple(names)


def _joint_ranges(base: Any) -> dict[str, tuple[float, float]]:
    """Ranges of the robot's joints; none where it does not tell them."""
    try:
        robot = base.scene["robot"]
        limits = robot.data.joint_pos_limits
        rows = getattr(limits, "torch", limits)[0].tolist()
        return {name: (row[0], row[1]) for name, row in zip(robot.joint_names, rows, strict=True)}
    except (AttributeError, KeyError, TypeError):
        return {}
