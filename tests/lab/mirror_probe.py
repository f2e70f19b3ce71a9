# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Robots and their mirror images in real physics; called as env_probe.py is.

Robot i of the first half is an original, robot i of the second half its mirror image. How the state of the world, the
commands and the targets of the arms are mirrored is written out here; the actions are mirrored by the map under test.
"""

from __future__ import annotations

from typing import Any

import torch
from env_probe import NUM_ENVS, Experiments, main

PAIRS = NUM_ENVS // 2
STEPS = 50

# Facts, section 2: what becomes of a joint's angle in the mirror
LEG = {"hip_pitch": 1, "hip_roll": -1, "hip_yaw": -1, "knee": 1, "ankle_pitch": 1, "ankle_roll": -1}
ARM = {
    **{"shoulder_pitch": 1, "shoulder_roll": -1, "shoulder_yaw": -1, "elbow": 1},
    **{"wrist_roll": -1, "wrist_pitch": 1, "wrist_yaw": -1},
}
SIGNS = {f"{side}_{joint}_joint": s for side in ("left", "right") for joint, s in {**LEG, **ARM}.items()}
SIGNS["waist_yaw_joint"] = -1

# y -> -y flips the y of a vector and the other two of an angular velocity, and so with a quaternion (x, y, z, w)
VECTOR = torch.tensor([1.0, -1.0, 1.0])
QUATERNION = torch.tensor([-1.0, 1.0, -1.0, 1.0])
INERTIA = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0])


def partners(names: list[str]) -> list[int]:
    """Index of the same thing on the other side."""
    sides = {"left": "right", "right": "left"}
    split = [name.split("_") for name in names]
    return [names.index("_".join((sides.get(head, head), *rest))) for head, *rest in split]


def mirror_joints(values: torch.Tensor, names: list[str]) -> torch.Tensor:
    """Mirror image of one value per joint, shape [P, J], in the order of names."""
    return values[:, partners(names)] * torch.tensor([float(SIGNS[name]) for name in names])


def make_symmetric(cfg: Any) -> None:
    """Switch off what treats left and right differently: everything random but the start."""
    for name in ("policy", "height_scan"):
        if hasattr(cfg.observations, name):
            getattr(cfg.observations, name).enable_corruption = False
    legs = cfg.actions.joint_pos
    legs.torque_offset = legs.torque_noise = 0.0
    legs.delay_range = (2, 2)  # acts on both alike
    for name in ("masses", "trunk_com", "actuator_gains", "push"):
        setattr(cfg.events, name, None)
    material = cfg.events.material.params
    material["static_friction_range"] = material["dynamic_friction_range"] = (1.0, 1.0)
    material["restitution_range"] = (0.0, 0.0)
    for command in (cfg.commands.base_velocity, cfg.commands.upper_body):
        command.resampling_time_range = (2.0, 2.0)  # no new command within the 50 steps
    # A robot that was put back would be no mirror image any more
    for name in ("base_contact", "bad_orientation", "terrain_out_of_bounds"):
        setattr(cfg.terminations, name, None)


def on_pyramids(cfg: Any) -> None:
    """The same on pyramids, whose middles lie at the robots' origins: ground that is its own mirror image."""
    make_symmetric(cfg)
    generator = cfg.scene.terrain.terrain_generator
    slope = generator.sub_terrains["smooth_slope"]
    slope.slope_range, slope.platform_width, slope.proportion = (0.4, 0.4), 0.4, 1.0
    generator.sub_terrains = {"smooth_slope": slope}
    generator.num_rows = generator.num_cols = 4


def symmetric_body(env: Any) -> float:
    """Replace masses, centers and inertias of the bodies by their means with their mirror images.

    The G1's own trunk is off its middle; what this takes away is returned: the largest shift of a center of mass [m].
    """
    robot = env.scene["robot"]
    data, other = robot.data, partners(list(robot.body_names))
    mass, com, inertia = (value.torch.clone() for value in (data.body_mass, data.body_com_pose_b, data.body_inertia))
    center = (com[:, :, :3] + com[:, other, :3] * VECTOR) / 2
    shift = float((com[:, :, :3] - center).abs().max())
    com[:, :, :3] = center
    robot.set_masses_index(masses=(mass + mass[:, other]) / 2)
    robot.set_coms_index(coms=com)
    robot.set_inertias_index(inertias=(inertia + inertia[:, other] * INERTIA) / 2)
    return shift


