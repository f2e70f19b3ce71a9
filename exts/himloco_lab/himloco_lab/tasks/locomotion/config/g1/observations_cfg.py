# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# Isaac Lab makes terms from classes too, and its annotations of func do not say so.
# pyright: reportArgumentType=false

"""The G1's observations: HOMIE's 76 values, in its order and scales (facts 4.2)."""

from collections.abc import Callable

import torch
from isaaclab.managers import ObservationGroupCfg as ObsGroup
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils import configclass
from isaaclab.utils.noise import UniformNoiseCfg

from himloco_lab.assets.g1 import G1_JOINTS

from ... import mdp

HISTORY_LENGTH = 6
"""Frames that the policy sees, oldest first (HIM: five past ones and the present)."""

CLIP = 100.0
"""Half-width that every scaled value is clipped to (facts 4.2)."""


def _joints() -> SceneEntityCfg:
    return SceneEntityCfg("robot", joint_names=list(G1_JOINTS), preserve_order=True)


def _term(
    func: Callable[..., torch.Tensor], scale: float | tuple[float, ...], noise: float = 0.0, **params: object
) -> ObsTerm:
    """Build a term from the reference's numbers.

    The reference adds noise and clips after scaling; Isaac Lab does both before. So both are divided by the scale.

    Args:
        func: The observation function.
        scale: What the value is multiplied by.
        noise: Half-width of the uniform noise on the scaled value.
        params: Parameters of the function.
    """
    largest = max(scale) if isinstance(scale, tuple) else scale
    width = noise / largest
    return ObsTerm(
        func=func,
        scale=scale,
        clip=(-CLIP / largest, CLIP / largest),
        noise=UniformNoiseCfg(n_min=-width, n_max=width) if noise else None,
        params=params,
    )


def _height_scan(noise: float = 0.0) -> ObsTerm:
    """Build the scan of the ground: clip(z - 0.5 - h, +-1) x 5 at 17 x 11 = 187 points (facts 4.9).

    Args:
        noise: Half-width of the uniform noise on the height [m].
    """
    return ObsTerm(
        func=mdp.terrain_scan,
        params={"size": (1.6, 1.0), "resolution": 0.1},
        noise=UniformNoiseCfg(n_min=-noise, n_max=noise) if noise else None,
        clip=(-1.0, 1.0),
        scale=5.0,
    )


@configclass
class G1ObservationsCfg:
    """Observation groups of the G1 tasks."""

    @configclass
    class PolicyCfg(ObsGroup):
        """What the robot itself knows: command, IMU, joints, last action; noisy; six frames."""

        velocity_command = _term(mdp.velocity_command, (2.0, 2.0, 0.5), command_name="base_velocity")
        height_command = _term(mdp.height_command, 1.0, command_name="base_velocity")
        base_ang_vel = _term(mdp.base_ang_vel, 0.5, noise=0.25)
        projected_gravity = _term(mdp.projected_gravity, 1.0, noise=0.05)
        joint_pos = _term(mdp.joint_pos_rel, 1.0, noise=0.02, asset_cfg=_joints())
        joint_vel = _term(mdp.joint_vel_rel, 0.05, noise=0.1, asset_cfg=_joints())
        actions = _term(mdp.last_action, 1.0)

        def __post_init__(self) -> None:
            """Six frames, one after the other, oldest first."""
            self.enable_corruption = True
            self.concatenate_terms = True
            self.history_length = HISTORY_LENGTH
            self.history_order = "time"
            self.flatten_history_dim = True

    @configclass
    class CriticCfg(ObsGroup):
        """The same frame without noise, the base velocity, and the ground around the robot."""

        velocity_command = _term(mdp.velocity_command, (2.0, 2.0, 0.5), command_name="base_velocity")
        height_command = _term(mdp.height_command, 1.0, command_name="base_velocity")
        base_ang_vel = _term(mdp.base_ang_vel, 0.5)
        projected_gravity = _term(mdp.projected_gravity, 1.0)
        joint_pos = _term(mdp.joint_pos_rel, 1.0, asset_cfg=_joints())
        joint_vel = _term(mdp.joint_vel_rel, 0.05, asset_cfg=_joints())
        actions = _term(mdp.last_action, 1.0)
        base_lin_vel = _term(mdp.base_lin_vel, 2.0)
        height_scan: ObsTerm | None = _height_scan()

        def __post_init__(self) -> None:
            """One clean frame."""
            self.enable_corruption = False
            self.concatenate_terms = True

    @configclass
    class EstimatorCfg(ObsGroup):
        """What HIM predicts of the next step: the clean frame without commands, and the base velocity."""

        base_ang_vel = _term(mdp.base_ang_vel, 0.5)
        projected_gravity = _term(mdp.projected_gravity, 1.0)
        joint_pos = _term(mdp.joint_pos_rel, 1.0, asset_cfg=_joints())
        joint_vel = _term(mdp.joint_vel_rel, 0.05, asset_cfg=_joints())
        actions = _term(mdp.last_action, 1.0)
        base_lin_vel = _term(mdp.base_lin_vel, 2.0)

        def __post_init__(self) -> None:
            """One clean frame."""
            self.enable_corruption = False
            self.concatenate_terms = True

    policy: PolicyCfg = PolicyCfg()
    critic: CriticCfg = CriticCfg()
    estimator: EstimatorCfg = EstimatorCfg()


@configclass
class G1PerceptiveObservationsCfg(G1ObservationsCfg):
    """The same, and a scan for a policy that sees the ground."""

    @configclass
    class HeightScanCfg(ObsGroup):
        """What a depth camera or a map of the ground would tell the policy; noisy, one frame."""

        # HIMLoco's noise of half a unit on the scaled heights: 0.5 / 5 (facts 4.9)
        height_scan = _height_scan(noise=0.1)

        def __post_init__(self) -> None:
            """One noisy frame."""
            self.enable_corruption = True
            self.concatenate_terms = True

    height_scan: HeightScanCfg = HeightScanCfg()
