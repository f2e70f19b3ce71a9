# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A task, and a checkpoint in it, for the commands that use a policy rather than train one."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from himloco_lab.cli.errors import FAILURE, CliError

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper

    from himloco_rl.runners import HIMOnPolicyRunner

SETTINGS = ("obs_groups", "clip_actions", "actor", "critic", "algorithm")
"""What the checkpoint's own run says about the networks, whatever the task says today."""


def open_env(
    task: str, env_cfg: Any, agent_cfg: Any, recorded: dict[str, Any], cleanup: contextlib.ExitStack
) -> RslRlVecEnvWrapper:
    """Build the task, and close it with *cleanup*; call it inside ``launch_simulation``.

    Args:
        task: Registered name.
        env_cfg: Its configuration.
        agent_cfg: The learner's.
        recorded: The configuration of the checkpoint's run, or nothing.
        cleanup: Closes the environment.
    """
    import gymnasium as gym
    from isaaclab_rl.entrypoints.common import close_env
    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper

    env = gym.make(task, cfg=env_cfg)
    cleanup.callback(lambda: close_env(env))
    clip = recorded.get("clip_actions", agent_cfg.clip_actions)
    return RslRlVecEnvWrapper(cast("ManagerBasedRLEnv", env), clip_actions=clip)


def load_runner(
    vec_env: RslRlVecEnvWrapper, task: str, agent_cfg: Any, recorded: dict[str, Any], checkpoint: Path
) -> HIMOnPolicyRunner:
    """Build the networks that the checkpoint's run had, and load the actor.

    Args:
        vec_env: From :func:`open_env`.
        task: Its registered name, for the message.
        agent_cfg: The learner's configuration.
        recorded: The configuration of the checkpoint's run, or nothing.
        checkpoint: The file.

    Raises:
        CliError: If the checkpoint does not fit the task.
    """
    from isaaclab.utils import to_dict
    from isaaclab_rl.rsl_rl import handle_deprecated_rsl_rl_cfg
    from isaaclab_rl.rsl_rl.utils import check_rsl_rl_version

    from himloco_rl.runners import HIMOnPolicyRunner

    handle_deprecated_rsl_rl_cfg(agent_cfg, check_rsl_rl_version())
    settings = cast("dict[str, Any]", to_dict(agent_cfg))
    settings |= {key: recorded[key] for key in SETTINGS if key in recorded}
    runner = HIMOnPolicyRunner(vec_env, settings, log_dir=None, device=agent_cfg.device)
    try:
        runner.load(str(checkpoint), load_cfg={"actor": True}, map_location=agent_cfg.device)
    except (RuntimeError, KeyError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise CliError(
            f"{checkpoint} does not fit {task}: {lines[min(1, len(lines) - 1)]}; name the task it was trained on",
            FAILURE,
        ) from None
    return runner