def place(env: Any, lively: float, height: float) -> None:
    """Put the originals into random states and their images into the mirrored ones, feet this high above the ground."""
    robot, terrain = env.scene["robot"], env.scene.terrain
    names = list(robot.joint_names)

    def uniform(*shape: int) -> torch.Tensor:
        return 2.0 * torch.rand(*shape) - 1.0

    limits = robot.data.soft_joint_pos_limits.torch[:PAIRS]
    joint_pos = robot.data.default_joint_pos.torch[:PAIRS] + 0.1 * lively * uniform(PAIRS, len(names))
    joint_pos = joint_pos.clamp(limits[..., 0], limits[..., 1])
    joint_vel = lively * uniform(PAIRS, len(names))
    position = torch.tensor([0.3, 0.3, 0.0]) * uniform(PAIRS, 3)
    position[:, 2] = 0.85
    half_yaw = torch.pi / 2 * uniform(PAIRS)
    quat = torch.stack((0.0 * half_yaw, 0.0 * half_yaw, half_yaw.sin(), half_yaw.cos()), dim=1)
    quat += 0.02 * lively * uniform(PAIRS, 4)  # a little roll and pitch
    quat /= quat.norm(dim=1, keepdim=True)
    velocity = 0.3 * lively * uniform(PAIRS, 6)

    pose = torch.cat((torch.cat((position, quat), 1), torch.cat((position * VECTOR, quat * QUATERNION), 1)))
    pose[:, :3] += env.scene.env_origins
    velocity = torch.cat((velocity, velocity * torch.cat((VECTOR, -VECTOR))))
    joint_pos = torch.cat((joint_pos, mirror_joints(joint_pos, names)))
    joint_vel = torch.cat((joint_vel, mirror_joints(joint_vel, names)))

    def write() -> None:
        robot.write_root_pose_to_sim_index(root_pose=pose)
        robot.write_root_velocity_to_sim_index(root_velocity=velocity)
        robot.write_joint_position_to_sim_index(position=joint_pos)
        robot.write_joint_velocity_to_sim_index(velocity=joint_vel)
        env.sim.forward()

    write()
    ankles = robot.data.body_pos_w.torch[:, robot.find_bodies(".*_ankle_roll_link")[0]]
    gap = (ankles[..., 2] - terrain.height_at(ankles)).amin(dim=1) - 0.04  # a sole is 3.5 cm below its ankle
    pose[:, 2] += height - gap[:PAIRS].repeat(2)
    write()


def rollout(
    env: Any, lively: float, scale: float, height: float, wrong: str | None = None, steps: int = STEPS
) -> dict[str, object]:
    """Some policy steps of the pairs.

    Args:
        env: The environment.
        lively: Size of the random start.
        scale: Size of the random actions.
        height: Height of the soles at the start [m].
        wrong: A joint whose sign in the mirrored action is flipped.
        steps: How many steps.
    """
    from himloco_rl.observations import SymmetryMap

    symmetry = SymmetryMap.from_env(env)
    torch.manual_seed(5)
    gait, arms = (env.command_manager.get_term(name) for name in ("base_velocity", "upper_body"))
    arms.ratio = 1.0
    env.reset()
    shift = symmetric_body(env)
    place(env, lively, height)
    gait._command[PAIRS:] = gait._command[:PAIRS] * torch.tensor([1.0, -1.0, -1.0, 1.0])
    arms._target[PAIRS:] = mirror_joints(arms._target[:PAIRS], arms.joint_names)
    env.observation_manager.reset()  # the histories begin with the new state
    joints = list(symmetry._layout.action_joint_names)
    obs, rewards = [], []
    for _ in range(steps):
        actions = scale * torch.randn(PAIRS, 12)
        mirrored = symmetry.mirror_actions(actions)
        if wrong is not None:
            mirrored[:, joints.index(wrong)] *= -1.0
        seen, *_ = env.step(torch.cat((actions, mirrored)))
        obs.append({name: values.clone() for name, values in seen.items()})
        rewards.append(env.reward_manager._step_reward.clone())
    assert (env.episode_length_buf == steps).all(), "an episode ended"
    return {
        "obs": {name: torch.stack([o[name] for o in obs]) for name in obs[0]},  # [T, 2 P, D]
        "rewards": torch.stack(rewards),  # weight * term, [T, 2 P, K]
        "reward_names": list(env.reward_manager.active_terms),
        "maps": {name: list(entry) for name, entry in symmetry.group_maps.items()},  # index, sign
        "shift": shift,
        "terms": {
            name: [(term.name, term.dim) for term in group.terms] for name, group in symmetry._layout.groups.items()
        },
    }


def beside_mujoco(env: Any) -> dict[str, object]:
    """What an exported policy is told, what it sees now, and the state and ground that MuJoCo needs to see the same."""
    from himloco_lab.exporting.describe import describe_policy

    terrain = env.scene.terrain
    pose = env.scene["robot"].data.root_pose_w.torch.clone()
    cells = ((pose[:, :2] - terrain._grid_origin) / terrain.HEIGHT_RESOLUTION).round().long()
    around = torch.arange(-30, 31)  # 1.5 m
    return {
        "manifest": describe_policy(env, ["policy", "height_scan"], 100.0).to_dict(),
        "pose": pose,  # quaternion as (x, y, z, w)
        "ground": torch.stack([terrain._heights[x + around][:, y + around] for x, y in cells]),  # [N, 61, 61]
        "middle": terrain._grid_origin + cells * terrain.HEIGHT_RESOLUTION,
        "cell": terrain.HEIGHT_RESOLUTION,
    }


EXPERIMENTS: Experiments = {
    "flight": (make_symmetric, lambda env: rollout(env, 1.0, 0.5, height=6.0)),
    "wrong_sign": (make_symmetric, lambda env: rollout(env, 1.0, 0.5, height=6.0, wrong="left_hip_yaw_joint")),
    "violent": (make_symmetric, lambda env: rollout(env, 1.0, 5.0, height=6.0, steps=2)),
    "standing": (make_symmetric, lambda env: rollout(env, 0.1, 0.1, height=0.002)),
    "scan": (on_pyramids, lambda env: {**rollout(env, 1.0, 0.5, height=0.3, steps=10), "mujoco": beside_mujoco(env)}),
}


if __name__ == "__main__":
    main(EXPERIMENTS)
