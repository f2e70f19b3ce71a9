# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The network's input against values computed by hand, and what comes out of the policies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from himloco_lab.deployment.manifest import (
    Action,
    Command,
    Joint,
    Manifest,
    ManifestError,
    Observation,
    Tensor,
    Term,
    Timing,
)
from himloco_lab.deployment.observations import FrameHistory, ObservationBuilder, RobotState
from himloco_lab.deployment.policy import OnnxPolicy, RandomPolicy, ZeroPolicy, untrained_manifest


def _joint(name: str, default_pos: float, driven_by: str = "policy") -> Joint:
    return Joint(name, default_pos, 10.0, 1.0, 5.0, 20.0, 0.01, -1.0, 1.0, driven_by)


def _manifest(**observation: object) -> Manifest:
    """Two joints of which one is driven; the policy sees them the other way round."""
    terms = (
        Term("velocity_command", 3, (2.0, 2.0, 0.5), (-1.0, 1.0)),
        Term("height_command", 1),
        Term("base_ang_vel", 3, 0.5),
        Term("projected_gravity", 3),
        Term("joint_pos", 2, 1.0, None, ("knee", "hip")),
        Term("joint_vel", 2, 0.05, (-10.0, 10.0), ("knee", "hip")),
        Term("actions", 1, 3.0),
    )
    seen = Observation(history_length=2, terms=terms, **observation)  # type: ignore[arg-type]
    return Manifest(
        task="none",
        robot="none",
        input=Tensor("obs", 30),
        output=Tensor("actions", 1),
        timing=Timing(0.005, 4, 0.02),
        observation=seen,
        action=Action(("hip",), 0.25, (0.2,), 100.0),
        joints=(_joint("hip", 0.2), _joint("knee", -0.3, "command")),
        command=Command((-1, 1), (-1, 1), (-1, 1), (0, 1), (0, 0, 0, 0.5)),
        spawn_height=0.5,
    )


STATE = RobotState(
    base_ang_vel=np.array([0.1, 0.2, 0.3]),
    projected_gravity=np.array([0.0, 0.6, -0.8]),
    joint_pos=np.array([0.5, 0.1]),
    joint_vel=np.array([2.0, -40.0]),
)
COMMAND = np.array([0.5, -3.0, 0.4, 0.7])
# clipped to +-1, then scaled | height | half | gravity | knee 0.1 + 0.3, hip 0.5 - 0.2 | knee clipped to -10 | 3 x 0.7
FRAME = [1.0, -2.0, 0.2, 0.7, 0.05, 0.1, 0.15, 0.0, 0.6, -0.8, 0.4, 0.3, -0.5, 0.1, 2.1]


def test_a_frame_by_hand_and_the_history_filled_with_it() -> None:
    builder = ObservationBuilder(_manifest())
    first = builder.observe(STATE, COMMAND, np.array([0.7]))
    assert first.shape == (1, 30)
    assert first.dtype == np.float32
    np.testing.assert_allclose(first[0], FRAME * 2, atol=1e-6)


@pytest.mark.parametrize(("order", "newest"), [("oldest-first", slice(15, 30)), ("newest-first", slice(0, 15))])
def test_the_order_of_frames(order: str, newest: slice) -> None:
    builder = ObservationBuilder(_manifest(history_order=order))
    builder.observe(STATE, COMMAND, np.array([0.7]))
    second = builder.observe(dataclasses.replace(STATE, joint_pos=np.array([0.6, 0.1])), COMMAND, np.array([-0.1]))[0]
    assert second[newest][11] == pytest.approx(0.4)
    assert second[newest][14] == pytest.approx(-0.3)
    older = np.delete(second, np.arange(30)[newest])
    np.testing.assert_allclose(older, FRAME, atol=1e-6)


def test_a_reset_forgets() -> None:
    builder = ObservationBuilder(_manifest())
    builder.observe(STATE, np.zeros(4), np.array([9.0]))
    builder.reset()
    np.testing.assert_allclose(builder.observe(STATE, COMMAND, np.array([0.7]))[0], FRAME * 2, atol=1e-6)


def test_the_whole_input_can_be_clipped() -> None:
    observation = ObservationBuilder(_manifest(clip_input=0.5)).observe(STATE, COMMAND, np.array([0.7]))[0]
    np.testing.assert_allclose(observation[:4], [0.5, -0.5, 0.2, 0.5], atol=1e-6)


