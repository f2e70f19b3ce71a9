# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Arms that move on their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from isaaclab.managers import CommandTerm

if TYPE_CHECKING:
    from isaaclab.assets import Articulation
    from isaaclab.envs import ManagerBasedRLEnv

    from .commands_cfg import UpperBodyCommandCfg


def sample_amplitude(ratio: float, uniform: torch.Tensor) -> torch.Tensor:
    """Draw r' from HOMIE's truncated exponential.

    r' = -ln(1 - u + u exp(-lam)) / lam with lam = 20 (1 - 0.99 r_a): the inverse of the cumulative distribution of
    p(r' | r_a) = lam exp(-lam r') / (1 - exp(-lam)) on [0, 1] (the 0.99 keeps lam above 0 at r_a = 1). ``uniform`` are
    samples u of U(0, 1) of any shape, which the returned r' has, too.
    """
    rate = 20.0 * (1.0 - 0.99 * ratio)
    # 1 - u + u exp(-lam) = 1 + u (exp(-lam) - 1), written so that small u keeps its digits
    return -torch.log1p(uniform * torch.expm1(torch.tensor(-rate, device=uniform.device))) / rate


class UpperBodyCommand(CommandTerm):
    """Targets of the upper-body joints: drawn anew each second, approached in a straight line.

    Per environment and joint, the amplitude is r' U(0, 1), the sign is a fair coin, and the target is that share of
    the way from the default position to the joint limit on that side. The curriculum moves :attr:`ratio`.
    """

    cfg: UpperBodyCommandCfg
    remembers = ("_command", "_target")

    def __init__(self, cfg: UpperBodyCommandCfg, env: ManagerBasedRLEnv) -> None:
        """Look up the joints and their limits.

        Raises:
            ValueError: If a position limit names a joint that the term does not move.
        """
        super().__init__(cfg, env)
        self.robot: Articulation = env.scene[cfg.asset_name]
        ids, self.joint_names = self.robot.find_joints(cfg.joint_names, preserve_order=True)
        self.joint_ids = torch.tensor(cast("list[int]", ids), dtype=torch.long, device=self.device)
        self.ratio = cfg.initial_ratio
        """Curriculum ratio r_a in [0, 1]."""

        self._default = self.robot.data.default_joint_pos.torch[:, self.joint_ids].clone()
        limits = self.robot.data.joint_pos_limits.torch[:, self.joint_ids].clone()
        for name, (low, high) in cfg.position_limits.items():
            if name not in self.joint_names:
                raise ValueError(
                    f"UpperBodyCommand: position_limits names '{name}', which is none of {self.joint_names}."
                )
            joint = self.joint_names.index(name)
            limits[:, joint, 0].clamp_(min=low)
            limits[:, joint, 1].clamp_(max=high)
        self._reach_down = limits[..., 0] - self._default
        self._reach_up = limits[..., 1] - self._default
        self._command = self._default.clone()
        self._target = self._default.clone()
        self._held: torch.Tensor | None = None

    @property
    def command(self) -> torch.Tensor:
        """Joint position targets [rad], shape ``[N, J]``."""
        return self._command

    @property
    def default(self) -> torch.Tensor:
        """Joint positions of the default pose [rad], shape ``[N, J]``."""
        return self._default

    @property
    def limits(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Lowest and highest target that may be drawn [rad], shape ``[N, J]`` each."""
        return self._default + self._reach_down, self._default + self._reach_up

    def hold(self, targets: torch.Tensor | None) -> None:
        """Command these joint positions [rad], shape ``[N, J]`` or what broadcasts to it, until told otherwise.

        None draws them again.
        """
        self._held = None
        if targets is not None:
            self._held = torch.as_tensor(targets, dtype=torch.float, device=self.device).expand_as(self._command)
            self._command[:] = self._held

    def reset(self, env_ids: Sequence[int] | slice | None = None) -> dict[str, torch.Tensor]:
        """Put the targets back to the default pose and draw where to go from there; there is nothing to log."""
        ids = slice(None) if env_ids is None else env_ids
        self._command[ids] = self._default[ids]
        return super().reset(env_ids)

    def state_dict(self) -> dict[str, float]:
        """Return what a resumed run needs: the curriculum ratio."""
        return {"ratio": self.ratio}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Continue with the ratio of :meth:`state_dict`."""
        self.ratio = float(state["ratio"])

    def _resample_command(self, env_ids: Sequence[int] | slice) -> None:
        shape = self._command[env_ids].shape
        amplitude = sample_amplitude(self.ratio, torch.rand(shape, device=self.device))
        amplitude = amplitude * torch.rand(shape, device=self.device)
        upwards = torch.rand(shape, device=self.device) < 0.5
        reach = torch.where(upwards, self._reach_up[env_ids], self._reach_down[env_ids])
        self._target[env_ids] = self._default[env_ids] + amplitude * reach

    def _update_command(self) -> None:
        if self._held is not None:
            self._command[:] = self._held
            return
        # The rest of the way over the steps that are left: a straight line that ends on the target.
        share = (self._env.step_dt / self.time_left.clamp(min=self._env.step_dt)).clamp(max=1.0)
        self._command += share.unsqueeze(-1) * (self._target - self._command)

    def _update_metrics(self) -> None:
        pass
