# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The mirror map against hand-written expectations, for the G1, quadrupeds and height scans."""

from __future__ import annotations

import pytest
import torch
from dummy_env import DummyEnv
from tensordict import TensorDict

from himloco_rl.observations import (
    FRONT_BACK,
    LEFT_RIGHT,
    MirrorPlane,
    MirrorSettings,
    ObservationGroup,
    ObservationLayout,
    ObservationTerm,
    SymmetryMap,
    mirror_batch,
)

LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
LEGS = tuple(f"{side}_{joint}_joint" for side in ("left", "right") for joint in LEG)
G1_JOINTS = (*LEGS, "waist_yaw_joint", *(f"{side}_{joint}_joint" for side in ("left", "right") for joint in ARM))
# The signs of HOMIE (HomieRL's mirror functions)
LEG_SIGNS = [1, -1, -1, 1, 1, -1]
ARM_SIGNS = [1, -1, -1, 1, -1, 1, -1]


def grid_points(columns: int = 17, rows: int = 11) -> tuple[tuple[float, float], ...]:
    """1.6 m x 1.0 m at 0.1 m, x fastest, as Isaac Lab's GridPatternCfg with ordering "xy"."""
    return tuple((-0.8 + 0.1 * i, -0.5 + 0.1 * j) for j in range(rows) for i in range(columns))


def g1_layout() -> ObservationLayout:
    body = (
        ObservationTerm("base_ang_vel", 3),
        ObservationTerm("projected_gravity", 3),
        ObservationTerm("joint_pos", 27, joint_names=G1_JOINTS),
        ObservationTerm("joint_vel", 27, joint_names=G1_JOINTS),
        ObservationTerm("actions", 12),
    )
    command = (ObservationTerm("velocity_command", 3), ObservationTerm("height_command", 1))
    privileged = (ObservationTerm("base_lin_vel", 3, 2.0), ObservationTerm("height_scan", 187, points=grid_points()))
    return ObservationLayout(
        {
            "policy": ObservationGroup("policy", command + body, 6, "time"),
            "critic": ObservationGroup("critic", command + body + privileged),
            "estimator": ObservationGroup("estimator", body + privileged[:1]),
        },
        LEGS,
    )


def joints_by_hand(values: list[float]) -> list[float]:
    """Mirror image of the 27 joints, written out."""
    left_leg, right_leg, waist = values[:6], values[6:12], values[12]
    left_arm, right_arm = values[13:20], values[20:27]
    return [
        *(s * v for s, v in zip(LEG_SIGNS, right_leg, strict=True)),
        *(s * v for s, v in zip(LEG_SIGNS, left_leg, strict=True)),
        -waist,
        *(s * v for s, v in zip(ARM_SIGNS, right_arm, strict=True)),
        *(s * v for s, v in zip(ARM_SIGNS, left_arm, strict=True)),
    ]


def frame_by_hand(frame: list[float]) -> list[float]:
    """Mirror image of HOMIE's 76 values, written out."""
    vx, vy, wz, height, wx, wy, wyaw, gx, gy, gz = frame[:10]
    left, right = frame[64:70], frame[70:76]
    return [
        *(vx, -vy, -wz, height, -wx, wy, -wyaw, gx, -gy, gz),
        *joints_by_hand(frame[10:37]),
        *joints_by_hand(frame[37:64]),
        *(s * v for s, v in zip(LEG_SIGNS, right, strict=True)),
        *(s * v for s, v in zip(LEG_SIGNS, left, strict=True)),
    ]


def test_g1_against_the_map_written_by_hand() -> None:
    symmetry = SymmetryMap(g1_layout())
    policy = torch.arange(1.0, 457.0)[None]
    frames = policy.view(6, 76).tolist()
    assert symmetry.mirror_observations("policy", policy).view(6, 76).tolist() == [frame_by_hand(f) for f in frames]
    actions = torch.arange(1.0, 13.0)[None]
    assert symmetry.mirror_actions(actions).tolist() == [
        [7.0, -8.0, -9.0, 10.0, 11.0, -12.0, 1.0, -2.0, -3.0, 4.0, 5.0, -6.0]
    ]
    critic = torch.arange(1.0, 267.0)[None]
    mirrored = symmetry.mirror_observations("critic", critic)[0].tolist()
    assert mirrored[:76] == frame_by_hand(critic[0, :76].tolist())
    assert mirrored[76:79] == [77.0, -78.0, 79.0]
    scan = critic[0, 79:].view(11, 17)
    assert mirrored[79:] == scan.flip(0).flatten().tolist()  # rows are y
    estimator = torch.arange(1.0, 76.0)[None]
    assert symmetry.mirror_observations("estimator", estimator)[0].tolist()[-3:] == [73.0, -74.0, 75.0]


