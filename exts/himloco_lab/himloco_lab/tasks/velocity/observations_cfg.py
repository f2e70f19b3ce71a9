# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# Isaac Lab makes terms from classes too, and its annotations of func do not say so.
# pyright: reportArgumentType=false, reportAssignmentType=false

"""The observations of a robot: its frame is in its policy layout, and the three groups of HIM follow from it."""

from collections.abc import Mapping
from dataclasses import MISSING

from isaaclab.managers import ObservationGroupCfg as ObsGroup
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.managers import SceneEntityCfg
from isaaclab.utils import configclass
from isaaclab.utils.noise import UniformNoiseCfg

from himloco_lab.robots import RobotDescription
from himloco_lab.robots.policy_layout import SCAN_RESOLUTION, SCAN_SIZE, FrameTerm

from . import mdp

_COMMAND = {"command_name": "base_velocity"}
_FUNCTIONS = {
    "velocity_command": (mdp.velocity_command, _COMMAND),
    "height_command": (mdp.height_command, _COMMAND),
    "base_ang_vel": (mdp.base_ang_vel, {}),
    "projected_gravity": (mdp.projected_gravity, {}),
    "joint_pos": (mdp.joint_pos_rel, {}),
    "joint_vel": (mdp.joint_vel_rel, {}),
    "actions": (mdp.last_action, {}),
    "base_lin_vel": (mdp.base_lin_vel, {}),
}
"""Term of a frame -> its function and that one's parameters."""


@configclass
class VelocityObservationsCfg:
    """The observation groups of a task: what the policy sees, what the critic sees, what HIM predicts."""

    policy: ObsGroup = MISSING
    """What the robot itself knows: command, IMU, joints, last action; noisy; several frames, oldest first."""

    critic: ObsGroup = MISSING
    """The same frame without noise, the base velocity, what else a simulator knows, and the ground around the robot."""

    estimator: ObsGroup = MISSING
    """What HIM predicts of the next step: the clean frame without commands, and the base velocity."""


def make_observations(
    robot: RobotDescription, noise: Mapping[str, float], privileged: Mapping[str, ObsTerm] | None = None
) -> VelocityObservationsCfg:
    """Build the groups from the frame, scales, clipping and history of the robot's policy layout.

    The policy's terms get uniform noise, whose half-width on the scaled values is in ``noise``; ``privileged`` are
    further terms of the critic, between the base velocity and the scan of the ground.
    """
    layout = robot.policy_layout
    bound = layout.clip / layout.lin_vel_scale
    velocity = {"base_lin_vel": FrameTerm("base_lin_vel", 3, layout.lin_vel_scale, (-bound, bound))}
    frame = {term.name: term for term in robot.frame}
    felt = {name: term for name, term in frame.items() if not name.endswith("_command")}

    def clean(terms: Mapping[str, FrameTerm]) -> dict[str, ObsTerm]:
        return {name: _observed(term) for name, term in terms.items()}

    noisy = {name: _observed(term, noise.get(name, 0.0)) for name, term in frame.items()}
    critic = {**clean({**frame, **velocity}), **(privileged or {}), "height_scan": ground_scan()}
    return VelocityObservationsCfg(
        policy=make_group(noisy, noisy=True, history_length=layout.history_length),
        critic=make_group(critic),
        estimator=make_group(clean({**felt, **velocity})),
    )


def make_group(terms: Mapping[str, ObsTerm], noisy: bool = False, history_length: int | None = None) -> ObsGroup:
    """Build a group of terms whose values come one after the other, frame by frame, oldest first; only one if None."""
    order = "term" if history_length is None else "time"
    group = ObsGroup(enable_corruption=noisy, history_length=history_length, history_order=order)
    for name, term in terms.items():
        setattr(group, name, term)
    return group


def ground_scan(noise: float = 0.0) -> ObsTerm:
    """Build the scan of the ground: clip(z - 0.5 - h, +-1) x 5 at 17 x 11 = 187 points (HIMLoco).

    ``noise`` is the half-width of the uniform noise on the height [m].
    """
    return ObsTerm(
        func=mdp.terrain_scan,
        params={"size": SCAN_SIZE, "resolution": SCAN_RESOLUTION},
        noise=UniformNoiseCfg(n_min=-noise, n_max=noise) if noise else None,
        clip=(-1.0, 1.0),
        scale=5.0,
    )


def _observed(term: FrameTerm, noise: float = 0.0) -> ObsTerm:
    """Return a term that is observed, with noise on the scaled value: Isaac Lab adds it before it scales."""
    func, params = _FUNCTIONS[term.name]
    if term.joints is not None:
        joints = SceneEntityCfg("robot", joint_names=list(term.joints), preserve_order=True)
        params = {**params, "asset_cfg": joints}
    width = noise / (max(term.scale) if isinstance(term.scale, tuple) else term.scale)
    return ObsTerm(
        func=func,
        scale=term.scale,
        clip=term.clip,
        noise=UniformNoiseCfg(n_min=-width, n_max=width) if noise else None,
        params=dict(params),
    )
