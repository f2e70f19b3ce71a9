# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The runner: learning, stock runner, resumed runs, checkpoints, the environment's state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from dummy_env import DummyEnv, train_cfg
from rsl_rl.runners import OnPolicyRunner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from himloco_rl.algorithms import HIMPPO
from himloco_rl.runners import EnvironmentState, HIMOnPolicyRunner


def learned(runner: OnPolicyRunner, iterations: int) -> list[dict[str, float]]:
    """Train and collect the metrics of every iteration, with the mean reward."""
    history: list[dict[str, float]] = []
    update = runner.alg.update

    def spy() -> dict[str, float]:
        reward = float(runner.alg.storage.rewards.mean())
        history.append({**update(), "reward": reward})
        return history[-1]

    runner.alg.update = spy  # type: ignore[method-assign]
    runner.learn(iterations)
    return history


@pytest.mark.parametrize("schedule", ["interleaved", "after"])
def test_it_learns_under_rsl_rls_stock_runner(schedule: str) -> None:
    """Rewards rise and the velocity estimate comes to be good; half of the speed's range is 0.5 m/s."""
    runner = OnPolicyRunner(DummyEnv(), train_cfg(estimator_schedule=schedule), None, "cpu")
    assert isinstance(runner.alg, HIMPPO)
    history = learned(runner, 20)
    assert history[0]["reward"] < 0.5
    assert history[-1]["reward"] > 0.8
    assert history[0]["estimator_velocity_error"] > 0.2
    assert history[-1]["estimator_velocity_error"] < 0.15
    assert {
        *("value", "surrogate", "entropy", "kl", "symmetry_actor", "symmetry_critic", "estimator_velocity_error"),
        *("estimator_swap_loss", "estimator_prototype_perplexity", "estimator_assignment_entropy"),
        "estimator_grad_norm",
    } < set(history[0])


@pytest.mark.parametrize("room", ["observations", "extensions"])  # today's, and that of older run folders
def test_stock_ppo_can_use_the_mirror_map(room: str) -> None:
    cfg = train_cfg()
    cfg["algorithm"] = {
        "class_name": "PPO",
        "num_learning_epochs": 2,
        "symmetry_cfg": {
            "data_augmentation_func": f"himloco_rl.{room}:mirror_batch",
            "use_data_augmentation": True,
            "use_mirror_loss": True,
            "mirror_loss_coeff": 0.5,
        },
    }
    cfg["actor"] = {**cfg["critic"], "distribution_cfg": {"class_name": "GaussianDistribution"}}
    del cfg["obs_groups"]["estimator"]
    history = learned(OnPolicyRunner(DummyEnv(), cfg, None, "cpu"), 1)
    assert history[0]["symmetry"] >= 0.0


def test_a_run_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = HIMOnPolicyRunner(DummyEnv(), train_cfg(), str(tmp_path / "a"), "cpu")
    first.learn(3)
    checkpoint = tmp_path / "a" / "model_2.pt"
    assert torch.load(checkpoint, weights_only=True)["iter"] == 2
    second = HIMOnPolicyRunner(DummyEnv(), train_cfg(), str(tmp_path / "b"), "cpu")
    second.load(str(checkpoint))
    assert second.alg.learning_rate == first.alg.learning_rate
    for key, value in first.alg.save()["actor_state_dict"].items():
        assert torch.equal(value, second.alg.save()["actor_state_dict"][key])
    capsys.readouterr()
    second.learn(2)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("it ")]
    assert [line.split(" | ")[0] for line in lines] == ["it 4/5", "it 5/5"]
    assert all("velocity error" in line and "ETA 0:00:0" in line for line in lines)
    assert second.logger.tot_timesteps == 5 * 16 * 64
    assert second.logger.tot_time > first.logger.tot_time
    assert (tmp_path / "b" / "model_4.pt").is_file()
    events = [EventAccumulator(str(tmp_path / name)).Reload() for name in ("a", "b")]
    steps = [event.step for accumulator in events for event in accumulator.Scalars("Loss/estimator_velocity_error")]
    assert steps == [0, 1, 2, 3, 4]
    second.learn(1)  # a further call goes on, too
    assert second.current_learning_iteration == 5


