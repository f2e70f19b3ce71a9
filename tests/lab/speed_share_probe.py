# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The curriculum of a quadruped's speeds on level ground; called as env_probe.py is."""

from __future__ import annotations

import torch
from env_probe import Experiments, main, nothing


def speeds(env) -> dict[str, object]:
    """The ranges after episodes that tracked well or badly, and through a save and a load."""
    env.reset()
    command = env.command_manager.get_term("base_velocity")
    terms = env.curriculum_manager
    cfgs = dict(zip(terms.active_terms, terms._term_cfgs, strict=True))
    term, params = cfgs["speed_share"].func, cfgs["speed_share"].params
    nothing_yet = {"sum": 0.0, "episodes": 0, "steps_since_check": 0}
    term.load_state_dict({"share": 0.5, **nothing_yet})
    sums = env.reward_manager._episode_sums["tracking_lin_vel"]
    everyone = torch.arange(env.num_envs)

    def ranges() -> list[tuple[float, float]]:
        return [command.cfg.ranges.lin_vel_x, command.cfg.ranges.lin_vel_y, command.forward_range]

    found = [ranges()]
    for tracked, steps in ((0.9, 399), (0.9, 1), (0.79, 400), (0.81, 400)):
        env.common_step_counter += steps
        sums[:] = tracked * env.max_episode_length_s
        term(env, everyone, **params)
        found.append(ranges())
    saved = term.state_dict(), command.state_dict()
    for _ in range(5):
        env.common_step_counter += 400
        term(env, everyone, **params)
    fastest = ranges()
    command.widen(0.2)  # as forward_range does, whose turn it is now
    term(env, everyone, **params)
    wider, late = ranges(), (term.state_dict(), command.state_dict())
    restored = []
    for curriculum, mine in (saved, late):
        term.load_state_dict(curriculum)
        command.load_state_dict(mine)
        restored.append(ranges())
    drawn = []
    term.load_state_dict({"share": 0.5, **nothing_yet})
    for _ in range(100):
        command._resample_command(everyone)
        drawn.append(command.command[:, :2].clone())
    return {"ranges": found, "fastest": fastest, "wider": wider, "restored": restored, "drawn": torch.stack(drawn)}


EXPERIMENTS: Experiments = {"speeds": (nothing, speeds)}


if __name__ == "__main__":
    main(EXPERIMENTS)
