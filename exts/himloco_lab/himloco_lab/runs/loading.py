# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Loading a checkpoint into a learner, whether it fits, and opening a policy of any kind in a task's environment."""

from __future__ import annotations

import contextlib
import copy
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from himloco_lab.errors import FAILURE, CliError
from himloco_lab.runs.checkpoints import read, recorded_agent
from himloco_lab.runs.starting import layers_differ, start_from
from himloco_lab.setup.arguments import OLDEST_FIRST

if TYPE_CHECKING:
    import torch
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper
    from rsl_rl.env import VecEnv
    from tensordict import TensorDict

    from himloco_lab.playing.policies import EnvPolicy
    from himloco_rl.observations import ObservationLayout
    from himloco_rl.runners import HIMOnPolicyRunner

_ZIP_SIGNATURE = b"PK"
"""First bytes of torch's files, which are ZIP archives."""

_NETWORK_SETTINGS = ("obs_groups", "clip_actions", "actor", "critic", "algorithm")
"""What the checkpoint's own run says about the networks, whatever the task says today."""


def open_env(
    task: str, env_cfg: Any, agent_cfg: Any, recorded: dict[str, Any], cleanup: contextlib.ExitStack
) -> RslRlVecEnvWrapper:
    """Build the task, and close it with *cleanup*; call it inside ``launch_simulation``.

    Actions are clipped as the configuration of the checkpoint's run says, which may be empty, else as the learner's.
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
    """Build the networks that the checkpoint's run had by its *recorded* configuration, and load the actor.

    Raises:
        CliError: If the checkpoint does not fit the task.
    """
    runner = build_runner(vec_env, _settings(agent_cfg, recorded), None, agent_cfg.device)
    load_checkpoint(runner, checkpoint, task, {"actor": True})
    return runner


def check_policy(checkpoint: Path, task: str, env_cfg: Any, agent_cfg: Any, recorded: dict[str, Any]) -> None:
    """Refuse a checkpoint whose observations or networks are not what the task gives, before anything is built.

    Raises:
        CliError: With what differs.
    """
    check_fit(checkpoint, read(checkpoint), task, env_cfg, _settings(agent_cfg, recorded))


def check_fit(path: Path, checkpoint: dict[str, Any], task: str, env_cfg: Any, settings: dict[str, Any]) -> None:
    """Refuse a checkpoint that cannot be loaded, with what differs.

    One that does not say what its observations were (rsl_rl's own, or an older one) is judged when it is loaded.

    Raises:
        CliError: Naming the observation term, or the layer and both shapes.
    """
    from himloco_rl.checkpoints import CheckpointError, require_parts
    from himloco_rl.observations import ObservationLayout

    try:
        require_parts(path, checkpoint)
    except CheckpointError as error:
        raise CliError(str(error), FAILURE) from None
    if "layout" not in checkpoint:
        return
    try:
        layout = ObservationLayout.from_record(checkpoint["layout"])
    except (TypeError, KeyError, AttributeError, ValueError):
        raise CliError(f"{path} is no checkpoint of this version: its layout cannot be read", FAILURE) from None
    difference = terms_differ(layout, env_cfg, settings["obs_groups"]) or _layers_differ(checkpoint, layout, settings)
    if difference:
        made_with = checkpoint.get("made_with")
        origin = made_with.get("task") if isinstance(made_with, dict) else None
        made = f" (it was made with {origin})" if origin else ""
        raise CliError(
            f"{path} does not fit {task}: {difference}{made}; name the task it was trained on, and the sizes of its"
            " networks",
            FAILURE,
        )


def terms_differ(layout: ObservationLayout, env_cfg: Any, obs_groups: dict[str, list[str]]) -> str | None:
    """Return how the task's observations differ from *layout*, by the names and frames of its configuration."""
    for name in dict.fromkeys(name for names in obs_groups.values() for name in names):
        there = layout.groups.get(name)
        group = getattr(env_cfg.observations, name, None)
        if there is None or group is None:
            return f"observation group '{name}' is missing {'there' if there is None else 'here'}"
        here = [key for key, term in vars(group).items() if hasattr(term, "func")]
        known = [term.name for term in there.terms]
        if here != known:
            only = [f"'{key}' only here" for key in here if key not in known]
            only += [f"'{key}' only there" for key in known if key not in here]
            return f"observation group '{name}' has {', '.join(only) or 'another order of terms'}"
        frames = group.history_length
        if frames is not None and max(frames, 1) != there.history_length:
            return f"observation group '{name}' has {there.history_length} frames there and {max(frames, 1)} here"
    return None


def _layers_differ(checkpoint: dict[str, Any], layout: ObservationLayout, settings: dict[str, Any]) -> str | None:
    """Return how the configuration's networks, on the checkpoint's own observations, differ from the checkpoint's."""
    import torch
    from tensordict import TensorDict

    from himloco_rl.algorithms.him_setup import build_parts

    joints = layout.action_joint_names
    # as much of the checkpoint's environment as the networks are built from
    env: Any = SimpleNamespace(num_envs=1, num_actions=len(joints), device="cpu", observation_layout=layout)
    cfg = copy.deepcopy(settings) | {"multi_gpu": None, "num_steps_per_env": 1}
    try:
        obs = TensorDict({name: torch.zeros(1, group.dim) for name, group in layout.groups.items()}, batch_size=[1])
        with contextlib.redirect_stdout(io.StringIO()):
            _, parts = build_parts(obs, env, cfg, "cpu")
    except (ValueError, KeyError, TypeError):  # said better when the learner is built
        return None
    except RuntimeError:  # sizes that no memory holds
        return "its observations or actions are of a size that cannot be"
    differences = (
        layers_differ(checkpoint[f"{part}_state_dict"], parts[part].state_dict(), f" of the {part}")
        for part in ("actor", "critic")
    )
    return next(filter(None, differences), None)


def _settings(agent_cfg: Any, recorded: dict[str, Any]) -> dict[str, Any]:
    """The learner's configuration, with the networks that the checkpoint's run had."""
    from isaaclab.utils import to_dict
    from isaaclab_rl.rsl_rl import handle_deprecated_rsl_rl_cfg
    from isaaclab_rl.rsl_rl.utils import check_rsl_rl_version

    # of a copy: it takes attributes away, and fails where they are gone
    updated = handle_deprecated_rsl_rl_cfg(copy.deepcopy(agent_cfg), check_rsl_rl_version())
    settings = cast("dict[str, Any]", to_dict(updated))
    return settings | {key: recorded[key] for key in _NETWORK_SETTINGS if key in recorded}


def build_runner(vec_env: VecEnv, settings: dict[str, Any], log_dir: Path | None, device: str) -> HIMOnPolicyRunner:
    """Build the networks and the learner; without a *log_dir*, neither logs nor checkpoints are written.

    Raises:
        CliError: If a setting cannot work, or does not fit the observations.
    """
    from himloco_rl.distributed import LostRankError
    from himloco_rl.runners import HIMOnPolicyRunner

    try:
        return HIMOnPolicyRunner(vec_env, settings, None if log_dir is None else str(log_dir), device)
    except ValueError as error:  # what the learner says of settings and observations
        raise CliError(f"the learner cannot be built: {error}") from None
    except LostRankError as error:
        raise CliError(str(error), FAILURE) from None


def load_checkpoint(runner: HIMOnPolicyRunner, checkpoint: Path, task: str, load_cfg: dict[str, bool] | None) -> None:
    """Load the parts of a checkpoint that *load_cfg* names as in rsl_rl; all if it is None.

    Raises:
        CliError: If networks or parts are not what the runner has.
    """
    from himloco_rl.checkpoints import CheckpointError

    try:
        runner.load(str(checkpoint), load_cfg=load_cfg, map_location=runner.device)
    except CheckpointError as error:
        raise CliError(str(error), FAILURE) from None
    except (RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise CliError(
            f"{checkpoint} does not fit {task}: {lines[min(1, len(lines) - 1)]}; name the task it was trained on, and"
            " the sizes of its networks",
            FAILURE,
        ) from None


def load_for_all(
    runner: HIMOnPolicyRunner, checkpoint: Path | None, task: str, load_cfg: dict[str, bool] | None
) -> None:
    """Load the first process's checkpoint, if it has one, in every process: other machines need not have its folder.

    An exported policy (ONNX) is as good, but brings the actor alone. All processes but the first give None.

    Raises:
        CliError: If networks or parts are not what the runner has.
    """
    data = runner.alg.ranks.bytes_of_first(b"" if checkpoint is None else checkpoint.read_bytes())
    if data and not data.startswith(_ZIP_SIGNATURE):
        if checkpoint is not None:
            print(f"[INFO] Starting from the policy {checkpoint}: critic and optimizers are new")
        start_from(runner.alg.actor, data, str(checkpoint or "the policy of the first process"), task)
    elif checkpoint is not None:
        print(f"[INFO] Continuing from {checkpoint}")
        load_checkpoint(runner, checkpoint, task, load_cfg)
    elif data:
        with tempfile.TemporaryDirectory() as folder:
            copy_of_first = Path(folder) / "checkpoint.pt"
            copy_of_first.write_bytes(data)
            load_checkpoint(runner, copy_of_first, task, load_cfg)


def policy_file(name: str) -> Path | None:
    """Return the file that ``--policy`` names; None for ``zero`` and ``random``.

    Raises:
        CliError: If there is no such file, or it is called an ONNX file and is none. Whether it fits the task shows
            when the task is built.
    """
    from himloco_lab.deployment.manifest import ManifestError
    from himloco_lab.deployment.policy import open_session
    from himloco_lab.playing.policies import BUILT_IN

    if name in BUILT_IN:
        return None
    path = Path(name).expanduser()
    if not path.is_file():
        known = " or ".join(BUILT_IN)
        raise CliError(f"--policy {name}: no such file; name an ONNX or TorchScript file, or {known}", FAILURE)
    if path.suffix == ".onnx":
        try:
            open_session(path)
        except ManifestError as error:
            raise CliError(f"--policy {error}", FAILURE) from None
    return path


def open_any(
    vec_env: RslRlVecEnvWrapper,
    task: str,
    agent_cfg: Any,
    named: Path | str,
    is_checkpoint: bool,
    seed: int,
    history: str = OLDEST_FIRST,
) -> EnvPolicy:
    """Open a policy of whatever kind, and see that it fits the task.

    What is *named* is a checkpoint or what ``--policy`` names: a file, trained with its frames in the order *history*,
    or a built-in policy, whose random numbers come from *seed*.

    Raises:
        CliError: If it cannot be opened or does not fit.
    """
    from himloco_lab.playing.policies import PolicyError, layout_of, open_policy
    from himloco_rl.observations import ObservationLayout

    if is_checkpoint:
        checkpoint = Path(named)
        return load_runner(vec_env, task, agent_cfg, recorded_agent(checkpoint), checkpoint).get_inference_policy()
    groups = agent_cfg.obs_groups["actor"]
    frames = ObservationLayout.from_env(vec_env.unwrapped).group(groups[0]).history_length
    layout = layout_of(vec_env.get_observations(), groups, vec_env.num_actions, frames)
    try:
        return open_policy(str(named), layout, seed=seed, newest_first=history != OLDEST_FIRST)
    except PolicyError as error:
        raise CliError(str(error), FAILURE) from None


def velocity_estimate(
    vec_env: RslRlVecEnvWrapper, policy: EnvPolicy, agent_cfg: Any
) -> Callable[[TensorDict], torch.Tensor] | None:
    """Return a function that computes a HIM policy's estimate of the base velocity [m/s], ``[N, 3]``; None for others.

    The learner's configuration names what the estimator learns.
    """
    import torch

    from himloco_rl.algorithms.him_setup import VELOCITY_DIM, velocity_target
    from himloco_rl.models import HIMActor
    from himloco_rl.observations import ObservationLayout

    if not isinstance(policy, HIMActor):
        return None
    groups = agent_cfg.obs_groups["estimator"]
    _, scale = velocity_target(ObservationLayout.from_env(vec_env.unwrapped), groups, agent_cfg.algorithm.velocity_term)

    def estimate(observations: TensorDict) -> torch.Tensor:
        flat = policy.obs_normalizer(torch.cat([observations[group] for group in policy.obs_groups], dim=-1))
        return policy.estimator.features(policy.history(flat))[:, :VELOCITY_DIM] / scale

    return estimate