def test_rsl_rls_block_is_printed_on_demand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    HIMOnPolicyRunner(DummyEnv(), {**train_cfg(), "console": "block"}, str(tmp_path), "cpu").learn(1)
    out = capsys.readouterr().out
    assert "Learning iteration 0/1" in out
    assert "it 1/1 |" not in out


def test_the_curves_are_those_of_rsl_rls_own_log(tmp_path: Path) -> None:
    """With the block it is rsl_rl that writes them."""
    curves = {}
    for console in ("block", "line"):
        torch.manual_seed(4)
        cfg = {**train_cfg(num_learning_epochs=1), "console": console}
        HIMOnPolicyRunner(DummyEnv(4, max_episode_length=20), cfg, str(tmp_path / console), "cpu").learn(2)
        events = EventAccumulator(str(tmp_path / console)).Reload()
        curves[console] = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert list(curves["line"]) == list(curves["block"])
    for tag, points in curves["line"].items():
        if not tag.startswith("Perf/") and not tag.endswith("/time"):  # the clock's
            assert points == curves["block"][tag], tag
    assert {"Episode/length", "Train/mean_reward/time", "Loss/learning_rate", "Policy/mean_std"} < set(curves["line"])


def test_an_interrupted_save_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = HIMOnPolicyRunner(DummyEnv(4), train_cfg(), None, "cpu")
    path = tmp_path / "model_0.pt"
    runner.save(str(path))
    before = path.read_bytes()

    def broken(checkpoint: Any, file: Any) -> None:
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="No space left"):
        runner.save(str(path))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model_0.pt"]


def test_an_environment_may_keep_its_own_state(tmp_path: Path) -> None:
    class Env(DummyEnv):
        level = 0

        def himloco_state_dict(self) -> dict[str, int]:
            return {"level": self.level}

        def himloco_load_state_dict(self, state: dict[str, int]) -> None:
            self.level = state["level"]

    env = Env(4)
    env.level = 7
    HIMOnPolicyRunner(env, train_cfg(), None, "cpu").save(str(tmp_path / "model_0.pt"))
    other = Env(4)
    HIMOnPolicyRunner(other, train_cfg(), None, "cpu").load(str(tmp_path / "model_0.pt"))
    assert other.level == 7
    with pytest.raises(ValueError, match=r"DummyEnv has no himloco_load_state_dict"):
        HIMOnPolicyRunner(DummyEnv(4), train_cfg(), None, "cpu").load(str(tmp_path / "model_0.pt"))


class Unreadable(EnvironmentState):
    """Keeps an object."""

    def state_dict(self, episodes: dict[str, Any] | None = None) -> dict[str, Any]:
        return {"term": [1, self]}


def test_a_checkpoint_takes_only_what_can_be_read_back(tmp_path: Path) -> None:
    cfg = {**train_cfg(), "environment_state": f"{__name__}:Unreadable"}
    runner = HIMOnPolicyRunner(DummyEnv(4), cfg, None, "cpu")
    with pytest.raises(TypeError, match=r"\['environment_state'\]\['term'\]\[1\] is a Unreadable"):
        runner.save(str(tmp_path / "model_0.pt"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("iterations", "console", "words"), [(0, "line", "is 0"), (1, "loud", "'loud'")])
def test_bad_input_is_named(iterations: int, console: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        HIMOnPolicyRunner(DummyEnv(4), {**train_cfg(), "console": console}, None, "cpu").learn(iterations)


def test_nan_names_its_term_through_the_runner() -> None:
    class Broken(DummyEnv):
        def step(self, actions: torch.Tensor) -> Any:
            result = super().step(actions)
            result[0]["critic"][3, 13] = float("nan")
            return result

    with pytest.raises(ValueError, match="'base_lin_vel' of group 'critic'"):
        HIMOnPolicyRunner(Broken(4), train_cfg(), None, "cpu").learn(1)
