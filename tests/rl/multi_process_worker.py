# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One rank of test_multi_process: several updates on this rank's half of the environments, or on all of them."""

from __future__ import annotations

import os
import sys

import torch
from dummy_env import DummyEnv, train_cfg

from himloco_rl.runners import HIMOnPolicyRunner

JOINT_ENVS = 16


def train(rank: int, world_size: int) -> dict[str, torch.Tensor]:
    """Train on this rank's share and return all parameters."""
    torch.manual_seed(rank)  # different initial parameters, which the broadcast makes equal
    # One minibatch, so that the order of the samples does not matter; the KL reacts to all of them
    cfg = train_cfg(num_mini_batches=1, num_learning_epochs=2)
    cfg["num_steps_per_env"] = 8
    env = DummyEnv(JOINT_ENVS // world_size)
    runner = HIMOnPolicyRunner(env, cfg, None, "cpu")
    algorithm = runner.alg
    if world_size > 1:
        algorithm.broadcast_parameters()

    joint = DummyEnv(JOINT_ENVS, max_episode_length=5)
    noise = torch.Generator().manual_seed(7)
    mine = slice(rank * env.num_envs, (rank + 1) * env.num_envs)
    observations = joint.get_observations()
    for _ in range(3):
        with torch.inference_mode():
            for _ in range(8):
                # The same environments and actions in every rank; each learns from its share of them
                algorithm.act(observations[mine])
                actions = torch.randn(JOINT_ENVS, 3, generator=noise)
                mean, std = algorithm.transition.distribution_params  # type: ignore[misc]
                algorithm.transition.actions = mean + std * actions[mine]
                algorithm.transition.actions_log_prob = algorithm.actor.get_output_log_prob(
                    algorithm.transition.actions
                )
                observations, rewards, dones, extras = joint.step(actions)
                share = {
                    "time_outs": extras["time_outs"][mine],
                    "final_obs": {k: v[mine] for k, v in extras.get("final_obs", {}).items()},
                }
                algorithm.process_env_step(observations[mine], rewards[mine], dones[mine], share)
            algorithm.compute_returns(observations[mine])
        algorithm.update()

    state = {f"actor.{k}": v for k, v in algorithm.actor.state_dict().items()}
    state |= {f"critic.{k}": v for k, v in algorithm.critic.state_dict().items()}
    state["learning_rate"] = torch.tensor(algorithm.learning_rate)
    return state


if __name__ == "__main__":
    torch.set_num_threads(1)
    own_rank = int(os.environ["RANK"])
    torch.save(train(own_rank, int(os.environ["WORLD_SIZE"])), f"{sys.argv[1]}/{own_rank}.pt")
    torch.distributed.destroy_process_group()
