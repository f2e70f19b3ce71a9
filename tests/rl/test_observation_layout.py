# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The layout, read from managers as Isaac Lab has them, and what it says about what does not fit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from dummy_env import DummyEnv

from himloco_rl.observations import ObservationGroup, ObservationLayout, ObservationTerm, SymmetryMap

ROBOT_JOINTS = ["left_knee_joint", "right_knee_joint", "waist_yaw_joint"]


def manager_env(**policy: Any) -> SimpleNamespace:
    """An environment with the attributes of Isaac Lab's managers that the layout reads."""
    # As SceneEntityCfg.resolve leaves it: joint_ids select, in the order asked for
    joints = SimpleNamespace(name="robot", joint_names=["waist_yaw_joint", "left_knee_joint"], joint_ids=[2, 0])

    def term(scale: Any = None, func: Any = None, **params: Any) -> SimpleNamespace:
        return SimpleNamespace(scale=scale, params=params, history_length=0, func=func)

    grid = torch.tensor([[0.0, -0.1], [0.0, 0.1]])
    observations = SimpleNamespace(
        policy=SimpleNamespace(
            **{"history_length": 2, "history_order": "time", **policy},
            joint_pos=term(asset_cfg=joints),
            last_action=term(),
        ),
        critic=SimpleNamespace(
            history_length=None,
            history_order="term",
            base_lin_vel=term(scale=torch.tensor(2.0)),
            velocity_commands=term(scale=(2.0, 2.0, 0.5)),
            height_scan=term(func=SimpleNamespace(points=grid)),
        ),
    )
    env = SimpleNamespace(
        observation_manager=SimpleNamespace(
            cfg=observations,
            active_terms={
                "policy": ["joint_pos", "last_action"],
                "critic": ["base_lin_vel", "velocity_commands", "height_scan"],
            },
            group_obs_term_dim={"policy": [(4,), (4,)], "critic": [(3,), (3,), (2,)]},
        ),
        # Isaac Lab's manager resolves a copy: the environment's own configuration stays as it was written
        cfg=SimpleNamespace(observations=None),
        action_manager=SimpleNamespace(
            active_terms=["legs"],
            get_term=lambda name: SimpleNamespace(
                action_dim=2, _joint_names=["left_knee_joint", "right_knee_joint"], name=name
            ),
        ),
        scene={"robot": SimpleNamespace(joint_names=ROBOT_JOINTS)},
    )
    env.unwrapped = env
    return env


def test_reads_managers() -> None:
    layout = ObservationLayout.from_env(manager_env())
    policy, critic = layout.group("policy"), layout.group("critic")
    assert (policy.history_length, policy.history_order, policy.frame_dim, policy.dim) == (2, "time", 4, 8)
    assert policy.term("joint_pos").joint_names == ("waist_yaw_joint", "left_knee_joint")
    assert policy.term("last_action").dim == 2
    assert layout.action_joint_names == ("left_knee_joint", "right_knee_joint")
    assert critic.history_length == 1
    assert critic.term("base_lin_vel").scale == 2.0
    assert critic.term("velocity_commands").scale == (2.0, 2.0, 0.5)
    torch.testing.assert_close(torch.tensor(critic.term("height_scan").points), torch.tensor([[0.0, -0.1], [0.0, 0.1]]))
    assert critic.frame_slice("velocity_commands") == slice(3, 6)


@pytest.mark.parametrize(
    ("joint_ids", "joint_names", "preserve_order", "expected"),
    [
        ([2, 0], ["waist_yaw_joint", "left_knee_joint"], True, ("waist_yaw_joint", "left_knee_joint")),
        ([2, 0], None, False, ("waist_yaw_joint", "left_knee_joint")),
        # not resolved yet: the names count if they are full and ordered, otherwise nothing is certain
        (slice(None), ["waist_yaw_joint", "left_knee_joint"], True, ("waist_yaw_joint", "left_knee_joint")),
        (slice(None), ["waist_yaw_joint", "left_knee_joint"], False, None),
        (slice(None), [".*_knee_joint", "waist.*"], True, None),
        (slice(None), None, False, None),  # all three joints of the robot, but two values
    ],
)
def test_joints_are_those_of_the_values_or_unknown(
    joint_ids: Any, joint_names: Any, preserve_order: bool, expected: tuple[str, ...] | None
) -> None:
    env = manager_env()
    term = env.observation_manager.cfg.policy.joint_pos
    term.params["asset_cfg"] = SimpleNamespace(
        name="robot", joint_ids=joint_ids, joint_names=joint_names, preserve_order=preserve_order
    )
    assert ObservationLayout.from_env(env).group("policy").term("joint_pos").joint_names == expected


