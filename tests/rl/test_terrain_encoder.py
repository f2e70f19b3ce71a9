# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A policy that sees the ground: what goes where, who trains the encoder, mirror images, exports, bad input."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dummy_env import DummyEnv, train_cfg
from tensordict import TensorDict

from himloco_rl.algorithms import HIMPPO
from himloco_rl.models import HIMActor
from himloco_rl.observations import ObservationGroup, ObservationLayout, ObservationTerm, SymmetryMap
from himloco_rl.runners import HIMOnPolicyRunner

POINTS = tuple((0.1 * i, 0.1 * j) for j in (-1, 0, 1) for i in range(4))


class GroundEnv(DummyEnv):
    """The dummy task with a scan that says where the command points, so that the encoder has something to learn."""

    def __init__(self, num_envs: int = 64, seed: int = 0) -> None:
        super().__init__(num_envs, seed=seed)
        groups = self.observation_layout.groups
        scan = ObservationGroup("height_scan", (ObservationTerm("height_scan", 12, points=POINTS),))
        self.observation_layout = ObservationLayout(
            {**groups, "height_scan": scan}, self.observation_layout.action_joint_names
        )

    def _observe(self, append: bool, fresh: torch.Tensor | None = None) -> None:
        super()._observe(append, fresh)
        points = torch.tensor(POINTS)
        self.observations["height_scan"] = self.command[:, :2] @ points.T  # mirrors with the command


def cfg(**terrain: Any) -> dict[str, Any]:
    """The dummy configuration with a terrain encoder."""
    settings = train_cfg(num_learning_epochs=2)
    settings["obs_groups"]["actor"] = ["policy", "height_scan"]
    settings["actor"]["terrain_cfg"] = {"group": "height_scan", "hidden_dims": [16], "latent_dim": 5, **terrain}
    return settings


def algorithm(settings: dict[str, Any] | None = None) -> HIMPPO:
    env = GroundEnv(8)
    settings = {"num_steps_per_env": 8, "multi_gpu": None, **(settings or cfg())}
    settings["num_steps_per_env"] = 8
    return HIMPPO.construct_algorithm(env.get_observations(), env, settings, "cpu")


def rollout(alg: HIMPPO) -> None:
    env = GroundEnv(8)
    obs = env.get_observations()
    with torch.inference_mode():
        for _ in range(8):
            obs, rewards, dones, extras = env.step(alg.act(obs))
            alg.process_env_step(obs, rewards, dones, extras)
        alg.compute_returns(obs)


def flat_input(actor: HIMActor, rows: int) -> tuple[torch.Tensor, TensorDict]:
    flat = torch.randn(rows, 72 + 12)
    return flat, TensorDict({"policy": flat[:, :72], "height_scan": flat[:, 72:]}, batch_size=[rows])


@pytest.mark.parametrize("normalization", [False, True])
def test_the_policy_reads_frame_estimate_and_code_and_the_estimator_no_scan(normalization: bool) -> None:
    settings = cfg()
    settings["actor"]["obs_normalization"] = normalization
    actor = algorithm(settings).actor
    flat, observations = flat_input(actor, 6)
    if normalization:
        actor.update_normalization(TensorDict({k: 3.0 * v + 1.0 for k, v in observations.items()}, batch_size=[6]))
    seen = actor.obs_normalizer(flat)
    velocity, latent = actor.estimator(seen[:, :72])
    assert actor.terrain_encoder is not None
    expected = torch.cat((seen[:, 60:72], velocity, latent, actor.terrain_encoder(seen[:, 72:])), dim=-1)
    torch.testing.assert_close(actor.get_latent(observations), expected)
    assert expected.shape[1] == 12 + 3 + 8 + 5 == actor.mlp[0].in_features


def test_ppo_trains_the_encoder_and_the_estimators_step_does_not() -> None:
    alg = algorithm()
    encoder = alg.actor.terrain_encoder
    assert encoder is not None
    owned = {id(p) for group in alg.optimizer.param_groups for p in group["params"]}
    assert {id(p) for p in encoder.parameters()} <= owned
    assert not {id(p) for p in alg.actor.estimator.parameters()} & owned
    rollout(alg)
    batch = next(alg.storage.mini_batches(1, 1))
    velocity, latent = alg.estimator(alg._history(batch.observations, mirrored=True))
    loss = alg._estimator_loss(velocity, latent, batch)
    alg._policy_step(batch, torch.cat((velocity, latent), dim=-1).detach())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())
    assert all(p.grad is None for p in alg.actor.estimator.parameters())
    before = copy.deepcopy(encoder.state_dict())
    alg.estimator.step(loss)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert any(p.grad is not None for p in alg.actor.estimator.parameters())


