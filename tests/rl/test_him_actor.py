# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The actor: what it reads, who trains it, and its exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from dummy_env import DummyEnv, train_cfg
from tensordict import TensorDict

from himloco_rl.algorithms import HIMPPO
from himloco_rl.models import HIMActor
from himloco_rl.runners import HIMOnPolicyRunner

GROUPS = {"actor": ["policy"], "critic": ["critic"], "estimator": ["estimator"]}


def homie_actor(normalization: bool = False) -> HIMActor:
    observations = TensorDict({"policy": torch.zeros(2, 456), "estimator": torch.zeros(2, 75)}, batch_size=[2])
    actor = HIMActor(
        observations,
        GROUPS,
        "actor",
        12,
        hidden_dims=[512, 256, 256],
        distribution_cfg={"class_name": "GaussianDistribution"},
        obs_normalization=normalization,
        estimator_cfg={"preset": "homie"},
    )
    if normalization:
        actor.update_normalization(TensorDict({"policy": 3.0 * torch.randn(64, 456) + 1.0}, batch_size=[64]))
    return actor


def test_homie_sizes() -> None:
    actor = homie_actor()
    linear = [m for m in actor.mlp if isinstance(m, torch.nn.Linear)]
    assert [linear[0].in_features, *(m.out_features for m in linear)] == [76 + 3 + 32, 512, 256, 256, 12]


@pytest.mark.parametrize("normalization", [False, True])
def test_the_policy_reads_the_newest_frame_velocity_and_latent(normalization: bool) -> None:
    actor = homie_actor(normalization)
    history = torch.randn(5, 456)
    seen = actor.obs_normalizer(history)
    latent = actor.get_latent(TensorDict({"policy": history}, batch_size=[5]))
    velocity, code = actor.estimator(seen)
    torch.testing.assert_close(latent, torch.cat((seen[:, 380:], velocity, code), dim=-1))


def test_the_policys_gradient_stops_before_the_estimator() -> None:
    actor = homie_actor()
    actor(TensorDict({"policy": torch.randn(5, 456)}, batch_size=[5]), stochastic_output=True)
    actor.get_output_log_prob(torch.zeros(5, 12)).sum().backward()
    assert all(p.grad is not None for p in actor.policy_parameters())
    assert all(p.grad is None for p in actor.estimator.parameters())
    named = {id(p) for p in actor.policy_parameters()} | {id(p) for p in actor.estimator.parameters()}
    assert named == {id(p) for p in actor.parameters()}


def test_the_state_holds_the_estimator() -> None:
    names = homie_actor().state_dict()
    assert {"estimator.prototypes", "estimator.encoder.0.weight", "estimator.target_encoder.0.weight"} <= set(names)


@pytest.mark.parametrize("normalization", [False, True])
def test_exports_are_one_graph_from_history_to_actions(tmp_path: Path, normalization: bool) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    actor = homie_actor(normalization).eval()
    runner = object.__new__(HIMOnPolicyRunner)
    runner.alg = object.__new__(HIMPPO)
    runner.alg._raw_actor = actor
    history = torch.randn(1, 456)
    with torch.no_grad():
        expected = actor(TensorDict({"policy": history}, batch_size=[1]))
    runner.export_policy_to_jit(str(tmp_path))
    with torch.no_grad():
        actual = torch.jit.load(str(tmp_path / "policy.pt"))(history)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)
    runner.export_policy_to_onnx(str(tmp_path))
    session = onnxruntime.InferenceSession(str(tmp_path / "policy.onnx"), providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["obs"]
    (actions,) = session.run(["actions"], {"obs": history.numpy()})
    np.testing.assert_allclose(actions, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_a_history_that_does_not_divide_is_explained() -> None:
    observations = TensorDict({"policy": torch.zeros(2, 455), "estimator": torch.zeros(2, 75)}, batch_size=[2])
    with pytest.raises(ValueError, match=r"'policy' of shape \(2, 455\).*6 frames"):
        HIMActor(observations, GROUPS, "actor", 12, distribution_cfg={"class_name": "GaussianDistribution"})


def test_a_missing_distribution_is_explained() -> None:
    with pytest.raises(ValueError, match="distribution_cfg"):
        HIMActor(DummyEnv(2).get_observations(), GROUPS, "actor", 3)


def test_two_groups_are_refused() -> None:
    groups = {**GROUPS, "actor": ["policy", "critic"]}
    with pytest.raises(ValueError, match=r"'actor' lists \['policy', 'critic'\].*terrain_cfg"):
        HIMActor(
            DummyEnv(2).get_observations(),
            groups,
            "actor",
            3,
            distribution_cfg=train_cfg()["actor"]["distribution_cfg"],
        )
