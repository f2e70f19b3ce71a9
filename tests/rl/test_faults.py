# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""NaN from a simulator, and learning that goes wrong."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from dummy_env import WholeDummyEnv, layout, namespace, train_cfg
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from himloco_lab.sim_state import Replayed, replay
from himloco_rl.checkpoints import read_checkpoint
from himloco_rl.guards import BrokenSimulationError, DivergedError
from himloco_rl.guards.learning_guards import GuardSettings, LearningGuards
from himloco_rl.runners import HIMOnPolicyRunner

NAN = float("nan")


class Breaking(WholeDummyEnv):
    """A robot whose velocity becomes NaN in some steps; a reset repairs it, unless ``repairs`` is off."""

    def __init__(self, breaks: dict[int, list[int]], repairs: bool = True) -> None:
        super().__init__(16)
        self.breaks, self.repairs, self.steps = breaks, repairs, 0
        self.resets: list[list[int]] = []

    def step(self, actions: torch.Tensor) -> Any:
        broken = self.breaks.get(self.steps, [])
        self.steps += 1
        self.velocity[broken] = NAN
        return super().step(actions)

    def himloco_reset(self, ids: torch.Tensor) -> None:
        self.resets.append(ids.tolist())
        if self.repairs:
            self._reset(ids)
            fresh = torch.zeros(self.num_envs, dtype=torch.bool)
            fresh[ids] = True
            self._observe(append=True, fresh=fresh)


def runner_of(env: WholeDummyEnv, folder: Path, **cfg: Any) -> HIMOnPolicyRunner:
    settings = {**train_cfg(num_learning_epochs=1), "save_interval": 100, **cfg}
    return HIMOnPolicyRunner(env, settings, str(folder), "cpu")


def test_some_robots_nan_is_reset_and_counted_and_not_learnt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env = Breaking({3: [5], 20: [1, 7], 21: [7]})
    runner = runner_of(env, tmp_path)
    seen: list[bool] = []
    update = runner.alg.update

    def watched() -> dict[str, float]:
        storage = runner.alg.storage
        values = [*storage.observations.values(), storage.rewards, storage.returns, storage.next_estimator]
        seen.append(all(bool(torch.isfinite(value).all()) for value in values))
        if len(seen) == 1:  # the lost step is the end of an episode, without reward or a value after it
            assert storage.dones[3, 5] == 1
            assert storage.rewards[3, 5] == 0.0
            assert storage.returns[3, 5] == 0.0
            assert torch.equal(storage.next_estimator[3, 5], storage.next_estimator[2, 5])
        return update()

    runner.alg.update = watched  # type: ignore[method-assign]
    runner.learn(3)
    assert env.resets == [[5], [1, 7], [7]]
    assert seen == [True] * 3
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.value for event in events.Scalars("Guard/not_finite_steps")] == [1.0, 3.0, 0.0]
    out = capsys.readouterr().out
    assert "3 step(s) were not finite and were reset: Observation term" in out
    assert all(math.isfinite(event.value) for event in events.Scalars("Loss/value"))
    assert "environment 7" in out


def test_infinity_in_a_reward_alone_is_taken_out(tmp_path: Path) -> None:
    class Rewarding(Breaking):
        def step(self, actions: torch.Tensor) -> Any:
            obs, rewards, dones, extras = super().step(actions)
            if self.steps == 5:
                rewards[2] = math.inf
            return obs, rewards, dones, extras

    env = Rewarding({})
    runner = runner_of(env, tmp_path)
    runner.learn(2)
    assert env.resets == [[2]]
    assert math.isfinite(sum(value.sum().item() for value in runner.alg.actor.parameters()))


@pytest.mark.parametrize(
    ("breaks", "repairs", "reason"),
    [
        ({20: [4]}, False, "a reset does not help"),
        ({18: [4], 20: [4], 21: [4], 22: [4]}, True, "broke in 3 steps in a row"),
        ({20: [0, 1, 2, 3], 21: [4, 5, 6, 7], 23: [8, 9, 10]}, True, "11 steps of this iteration went wrong"),
    ],
)
def test_nan_that_stays_ends_the_run_with_a_checkpoint_and_a_dump_to_replay(
    tmp_path: Path, breaks: dict[int, list[int]], repairs: bool, reason: str
) -> None:
    runner = runner_of(Breaking(breaks, repairs), tmp_path)
    with pytest.raises(BrokenSimulationError, match=reason) as error:
        runner.learn(5)
    assert f"the last good checkpoint is {tmp_path / 'model_0.pt'}" in str(error.value)
    saved = read_checkpoint(tmp_path / "model_0.pt")
    assert saved["iter"] == 0
    assert all(bool(torch.isfinite(value).all()) for value in saved["actor_state_dict"].values())
    assert bool(torch.isfinite(saved["environment_state"]["custom"]["velocity"]).all())
    assert str(tmp_path / "not_finite_1.pt") in str(error.value)
    dump = read_checkpoint(tmp_path / "not_finite_1.pt")
    last = max(breaks)
    assert dump["environments"].tolist() == breaks[last]
    # the same state and action break again in an environment whose next step does; a sound one they leave sound
    again = replay(Breaking({0: breaks[last]}), dump, layout())
    assert again.broken == breaks[last]
    assert again.message is not None and again.message.startswith("Observation term 'joint_pos' of group 'policy'")
    assert f"environment {breaks[last][0]}" in again.message
    assert replay(Breaking({}), dump, layout()) == Replayed([], None)
    assert dump["iteration"] == 1
    assert dump["made_with"]["torch"] == torch.__version__