def test_kept_features_are_those_of_the_history_alone() -> None:
    settings = cfg()
    settings["algorithm"]["estimator_schedule"] = "after"
    alg = algorithm(settings)
    rollout(alg)
    alg._keep_features()
    history = alg.storage.observations["policy"].flatten(0, 1)
    with torch.no_grad():
        own = alg.actor.estimator.features(history)
        mirrored = alg.actor.estimator.features(alg.symmetry_map.mirror_observations("policy", history))
    torch.testing.assert_close(alg.storage.features.flatten(0, 1), torch.cat((own, mirrored), dim=1))


@pytest.mark.parametrize("schedule", ["interleaved", "after"])
def test_both_schedules_learn_with_mirror_images(schedule: str) -> None:
    settings = cfg()
    settings["algorithm"]["estimator_schedule"] = schedule
    alg = algorithm(settings)
    before = copy.deepcopy(alg.actor.terrain_encoder)
    rollout(alg)
    alg.update()
    assert before is not None and alg.actor.terrain_encoder is not None
    for old, new in zip(before.parameters(), alg.actor.terrain_encoder.parameters(), strict=True):
        assert not torch.equal(old, new)


def test_the_scan_is_mirrored_by_its_points_and_twice_is_nothing() -> None:
    env = GroundEnv(8)
    symmetry = SymmetryMap.from_env(env)
    values = torch.randn(5, 72 + 12)
    once = symmetry.mirror_observations(["policy", "height_scan"], values)
    assert torch.equal(once[:, 72:].view(5, 3, 4), values[:, 72:].view(5, 3, 4).flip(1))  # rows are y
    assert torch.equal(symmetry.mirror_observations(["policy", "height_scan"], once), values)


@pytest.mark.parametrize("normalization", [False, True])
def test_exports_take_history_and_scan_in_one_input(tmp_path: Path, normalization: bool) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    settings = cfg()
    settings["actor"]["obs_normalization"] = normalization
    actor = algorithm(settings).actor
    flat, observations = flat_input(actor, 1)
    if normalization:
        many = flat_input(actor, 64)[1]
        actor.update_normalization(TensorDict({k: 3.0 * v + 1.0 for k, v in many.items()}, batch_size=[64]))
    actor.eval()
    runner = object.__new__(HIMOnPolicyRunner)
    runner.alg = object.__new__(HIMPPO)
    runner.alg._raw_actor = actor
    with torch.no_grad():
        expected = actor(observations)
    runner.export_policy_to_jit(str(tmp_path))
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.load(str(tmp_path / "policy.pt"))(flat), expected, rtol=1e-5, atol=1e-6)
    runner.export_policy_to_onnx(str(tmp_path))
    session = onnxruntime.InferenceSession(str(tmp_path / "policy.onnx"), providers=["CPUExecutionProvider"])
    assert [(i.name, i.shape) for i in session.get_inputs()] == [("obs", [1, 84])]
    (actions,) = session.run(["actions"], {"obs": flat.numpy()})
    np.testing.assert_allclose(actions, expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("groups", "terrain", "words"),
    [
        (["policy"], {}, r"'height_scan', but 'actor' lists \['policy'\]"),
        (["height_scan", "policy"], {}, "the history and 'height_scan', in this order"),
        (["policy", "camera"], {"group": "camera"}, "'camera' in observation set 'actor' not found"),
        (["policy", "height_scan"], {"group": None}, "names no 'group'"),
        (["policy", "height_scan"], {"latent_dim": 0}, r"terrain_cfg\['latent_dim'\] is 0"),
    ],
)
def test_groups_that_do_not_fit_are_named(groups: list[str], terrain: dict[str, Any], words: str) -> None:
    settings = cfg(**terrain)
    settings["obs_groups"]["actor"] = groups
    with pytest.raises(ValueError, match=words):
        algorithm(settings)


def test_it_learns_and_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    first = HIMOnPolicyRunner(GroundEnv(), cfg(), str(tmp_path), "cpu")
    first.learn(2)
    second = HIMOnPolicyRunner(GroundEnv(), cfg(), None, "cpu")
    second.load(str(tmp_path / "model_1.pt"))
    for name, value in first.alg.actor.state_dict().items():
        assert torch.equal(value, second.alg.actor.state_dict()[name])
    assert any(name.startswith("terrain_encoder.") for name in first.alg.actor.state_dict())