def test_the_history_hands_out_copies() -> None:
    history = FrameHistory(3, 1)
    first = history.append(np.array([1.0]))
    history.append(np.array([2.0]))
    assert first.tolist() == [1.0, 1.0, 1.0]
    assert history.append(np.array([3.0])).tolist() == [1.0, 2.0, 3.0]


def test_a_policy_that_sees_more_than_a_robot_measures() -> None:
    base = _manifest()
    picture = (*base.observation.terms[:-1], Term("picture", 1))
    with pytest.raises(ManifestError, match=r"'picture'.*height_scan"):
        ObservationBuilder(dataclasses.replace(base, observation=Observation(history_length=2, terms=picture)))


def test_a_policy_with_a_scan_beside_its_history() -> None:
    """It counts into the input's width and comes last; a robot without a map of the ground cannot run it."""
    base = _manifest()
    scan = Term("height_scan", 2, 5.0, (-1.0, 1.0), points=((0.0, 0.1), (0.1, 0.1)), offset=0.5)
    seen = dataclasses.replace(base.observation, extra=(scan,))
    with pytest.raises(ManifestError, match=r"input.width has 30.*height_scan 2 makes 32"):
        dataclasses.replace(base, observation=seen)
    perceptive = dataclasses.replace(base, observation=seen, input=Tensor("obs", 32))
    assert Manifest.from_dict(perceptive.to_dict()) == perceptive
    builder = ObservationBuilder(perceptive)
    mapped = dataclasses.replace(STATE, height_scan=np.array([0.7, -0.6]))
    # 5 (0.7 - 0.5), and -1.1 clipped to -1
    expected = [*FRAME, *FRAME, 1.0, -5.0]
    np.testing.assert_allclose(builder.observe(mapped, COMMAND, np.array([0.7]))[0], expected, atol=1e-6)
    with pytest.raises(ManifestError, match=r"height_scan.*no map"):
        builder.observe(STATE, COMMAND, np.array([0.7]))
    with pytest.raises(ValueError, match=r"height_scan has shape \[3\].*\[2\]"):
        builder.observe(dataclasses.replace(STATE, height_scan=np.zeros(3)), COMMAND, np.array([0.7]))


def test_an_action_of_the_wrong_width() -> None:
    with pytest.raises(ValueError, match=r"actions has shape \[2\].*\[1\]"):
        ObservationBuilder(_manifest()).observe(STATE, COMMAND, np.zeros(2))


def test_onnx_is_the_matrix_product_it_is_made_of(tmp_path: Path, make_onnx: Callable[..., Path]) -> None:
    manifest = untrained_manifest("himloco_lab.robots.g1:G1_DESCRIPTION")
    policy = OnnxPolicy(manifest, make_onnx(tmp_path / "policy.onnx"))
    weights = 0.01 * np.random.default_rng(0).standard_normal((456, 12))
    observation = np.random.default_rng(1).standard_normal((1, 456)).astype(np.float32)
    np.testing.assert_allclose(policy(observation), (observation @ weights)[0], atol=1e-4)
    with pytest.raises(ManifestError, match="not finite"):
        policy(np.full((1, 456), np.inf, np.float32))


@pytest.mark.parametrize(("inputs", "outputs"), [(450, 12), (456, 10)])
def test_onnx_of_another_layout(tmp_path: Path, make_onnx: Callable[..., Path], inputs: int, outputs: int) -> None:
    """Both shapes are named, and what the input is to consist of."""
    manifest = untrained_manifest("himloco_lab.robots.g1:G1_DESCRIPTION")
    with pytest.raises(ManifestError) as caught:
        OnnxPolicy(manifest, make_onnx(tmp_path / "policy.onnx", inputs, outputs))
    for part in (f"[1, {inputs}]", f"[1, {outputs}]", "[1, 456]", "[1, 12]", "6 frames x", "joint_vel 27"):
        assert part in str(caught.value)


def test_the_policies_without_a_network() -> None:
    manifest, observation = _manifest(), np.zeros((1, 30), np.float32)
    assert ZeroPolicy(manifest)(observation).tolist() == [0.0]
    one, same, other = (RandomPolicy(manifest, seed) for seed in (1, 1, 2))
    drawn = [one(observation)[0] for _ in range(200)]
    assert drawn == [same(observation)[0] for _ in range(200)]
    assert drawn[0] != other(observation)[0]
    assert np.std(drawn) == pytest.approx(1.0, abs=0.2)