def test_it_is_an_involution_on_every_group() -> None:
    layout = g1_layout()
    symmetry = SymmetryMap(layout)
    for name, group in layout.groups.items():
        values = torch.randn(5, group.dim)
        once = symmetry.mirror_observations(name, values)
        assert not torch.equal(once, values)
        assert torch.equal(symmetry.mirror_observations(name, once), values)
    both = torch.randn(5, 456 + 266)
    once = symmetry.mirror_observations(["policy", "critic"], both)
    assert torch.equal(once[:, 456:], symmetry.mirror_observations("critic", both[:, 456:]))
    assert torch.equal(symmetry.mirror_observations(["policy", "critic"], once), both)
    actions = torch.randn(5, 12)
    assert torch.equal(symmetry.mirror_actions(symmetry.mirror_actions(actions)), actions)


def test_the_mirrored_state_moves_in_the_mirrored_way() -> None:
    """A vector and an angular velocity mirrored by matrices: v' = S v, and ω' = det(S) S ω."""
    layout = g1_layout()
    symmetry = SymmetryMap(layout)
    S = torch.diag(torch.tensor([1.0, -1.0, 1.0]))
    estimator = torch.randn(4, 75)
    mirrored = symmetry.mirror_observations("estimator", estimator)
    group = layout.group("estimator")
    v, w = group.frame_slice("base_lin_vel"), group.frame_slice("base_ang_vel")
    torch.testing.assert_close(mirrored[:, v], estimator[:, v] @ S.T)
    torch.testing.assert_close(mirrored[:, w], torch.linalg.det(S) * estimator[:, w] @ S.T)


def test_quadruped() -> None:
    joints = tuple(f"{leg}_{joint}_joint" for leg in ("FR", "FL", "RR", "RL") for joint in ("hip", "thigh", "calf"))
    layout = ObservationLayout(
        {"policy": ObservationGroup("policy", (ObservationTerm("joint_pos", 12, joint_names=joints),))}, joints
    )
    actions = torch.arange(1.0, 13.0)[None]
    assert SymmetryMap(layout).mirror_actions(actions).tolist() == [
        [-4.0, 5.0, 6.0, -1.0, 2.0, 3.0, -10.0, 11.0, 12.0, -7.0, 8.0, 9.0]
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("left_knee_joint", "right_knee_joint"),
        ("joint_right_hip", "joint_left_hip"),
        ("L_hip", "R_hip"),
        ("RL_calf_joint", "RR_calf_joint"),
        ("LF_HAA", "RF_HAA"),
        ("RH_KFE", "LH_KFE"),
        ("waist_yaw_joint", "waist_yaw_joint"),
        ("upright_joint", "upright_joint"),
        ("FLAT_joint", "FLAT_joint"),
    ],
)
def test_names_of_the_other_side(name: str, expected: str) -> None:
    assert LEFT_RIGHT.partner(name) == expected


