# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A quadruped whose policy layout differs from HIMLoco's in everything, and its task; called as env_probe.py is."""

from __future__ import annotations

import dataclasses

from isaaclab.utils import configclass

from himloco_lab.robots import PolicyLayout
from himloco_lab.robots.go2 import GO2_DESCRIPTION
from himloco_lab.tasks.velocity.config.quadruped.env_cfg import QuadrupedRoughEnvCfg

LAYOUT = PolicyLayout(  # scales that float32 holds exactly: an export reads them off tensors
    physics_dt=0.004,
    decimation=5,
    history_length=4,
    velocity_scale=(1.5, 1.0, 0.5),
    lin_vel_scale=1.25,
    ang_vel_scale=0.375,
    joint_vel_scale=0.125,
    clip=50.0,
    sees_height=True,
    action_scale=0.4,
    lin_vel_x=(-0.5, 0.7),
    lin_vel_y=(-0.4, 0.3),
    ang_vel_z=(-1.0, 1.2),
    height=(0.25, 0.32),
)
OTHER_DESCRIPTION = dataclasses.replace(GO2_DESCRIPTION, name="other", policy_layout=LAYOUT)


@configclass
class OtherFlatEnvCfg(QuadrupedRoughEnvCfg):
    """On level ground."""

    description: str = "layout_probe:OTHER_DESCRIPTION"

    def __post_init__(self) -> None:
        """Level the ground, and command all speeds at once."""
        super().__post_init__()
        self.make_flat()
        self.curriculum.speed_share = None


def describe(env) -> dict[str, object]:
    """What an export says of the environment, and a clean frame after a few steps beside the state behind it."""
    from himloco_lab.exporting.describe import describe_policy

    env.reset()
    for _ in range(3):
        observed = env.step(actions(env))[0]
    data, robot = env.scene["robot"].data, env.scene["robot"]
    ids = [robot.joint_names.index(joint) for joint in OTHER_DESCRIPTION.joints]
    return {
        "manifest": describe_policy(env, ["policy"], LAYOUT.clip).to_dict(),
        "policy_width": observed["policy"].shape[1],
        "critic": observed["critic"].clone(),
        "command": env.command_manager.get_command("base_velocity").clone(),
        "ang_vel": data.root_ang_vel_b.torch.clone(),
        "lin_vel": data.root_lin_vel_b.torch.clone(),
        "joint_vel": data.joint_vel.torch[:, ids].clone(),
        "step_dt": env.step_dt,
    }


if __name__ == "__main__":
    import gymnasium as gym
    from env_probe import actions, main, nothing

    gym.register(
        id="Other-Flat-v0",
        entry_point="isaaclab.envs:ManagerBasedRLEnv",
        disable_env_checker=True,
        kwargs={"env_cfg_entry_point": "layout_probe:OtherFlatEnvCfg"},
    )
    main({"describe": (nothing, describe)})
