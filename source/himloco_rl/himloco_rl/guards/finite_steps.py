# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A simulator's NaN and infinity: the environments are reset and counted, and the learner never sees the values."""

from __future__ import annotations

import math
from types import TracebackType
from typing import Any

import torch
from tensordict import TensorDict

from himloco_rl.observations import NotFiniteError, ObservationLayout
from himloco_rl.sim_state.environment_state import episodes_state_dict

STREAK = 3
"""Steps in a row after which an environment counts as broken for good."""
LEAST_ALLOWED = 10
"""Steps of an iteration that may go wrong whatever the share says: few robots make few steps."""


class BrokenSimulationError(NotFiniteError):
    """NaN or infinity that does not go away."""

    def __init__(self, message: str, dump: dict[str, Any]) -> None:
        """Keep what a replay needs.

        Args:
            message: What was not finite, and where.
            dump: See :mod:`.step_dump`.
        """
        super().__init__(message)
        self.dump = dump


class FiniteSteps:
    """While entered, the environment's ``step`` returns finite values only.

    An environment with NaN or infinity in its observations or its reward is reset: by ``himloco_reset(ids)`` if it
    offers that, else as Isaac Lab's are. To the learner the step is the end of an episode with reward 0 and no value
    after it, and the observation before the step stands for the one that was lost.
    """

    def __init__(self, env: Any, layout: ObservationLayout, share: float, num_steps: int) -> None:
        """Prepare.

        Args:
            env: The environment, whose ``step`` is replaced.
            layout: Names of its observations.
            share: Share of an iteration's steps that may go wrong before the simulation counts as broken.
            num_steps: Steps of an iteration.
        """
        self._env, self._layout = env, layout
        self._allowed = max(LEAST_ALLOWED if share > 0.0 else 0, int(share * num_steps * env.num_envs))
        self.count = 0
        """Steps that went wrong in this iteration."""
        self.message = ""
        """What was not finite in the last one of them."""
        self._streak = torch.zeros(env.num_envs, dtype=torch.long, device=env.device)

    def __enter__(self) -> FiniteSteps:
        """Take the step over."""
        self._step = self._env.step
        self._before = self._env.get_observations().clone()
        self._env.step = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the step back: the class's own shows again."""
        del self._env.step

    def __call__(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Step, and mend what came back; shapes as in rsl_rl's ``VecEnv.step``."""
        state = episodes_state_dict(self._env)
        obs, rewards, dones, extras = self._step(actions)
        done = dones.reshape(-1) > 0
        final_obs = extras.get("final_obs", {}) if bool(done.any()) else {}
        if not _all_finite(obs, rewards, final_obs):
            lost = _rows(obs) | (~torch.isfinite(rewards.reshape(-1)) & ~done)
            bad = lost | ~torch.isfinite(rewards.reshape(-1)) | (_rows(final_obs, like=lost) & done)
            if bool(bad.any()):
                raw = {name: values.clone() for name, values in obs.items()}
                self._judge(bad, lost, state, actions, raw, rewards)
                obs, rewards, dones, extras = self._mend(bad, lost, obs, rewards, dones, extras, final_obs)
        else:
            self._streak.zero_()
        self._before = obs.clone()
        return obs, rewards, dones, extras

    def _judge(
        self,
        bad: torch.Tensor,
        lost: torch.Tensor,
        state: dict[str, Any],
        actions: torch.Tensor,
        raw: dict[str, torch.Tensor],
        rewards: torch.Tensor,
    ) -> None:
        """Count the environments bad [N], and reset those whose state is lost [N].

        Raises:
            BrokenSimulationError: If that does not help, or they are too many.
        """
        ids = bad.nonzero().squeeze(-1)
        self.message = self._layout.describe_not_finite(raw) or f"The reward of environment {int(ids[0])} is not finite"
        self._streak = torch.where(bad, self._streak + 1, 0)
        self.count += len(ids)
        reason = ""
        if bool(lost.any()):
            lost_ids = lost.nonzero().squeeze(-1)
            if not _reset(self._env, lost_ids):
                reason = "this environment cannot be reset while others go on"
            elif bool(_rows(self._env.get_observations())[lost_ids].any()):
                reason = "a reset does not help"
        if int(self._streak.max()) >= STREAK:
            reason = f"the same environment broke in {STREAK} steps in a row"
        elif self.count > self._allowed:
            reason = f"{self.count} steps of this iteration went wrong, and {self._allowed} may"
        if reason:
            dump = {
                "message": self.message,
                "environments": ids,
                "state": state,
                "observations": {name: values[ids] for name, values in self._before.items()},
                "actions": actions.clone(),
                "result": {name: values[ids] for name, values in raw.items()},
                "rewards": rewards.reshape(-1)[ids],
            }
            raise BrokenSimulationError(f"{self.message}; {reason}", dump)

    def _mend(
        self,
        bad: torch.Tensor,
        lost: torch.Tensor,
        obs: TensorDict,
        rewards: torch.Tensor,
        dones: torch.Tensor,
        extras: dict[str, Any],
        final_obs: Any,
    ) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Put in what the learner may see, in copies: the environment's own tensors stay."""
        fresh = self._env.get_observations()
        obs, rewards, dones = obs.clone(), rewards.clone(), dones.clone()
        terminal = {}
        for name, before in self._before.items():
            obs[name][lost] = fresh[name][lost]
            terminal[name] = final_obs.get(name, before).clone()
            terminal[name][bad] = before[bad]
        rewards[bad], dones[bad] = 0.0, 1
        if "log" in extras:  # a mean over robots of which one is lost says nothing, now and until the next one
            extras["log"] = {name: value for name, value in extras["log"].items() if _is_finite(value)}
        extras = {**extras, "final_obs": terminal}
        if "time_outs" in extras:
            extras["time_outs"] = extras["time_outs"].clone()
            extras["time_outs"][bad] = False
        return obs, rewards, dones, extras


def _reset(env: Any, ids: torch.Tensor) -> bool:
    """Start new episodes in some environments; False if this one does not offer it."""
    base = getattr(env, "unwrapped", env)
    if hasattr(base, "himloco_reset"):
        base.himloco_reset(ids)
    elif hasattr(base, "observation_manager"):
        base.reset(env_ids=ids)
    else:
        return False
    return True


def _all_finite(obs: TensorDict, rewards: torch.Tensor, final_obs: Any) -> bool:
    """Whether every value is finite, with one transfer from the device (float32's range aside)."""
    values = [*obs.values(), rewards, *final_obs.values()]
    return math.isfinite(torch.stack([value.sum() for value in values]).sum().item())


def _rows(obs: Any, like: torch.Tensor | None = None) -> torch.Tensor:
    """Which rows hold a value that is not finite, shape [N]."""
    rows = [~torch.isfinite(values).all(dim=-1) for values in obs.values()]
    return torch.stack(rows).any(dim=0) if rows else torch.zeros_like(like)  # pyright: ignore[reportArgumentType]


def _is_finite(value: Any) -> bool:
    """Whether a number, or every number of a tensor, is finite."""
    return bool(torch.isfinite(torch.as_tensor(value)).all())