def layout_of(term: ObservationTerm, joints: tuple[str, ...] = ("left_knee", "right_knee")) -> ObservationLayout:
    return ObservationLayout({"policy": ObservationGroup("policy", (term,))}, joints)


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        (layout_of(ObservationTerm("smell", 2)), "'smell' of group 'policy'.*term_kinds"),
        (
            layout_of(ObservationTerm("joint_pos", 1, joint_names=("left_knee",))),
            "'left_knee'.*partner 'right_knee'.*=null",
        ),
        (layout_of(ObservationTerm("joint_pos", 1, joint_names=("rotor",))), "axis of joint 'rotor'.*joint_axes"),
        (layout_of(ObservationTerm("joint_pos", 3)), "'joint_pos'.*3 values but 0 joint names"),
        (layout_of(ObservationTerm("base_lin_vel", 2)), "'base_lin_vel'.*3 values, not 2"),
        (layout_of(ObservationTerm("height_scan", 2)), "'height_scan'.*2 values but 0 measuring points"),
        (
            layout_of(ObservationTerm("height_scan", 2, points=((0.0, 0.0), (0.0, 0.1)))),
            r"'height_scan'.*no point opposite to \(0.0, 0.1\)",
        ),
        (layout_of(ObservationTerm("height_command", 1), joints=("left_knee",)), "'left_knee' of the action"),
    ],
)
def test_what_cannot_be_mirrored_is_named(layout: ObservationLayout, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SymmetryMap(layout)


def test_tables_can_be_extended() -> None:
    layout = layout_of(ObservationTerm("push", 3), joints=("rotor",))
    symmetry = SymmetryMap(layout, term_kinds={"push": "vector"}, joint_axes={"rotor": "x"})
    assert symmetry.mirror_observations("policy", torch.ones(1, 3)).tolist() == [[1.0, -1.0, 1.0]]
    assert symmetry.mirror_actions(torch.ones(1, 1)).tolist() == [[-1.0]]


def test_settings_name_unknown_keys_and_default_to_off() -> None:
    assert not MirrorSettings.from_cfg(None).enabled
    with pytest.raises(ValueError, match="'mirror_coeff'"):
        MirrorSettings.from_cfg({"mirror_coeff": 1.0})


def test_data_augmentation_for_rsl_rls_own_extension() -> None:
    env = DummyEnv(4)
    observations, actions = mirror_batch(env, env.get_observations(), torch.randn(4, 3))
    assert isinstance(observations, TensorDict)
    assert observations.batch_size == torch.Size([8])
    symmetry = SymmetryMap.from_env(env)
    for name in ("policy", "critic", "estimator"):
        assert torch.equal(observations[name][:4], env.get_observations()[name])
        expected = symmetry.mirror_observations(name, env.get_observations()[name])
        assert torch.equal(observations[name][4:], expected)
    assert actions is not None
    assert torch.equal(actions[4:], symmetry.mirror_actions(actions[:4]))
    assert mirror_batch(env, None, None) == (None, None)


def test_the_dummy_task_itself_is_symmetric() -> None:
    """Mirrored actions from the mirrored state give the mirrored next state: the map is right for real dynamics."""
    one, other = DummyEnv(16, seed=1), DummyEnv(16, seed=1)
    symmetry = SymmetryMap.from_env(one)
    flip = torch.tensor([1.0, -1.0, 1.0])
    other.velocity, other.yaw_rate = one.velocity * flip, -one.yaw_rate
    other.command = one.command * torch.tensor([1.0, -1.0, -1.0])
    for _ in range(5):
        actions = torch.randn(16, 3)
        obs_one, reward_one, *_ = one.step(actions)
        obs_other, reward_other, *_ = other.step(symmetry.mirror_actions(actions))
        torch.testing.assert_close(reward_one, reward_other)
        torch.testing.assert_close(symmetry.mirror_observations("critic", obs_one["critic"]), obs_other["critic"])


QUADRUPED = tuple(f"{leg}_{joint}_joint" for leg in ("FL", "FR", "RL", "RR") for joint in ("hip", "thigh", "calf"))


def quadruped_layout(**ranges: tuple[float, float]) -> ObservationLayout:
    """HIMLoco's 45 values, and what only the critic knows; joints of a kind have the same range."""
    kinds = {"hip": (-0.8, 0.8), "thigh": (-1.0, 1.0), "calf": (-2.5, 2.5)} | ranges
    policy = (
        ObservationTerm("velocity_command", 3),
        ObservationTerm("base_ang_vel", 3),
        ObservationTerm("projected_gravity", 3),
        ObservationTerm("joint_pos", 12, joint_names=QUADRUPED),
        ObservationTerm("joint_vel", 12, joint_names=QUADRUPED),
        ObservationTerm("actions", 12),
    )
    privileged = (ObservationTerm("external_force", 3), ObservationTerm("height_scan", 187, points=grid_points()))
    groups = {
        "policy": ObservationGroup("policy", policy, 6, "time"),
        "critic": ObservationGroup("critic", policy + privileged),
    }
    return ObservationLayout(groups, QUADRUPED, {name: kinds[name.split("_")[1]] for name in QUADRUPED})


@pytest.mark.parametrize(
    ("plane", "order", "hip", "swing", "frame", "flipped"),
    [
        # FL FR RL RR becomes FR FL RR RL: hips turn the other way, legs swing alike
        (LEFT_RIGHT, (1, 0, 3, 2), -1, 1, [1, -2, -3, -4, 5, -6, 7, -8, 9], 0),
        # FL FR RL RR becomes RL RR FL FR: hips turn alike, legs swing the other way
        (FRONT_BACK, (2, 3, 0, 1), 1, -1, [-1, 2, -3, 4, -5, -6, -7, 8, 9], 1),
    ],
    ids=["left-right", "front-back"],
)
def test_a_quadruped_at_both_planes(
    plane: MirrorPlane, order: tuple[int, ...], hip: int, swing: int, frame: list[float], flipped: int
) -> None:
    """Against the map written by hand: command, angular velocity, gravity, legs, force, ground."""
    symmetry = SymmetryMap(quadruped_layout(), plane=plane)
    critic = torch.arange(1.0, 236.0)[None]
    mirrored = symmetry.mirror_observations("critic", critic)[0]
    assert mirrored[:9].tolist() == frame

    def legs(values: torch.Tensor) -> list[float]:
        by_leg = values.view(4, 3)[list(order)] * torch.tensor([hip, swing, swing])
        return by_leg.flatten().tolist()

    for start in (9, 21, 33):
        assert mirrored[start : start + 12].tolist() == legs(critic[0, start : start + 12])
    assert mirrored[45:48].tolist() == ([46.0, -47.0, 48.0] if plane is LEFT_RIGHT else [-46.0, 47.0, 48.0])
    assert torch.equal(mirrored[48:], critic[0, 48:].view(11, 17).flip(flipped).flatten())  # rows are y
    history = torch.randn(3, 270)
    once = symmetry.mirror_observations("policy", history)
    assert torch.equal(symmetry.mirror_observations("policy", once), history)


def test_knees_that_all_bend_one_way_have_no_image_front_to_back() -> None:
    layout = quadruped_layout(calf=(-2.7, -0.9))
    SymmetryMap(layout)
    with pytest.raises(ValueError, match=r"'FL_calf_joint' moves from -2\.7 to -0\.9 rad.*front-back.*no such"):
        SymmetryMap(layout, plane=FRONT_BACK)
    with pytest.raises(ValueError, match=r"plane 'up-down'.*left-right and front-back"):
        MirrorSettings.from_cfg({"plane": "up-down"})
