# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/export.py``: a checkpoint in, files that run anywhere out."""

from __future__ import annotations

import contextlib
import importlib.metadata
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from himloco_lab.errors import FAILURE, CliError, run_command
from himloco_lab.runs.checkpoints import find_checkpoint, log_root, recorded_agent
from himloco_lab.runs.loading import check_policy, load_runner, open_env
from himloco_lab.setup.arguments import export_parser, parse
from himloco_lab.setup.machine import apply_device, check_launch
from himloco_lab.setup.overrides import check_configs, resolve_configs
from himloco_lab.setup.registry import find_task

if TYPE_CHECKING:
    import torch
    from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper

    from himloco_rl.models import HIMActor
    from himloco_rl.runners import HIMOnPolicyRunner

ROBOTS, STEPS = 10, 100
"""What the thousand observations are made of."""


def main(argv: list[str] | None = None) -> int:
    """Export as *argv* says, and return the exit code."""
    return run_command(_export, argv)


def _export(argv: list[str]) -> None:
    args, overrides = parse(export_parser(), argv)
    args.task = find_task(args.task, args.agent).id
    env_cfg, agent_cfg = resolve_configs(args.task, args.agent, overrides)
    checkpoint = find_checkpoint(
        args.checkpoint, log_root(agent_cfg.experiment_name), task=args.task, agent_entry=args.agent
    )
    recorded = recorded_agent(checkpoint)
    env_cfg.scene.num_envs, env_cfg.seed = ROBOTS, args.seed
    for name in vars(env_cfg.curriculum):
        setattr(env_cfg.curriculum, name, None)  # one that has just begun narrows the ranges that the manifest states
    apply_device(args, overrides, env_cfg, agent_cfg)
    check_configs(env_cfg, agent_cfg)
    check_launch(env_cfg, args)
    check_policy(checkpoint, args.task, env_cfg, agent_cfg, recorded)
    folder = output_folder(args.output_dir, checkpoint.parent / "exported")

    from isaaclab.app import launch_simulation

    with launch_simulation(env_cfg, args), contextlib.ExitStack() as cleanup:
        vec_env = open_env(args.task, env_cfg, agent_cfg, recorded, cleanup)
        runner = load_runner(vec_env, args.task, agent_cfg, recorded, checkpoint)
        _write_and_check(runner, args.task, checkpoint, folder)


def output_folder(named: str | None, default: Path) -> Path:
    """Make the folder that ``--output_dir`` names, or the default one."""
    folder = Path(named).absolute() if named else default
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(f"cannot write to {folder}: {error.strerror}; choose --output_dir", FAILURE) from None
    return folder


def _write_and_check(runner: HIMOnPolicyRunner, task: str, checkpoint: Path, folder: Path) -> None:
    """Write the files, run them, and say how far they are from the model."""
    import torch

    from himloco_lab.exporting.describe import describe_policy
    from himloco_lab.exporting.files import compare_files, write_files

    actor = cast("HIMActor", runner.alg.get_policy()).eval()
    env = cast("RslRlVecEnvWrapper", runner.env).unwrapped
    iteration = int(torch.load(checkpoint, weights_only=True, map_location="cpu").get("iter", -1))
    source = {**_source(checkpoint), "iteration": iteration}
    clip_actions = getattr(runner.env, "clip_actions", None)
    try:
        manifest = describe_policy(env, list(actor.obs_groups), clip_actions, task, source)
    except ValueError as error:
        raise CliError(f"{task} cannot be exported: {error}", FAILURE) from error
    write_files(actor, manifest, folder)
    observations = _observations(runner, actor)
    _check_difference(compare_files(actor, observations, folder), len(observations), folder)
    print(f"[INFO] Exported {checkpoint} to {folder}")


def _check_difference(found: dict[str, float], count: int, folder: Path) -> None:
    """Say how far the files in *folder* are from the model over *count* observations; refuse what is too far."""
    from himloco_lab.exporting.files import TOLERANCE

    for kind, name in (("onnx", "ONNX Runtime"), ("torchscript", "TorchScript")):
        print(
            f"[INFO] {name}: largest difference {found[f'{kind}_difference']:.1e} over"
            f" {count} observations, {found[f'{kind}_ms']:.3f} ms per step on one core"
        )
    for difference in (found["onnx_difference"], found["torchscript_difference"]):
        if not difference <= TOLERANCE:  # NaN is not
            raise CliError(
                f"the exported files differ from the model by {difference:.1e}, more than {TOLERANCE:.0e}; do not use"
                f" them: {folder}",
                FAILURE,
            )


def _observations(runner: HIMOnPolicyRunner, actor: HIMActor) -> torch.Tensor:
    """What the policy sees while it acts, shape [ROBOTS * STEPS, width]."""
    import torch

    seen = []
    obs = runner.env.get_observations().to(runner.device)
    with torch.inference_mode():
        for _ in range(STEPS):
            seen.append(torch.cat([obs[group] for group in actor.obs_groups], dim=-1))
            obs = runner.env.step(actor(obs))[0].to(runner.device)
    return torch.cat(seen)


def _source(checkpoint: Path) -> dict[str, Any]:
    """Where the policy comes from."""
    packages = ("himloco_lab", "himloco_rl", "isaaclab", "rsl-rl-lib", "torch")
    return {
        "run": checkpoint.parent.name,
        "checkpoint": checkpoint.name,
        "git_revision": _git("rev-parse", "HEAD") or None,
        "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }


def _git(*command: str) -> str:
    """What git says about the checkout this package lies in; nothing where there is none."""
    git = ["git", "-C", str(Path(__file__).parent), *command]
    try:
        return subprocess.check_output(git, stderr=subprocess.DEVNULL, text=True, timeout=10).strip()
    except (OSError, subprocess.SubprocessError):
        return ""