def test_all_joints_of_the_robot_reordered_keep_the_order_of_the_values() -> None:
    """27 values of 27 joints, but not in the robot's order, as on the G1 in PhysX."""
    env = manager_env()
    env.observation_manager.group_obs_term_dim["policy"][0] = (6,)
    order = ["waist_yaw_joint", "left_knee_joint", "right_knee_joint"]
    for ids in ([2, 0, 1], slice(None)):
        asset = SimpleNamespace(name="robot", joint_ids=ids, joint_names=order, preserve_order=True)
        env.observation_manager.cfg.policy.joint_pos.params["asset_cfg"] = asset
        assert ObservationLayout.from_env(env).group("policy").term("joint_pos").joint_names == tuple(order)


def test_reads_the_rays_of_a_sensor() -> None:
    env = manager_env()
    scan = env.observation_manager.cfg.critic.height_scan
    scan.func, scan.params = None, {"sensor_cfg": SimpleNamespace(name="scanner")}
    starts = torch.tensor([[0.5, 0.2, 9.0], [0.5, -0.2, 9.0]])
    pattern = SimpleNamespace(func=lambda cfg, device: (starts, None))
    env.scene["scanner"] = SimpleNamespace(cfg=SimpleNamespace(pattern_cfg=pattern))
    points = ObservationLayout.from_env(env).group("critic").term("height_scan").points
    torch.testing.assert_close(torch.tensor(points), starts[:, :2])


def test_columns_by_time_and_by_term() -> None:
    terms = (ObservationTerm("a", 1), ObservationTerm("b", 2))
    by_time = ObservationGroup("g", terms, 2, "time").columns()
    assert [(t.name, f, c.start, c.stop) for t, f, c in by_time] == [
        ("a", 0, 0, 1),
        ("b", 0, 1, 3),
        ("a", 1, 3, 4),
        ("b", 1, 4, 6),
    ]
    by_term = ObservationGroup("g", terms, 2, "term").columns()
    assert [(t.name, f, c.start, c.stop) for t, f, c in by_term] == [
        ("a", 0, 0, 1),
        ("a", 1, 1, 2),
        ("b", 0, 2, 4),
        ("b", 1, 4, 6),
    ]


def test_an_environment_may_offer_its_layout() -> None:
    env = DummyEnv(4)
    assert ObservationLayout.from_env(env) is env.observation_layout


def test_an_environment_without_names_is_told_what_to_offer() -> None:
    with pytest.raises(ValueError, match=r"SimpleNamespace.*observation_layout"):
        ObservationLayout.from_env(SimpleNamespace())


def test_a_width_that_does_not_fit_is_explained() -> None:
    env = DummyEnv(4)
    observations = env.get_observations().clone()
    observations["critic"] = torch.zeros(4, 14)
    with pytest.raises(ValueError, match=r"'critic' has shape \(4, 14\).*\[N, 15\].*base_lin_vel\(3\)"):
        env.observation_layout.check(observations)


def test_nan_is_traced_to_its_term_and_environment() -> None:
    env = DummyEnv(4)
    observations = env.get_observations().clone()
    observations["policy"][2, 12 * 3 + 7] = float("nan")  # frame 3, joint_pos is columns 6 to 8
    with pytest.raises(
        ValueError, match=r"'joint_pos' of group 'policy' \(shape \[4, 72\]\).*frame 3 of environment 2"
    ):
        env.observation_layout.check_finite(observations, "after a step")
    observations["policy"][2, 12 * 3 + 7] = float("inf")
    with pytest.raises(ValueError, match="joint_pos"):
        env.observation_layout.check_finite(observations, "after a step")


def test_large_finite_values_pass() -> None:
    env = DummyEnv(4)
    observations = env.get_observations().clone()
    observations["critic"] = torch.full((4, 15), 3.0e38)  # their sum overflows
    env.observation_layout.check_finite(observations, "after a step")


def test_unknown_names_list_what_there_is() -> None:
    layout = DummyEnv(4).observation_layout
    with pytest.raises(KeyError, match=r"no observation group 'images'.*critic"):
        layout.group("images")
    with pytest.raises(KeyError, match=r"no term 'height'.*base_ang_vel"):
        layout.group("critic").frame_slice("height")


def test_history_that_does_not_divide_is_explained() -> None:
    env = manager_env(history_length=3)
    with pytest.raises(ValueError, match=r"'joint_pos' of group 'policy'.*3 frames"):
        ObservationLayout.from_env(env)


def test_the_managers_layout_gives_a_mirror_map() -> None:
    env = manager_env()
    asset = env.observation_manager.cfg.policy.joint_pos.params["asset_cfg"]
    asset.joint_ids, asset.joint_names = [1, 0], None  # right knee, left knee
    symmetry = SymmetryMap.from_env(env)
    frame = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]])
    assert symmetry.mirror_observations("policy", frame).tolist() == [[2.0, 1.0, 4.0, 3.0, 6.0, 5.0, 8.0, 7.0]]
