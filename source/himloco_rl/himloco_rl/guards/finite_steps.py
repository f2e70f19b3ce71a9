# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A simulator's NaN and infinity: the environments are reset and counted, and the learner never sees the values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from tensordict import TensorDict

from himloco_rl.observations import NotFiniteError, ObservationLayout

if TYPE_CHECKING:
    from himloco_rl.runners import EnvironmentState

STREAK = 3
"""Steps in a row after which an environment counts as broken for good."""
LEAST_ALLOWED = 10
"""Steps of an iteration that may go wrong whatever the share says: few robots make few steps."""

Step = tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]
"""What rsl_rl's ``VecEnv.step`` returns: observations, rewards [N], dones [N], extras."""


class BrokenSimulationError(NotFiniteError):
    """NaN or infinity that does not go away."""

    def __init__(self, message: str, dump: dict[str, Any]) -> None:
        """Say what was not finite, and keep what a replay needs.

        The dump holds ``message``, numbers [M] of the ``environments`` that broke, the ``state`` of all N before the
        step, ``observations`` of those M then, all ``actions`` [N, A], and the M's ``result`` and ``rewards``.
        """
        super().__init__(message)
        self.dump = dump


class FiniteSteps:
    """Looks at every step of the environment, so that the learner sees finite values only.

    An environment with NaN or infinity in its observations or its reward is reset. To the learner the step is the end
    of an episode with reward 0 and no value after it, and the observation before the step stands for the one that was
    lost.
    """

    def __init__(
        self, env: Any, env_state: EnvironmentState, layout: ObservationLayout, share: float, num_steps: int
    ) -> None:
        """Prepare to look at steps that begin at the environment's current observations.

        Before each of them the runner lets *env_state* note the episodes; it resets single environments. The simulation
        counts as broken when more than a *share* of an iteration's *num_steps* steps goes wrong.
        """
        self._env, self._env_state, self._layout = env, env_state, layout
        self._allowed = max(LEAST_ALLOWED if share > 0.0 else 0, int(share * num_steps * env.num_envs))
        self.count = 0
        """Steps that went wrong in this iteration."""
        self.message = ""
        """What was not finite in the last one of them."""
        self._streak = torch.zeros(env.num_envs, dtype=torch.long, device=env.device)
        # Not copied: rsl_rl, too, relies on a step leaving the observations alone that the last one returned
        self._before = env.get_observations()

    def after_step(self, actions: torch.Tensor, step: Step) -> Step:
        """Return what the learner may see of a step in which the actions [N, A] were done.

        Raises:
            BrokenSimulationError: If resets do not help, or are too many.
        """
        obs, rewards, dones, extras = step
        done = dones.reshape(-1) > 0
        final_obs = extras.get("final_obs", {}) if bool(done.any()) else {}
        seen = (*obs.values(), rewards, *final_obs.values())
        sums: list[Any] = [values.sum() for values in seen]
        if math.isfinite(torch.stack(sums).sum().item()):  # one transfer from the device (float32's range aside)
            self._streak.zero_()
        else:
            lost = _rows(obs) | (~torch.isfinite(rewards.reshape(-1)) & ~done)
            bad = lost | ~torch.isfinite(rewards.reshape(-1)) | (_rows(final_obs, like=lost) & done)
            if bool(bad.any()):
                self._reset_and_judge(bad, lost, actions, obs.clone(), rewards)
                step = self._replace(bad, lost, step, final_obs)
        self._before = step[0]
        return step

    def _reset_and_judge(
        self, bad: torch.Tensor, lost: torch.Tensor, actions: torch.Tensor, raw: TensorDict, rewards: torch.Tensor
    ) -> None:
        """Count the environments bad [N], and reset those whose state is lost [N].

        Raises:
            BrokenSimulationError: If that does not help, or they are too many.
        """
        ids = bad.nonzero().squeeze(-1)
        self.message = self._layout.describe_not_finite(raw) or f"The reward of environment {int(ids[0])} is not finite"
        self._streak = torch.where(bad, self._streak + 1, 0)
        self.count += len(ids)
        reason, state = "", self._env_state.noted_episodes()
        if bool(lost.any()):
            lost_ids = lost.nonzero().squeeze(-1)
            if not self._env_state.reset(lost_ids):
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

    def _replace(self, bad: torch.Tensor, lost: torch.Tensor, step: Step, final_obs: Any) -> Step:
        """Put in what the learner may see, in copies: the environment's own tensors stay."""
        fresh = self._env.get_observations()
        obs, rewards, dones, extras = step
        obs, rewards, dones = obs.clone(), rewards.clone(), dones.clone()
        terminal = {}
        for name, before in self._before.items():
            obs[name][lost] = fresh[name][lost]
            terminal[name] = final_obs.get(name, before).clone()
            terminal[name][bad] = before[bad]
        rewards[bad], dones[bad] = 0.0, 1
        if "log" in extras:  # a mean over robots of which one is lost says nothing, now and until the next one
            log = extras["log"].items()
            extras["log"] = {name: value for name, value in log if bool(torch.isfinite(torch.as_tensor(value)).all())}
        extras = {**extras, "final_obs": terminal}
        if "time_outs" in extras:
            extras["time_outs"] = extras["time_outs"].clone()
            extras["time_outs"][bad] = False
        return obs, rewards, dones, extras


def _rows(obs: Any, like: torch.Tensor | None = None) -> torch.Tensor:
    """Which rows hold a value that is not finite, shape [N]."""
    rows = [~torch.isfinite(values).all(dim=-1) for values in obs.values()]
    return torch.stack(rows).any(dim=0) if rows else torch.zeros_like(like)  # pyright: ignore[reportArgumentType]