def test_nan_at_every_step_of_an_environment_that_cannot_reset_is_named(tmp_path: Path) -> None:
    class Hopeless(WholeDummyEnv):
        def step(self, actions: torch.Tensor) -> Any:
            result = super().step(actions)
            result[0]["critic"][3, 13] = NAN
            return result

    with pytest.raises(
        BrokenSimulationError, match=r"'base_lin_vel' of group 'critic'.*cannot be reset.*no checkpoint"
    ):
        runner_of(Hopeless(4), tmp_path).learn(1)


def judged(settings: GuardSettings, rounds: list[dict[str, Any]]) -> list[list[str]]:
    guards = LearningGuards(settings)
    return [guards.look(values.get("losses", {}), values.get("noise")) for values in rounds]


def test_guards_see_what_goes_wrong_once_and_when_it_is_over() -> None:
    calm = {"losses": {"value": 1.0, "estimator_prototype_perplexity": 9.0}, "noise": [0.5, 0.1]}
    cases = {
        "value loss explodes: 500": {"losses": {"value": 500.0}},
        "uses 1.00 prototypes": {"losses": {"estimator_prototype_perplexity": 1.0}},
        "action noise of action 1 is negative": {"noise": [0.3, -0.01]},
    }
    for words, bad in cases.items():
        news = judged(GuardSettings(patience=2), [calm] * 12 + [bad, bad, bad, calm, bad, bad])
        assert [index for index, said in enumerate(news) if said] == [13, 17], words
        assert words in news[13][0] and words in news[17][0]


@pytest.mark.parametrize(
    ("losses", "noise", "sign"),
    [
        ({"value": 500.0}, 0.5, "value_loss"),
        ({"estimator_prototype_perplexity": 1.0}, 0.5, "estimator"),
        ({}, -0.01, "action_noise"),
    ],
)
@pytest.mark.parametrize("stop", [True, False])
def test_every_guard_stops_the_run_if_it_is_told_to(
    losses: dict[str, float], noise: float, sign: str, stop: bool
) -> None:
    guards = LearningGuards(GuardSettings(stop=stop, patience=2))
    steps: Any = namespace(count=0)
    calm = {"value": 1.0, "estimator_prototype_perplexity": 9.0}
    ends = [guards.report(it, calm, torch.tensor([0.5]), steps, None) for it in range(12)]
    ends += [guards.report(it, calm | losses, torch.tensor([noise]), steps, None) for it in (12, 13)]
    assert ends == [False] * 13 + [stop]
    assert list(guards.tripped) == [sign]


def test_a_guard_may_stop_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def train(folder: Path, **guards: Any) -> HIMOnPolicyRunner:
        runner = runner_of(WholeDummyEnv(16), folder, guards={"patience": 2, **guards})
        with torch.no_grad():
            runner.alg.actor.distribution.std_param[1] = -1.0  # type: ignore[union-attr, operator, index]
        runner.learn(4)
        return runner

    train(tmp_path / "warned")
    assert "[WARNING] the action noise of action 1 is negative" in capsys.readouterr().out
    events = EventAccumulator(str(tmp_path / "warned")).Reload()
    assert [event.value for event in events.Scalars("Guard/action_noise")] == [0.0, 1.0, 1.0, 1.0]
    with pytest.raises(DivergedError, match=r"action 1 is negative.*last good checkpoint is .*model_0\.pt"):
        train(tmp_path / "stopped", stop=True)
    assert [path.name for path in (tmp_path / "stopped").glob("model_*")] == ["model_0.pt"]


@pytest.mark.parametrize("guards", [{"stopp": True}, {"patience": 0}, {"value_loss_factor": 1.0}])
def test_settings_that_make_no_sense(tmp_path: Path, guards: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(guards))):
        runner_of(WholeDummyEnv(16), tmp_path, guards=guards)
