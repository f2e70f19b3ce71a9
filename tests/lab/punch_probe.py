# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the blows of ``Himloco-G1-Sturdy-v0`` do to robots in real physics; see env_probe.py."""

from __future__ import annotations

from typing import Any

import torch
from env_probe import Experiments, main, nothing

from himloco_lab.sim_state.isaac_lab_state import load_memory_state_dict, memory_state_dict


def blows(env: Any) -> dict[str, object]:
    """Forces step by step for half a minute, and the momentum that one blow in free fall leaves."""
    robot, everyone = env.scene["robot"], torch.arange(env.num_envs)
    cfg = env.event_manager.get_term_cfg("punch")
    term = cfg.func
    term.reset()
    forces = []
    for _ in range(1500):
        term(env, None, **cfg.params)
        forces.append(term._forces.clone())

    saved = memory_state_dict(env)
    clocks = [getattr(term, name).clone() for name in ("_until_next", "_until_end", "_forces")]
    term.reset()
    load_memory_state_dict(env, saved)
    goes_on = all(torch.equal(getattr(term, name), clock) for name, clock in zip(term.remembers, clocks, strict=True))

    def fall(strength: float) -> torch.Tensor:
        """Momentum of each robot before and after four steps high above the ground, [2, N, 3]."""
        env.reset()
        term.reset()
        pose = robot.data.default_root_pose.torch.clone()
        pose[:, :3] += env.scene.env_origins + torch.tensor([0.0, 0.0, 5.0])
        robot.write_root_link_pose_to_sim_index(root_pose=pose)
        robot.write_root_velocity_to_sim_index(root_velocity=torch.zeros(env.num_envs, 6))
        term._until_next[:] = 1
        term(env, None, **{**cfg.params, "strength": strength})
        found = []
        for step in range(5):
            velocity = robot.data.body_com_lin_vel_w.torch
            found.append((robot.data.body_mass.torch.unsqueeze(-1) * velocity).sum(dim=1).clone())
            if step == 4:
                break
            force = term._forces.sum(dim=1).clone()
            impulses.append(force)
            env.step(torch.zeros(env.num_envs, 12))
        return torch.stack(found)

    impulses: list[torch.Tensor] = []
    momentum = fall(1.0)
    hit = torch.stack(impulses)
    active = robot.permanent_wrench_composer.out_force_b.torch.abs().sum().item()
    term.reset(everyone[:3])
    return {
        "forces": torch.stack(forces),
        "names": list(robot.body_names),
        "momentum": momentum,
        "hit": hit,
        "mass": robot.data.body_mass.torch.sum(dim=1).clone(),
        "dt": env.step_dt,
        "goes_on": goes_on,
        "active_after": active,
        "reset": term._forces[:3].abs().sum().item(),
    }


EXPERIMENTS: Experiments = {"blows": (nothing, blows)}


if __name__ == "__main__":
    main(EXPERIMENTS)
