# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Fewer writes to PhysX on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from isaaclab.actuators import ActuatorCollection
    from isaaclab.assets import Articulation


class DriveWritesOnChange:
    """Writes the targets of PhysX's joint drives only when they changed.

    Isaac Lab's ovphysx articulation sends effort, position and velocity targets of all joints in every physics step.
    A drive keeps its target, though: the arms' positions change once a policy step and the velocities never do. On a
    CPU a write costs about a millisecond for 256 robots, a comparison some ten microseconds. ``docs/benchmarks.md``
    has the numbers, and a test shows that the motion stays the same to the last bit.
    """

    def __init__(self, asset: Articulation) -> None:
        """Take over the articulation's submission of commands.

        Args:
            asset: An articulation of the ovphysx backend; see :meth:`install`.
        """
        # Any: the backend's members are not those of the common class.
        self._asset: Any = asset
        self._submit = self._asset._actuator_control.submit_commands
        self._sent: dict[str, torch.Tensor] = {}
        self._asset._actuator_control.submit_commands = self

    @classmethod
    def install(cls, asset: Articulation) -> bool:
        """Take over if this articulation is one that gains from it.

        On a GPU the comparison would wait for the device, and the other backends have no such writes.

        Args:
            asset: Any articulation.

        Returns:
            Whether the writes are filtered now.
        """
        if asset.device != "cpu" or not hasattr(asset, "_can_write_pos_target"):
            return False
        cls(asset)
        return True

    def __call__(self, collection: ActuatorCollection) -> None:
        """Submit the commands, less the targets that the drives already have.

        Args:
            collection: The articulation's actuators.
        """
        targets = collection.target_command
        asset = self._asset
        can_write = asset._can_write_pos_target, asset._can_write_vel_target
        asset._can_write_pos_target = can_write[0] and self._is_new("position", targets.position.torch)
        asset._can_write_vel_target = can_write[1] and self._is_new("velocity", targets.velocity.torch)
        try:
            self._submit(collection)
        finally:
            asset._can_write_pos_target, asset._can_write_vel_target = can_write

    def _is_new(self, name: str, target: torch.Tensor) -> bool:
        sent = self._sent.get(name)
        if sent is not None and torch.equal(sent, target):
            return False
        self._sent[name] = target.clone()
        return True
