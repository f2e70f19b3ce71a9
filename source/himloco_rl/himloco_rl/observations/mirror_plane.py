# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Planes that a robot can be mirrored at: which signs flip, and how names say what side they are on."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class MirrorPlane:
    """A plane through the middle of a robot."""

    name: str
    vector_signs: dict[str, tuple[float, ...]]
    """Signs of the kinds of terms that have fixed components."""
    axis_signs: dict[str, float]
    """Sign of an angle by the axis it turns about: an angle is a pseudovector's component."""
    sides: tuple[tuple[str, str, str], ...]
    """(Pattern of the side within a name, one side, other side)."""
    point_signs: tuple[float, float]
    """Signs of a point's x and y."""

    def partner(self, name: str) -> str:
        """The name on the other side; the name itself if it has no side."""
        for pattern, one, other in self.sides:
            if re.search(pattern, name):
                return re.sub(pattern, lambda match: other if match[1] == one else one, name, count=1)  # noqa: B023
        return name


LEFT_RIGHT = MirrorPlane(
    "left-right",
    {
        "vector": (1.0, -1.0, 1.0),  # a reflection flips the component along its normal, y
        "pseudovector": (-1.0, 1.0, -1.0),  # and the other two of an angular velocity or torque
        "twist_command": (1.0, -1.0, -1.0),  # (v_x, v_y, ω_z)
    },
    {"x": -1.0, "y": 1.0, "z": -1.0},
    (
        (r"^(FL|FR)(?=_)", "FL", "FR"),
        (r"^(RL|RR)(?=_)", "RL", "RR"),
        (r"^(LF|RF)(?=_)", "LF", "RF"),
        (r"^(LH|RH)(?=_)", "LH", "RH"),
        (r"^(L|R)(?=_)", "L", "R"),
        (r"(?:(?<=_)|^)(left|right)(?=_|$)", "left", "right"),
    ),
    (1.0, -1.0),
)
"""The sagittal (x-z) plane: y -> -y."""

FRONT_BACK = MirrorPlane(
    "front-back",
    {"vector": (-1.0, 1.0, 1.0), "pseudovector": (1.0, -1.0, -1.0), "twist_command": (-1.0, 1.0, -1.0)},
    {"x": 1.0, "y": -1.0, "z": -1.0},
    (
        (r"^(FL|RL)(?=_)", "FL", "RL"),
        (r"^(FR|RR)(?=_)", "FR", "RR"),
        (r"^(LF|LH)(?=_)", "LF", "LH"),
        (r"^(RF|RH)(?=_)", "RF", "RH"),
        (r"(?:(?<=_)|^)(front|rear)(?=_|$)", "front", "rear"),
    ),
    (-1.0, 1.0),
)
"""The y-z plane: x -> -x. Few robots allow it: their knees would have to bend towards each other."""

PLANES = {plane.name: plane for plane in (LEFT_RIGHT, FRONT_BACK)}
"""Planes by name."""
