# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""From a runner's configuration to the parts of HIMPPO, with errors for what cannot work.

The configuration is rsl_rl's dictionary with these additions (defaults shown)::

    obs_groups = {"actor": ["policy"], "critic": ["critic"], "estimator": ["estimator"]}
    actor = {
        "class_name": "himloco_rl.models:HIMActor",
        "estimator_cfg": {"preset": "homie"},   # or "himloco"; any argument of HIMEstimator overrides the preset
        # or {"group": "height_scan", "hidden_dims": [128, 64], "latent_dim": 32}, with that group in
        # obs_groups["actor"] after the history: a code of the terrain for the policy, not for the estimator
        "terrain_cfg": None,
    }
    algorithm = {
        "class_name": "himloco_rl.algorithms:HIMPPO",   # further keys: its arguments, PPO's among them
        "final_desired_kl": None, "desired_kl_updates": 1, "critic_warmup_updates": 0,  # see KLTarget
        "symmetry_cfg": None,   # or the fields of himloco_rl.observations.MirrorSettings
    }
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rsl_rl.env import VecEnv
from rsl_rl.utils import resolve_class, resolve_obs_groups
from tensordict import TensorDict
from torch import nn

from himloco_rl.models import VELOCITY_DIM
from himloco_rl.observations import PLANES, MirrorSettings, ObservationLayout, SymmetryMap
from himloco_rl.optimizers import KLTarget
from himloco_rl.storage import HIMRolloutStorage

COMPILED_VARIANTS = 8
"""Compilations of one network: with gradients, without, and in a rollout; for one row, and for any number of them."""


def build_parts(obs: TensorDict, env: VecEnv, cfg: dict[str, Any], device: str) -> tuple[Any, dict[str, Any]]:
    """Build the algorithm's class and everything that its constructor takes.

    The observations are the environment's first ones, group -> [N, D]. The runner's configuration is completed in place
    (``obs_groups``, ``check_for_nan``).
    """
    algorithm_class, arguments = resolve_class(cfg["algorithm"])
    cfg["obs_groups"] = groups = resolve_obs_groups(obs, cfg["obs_groups"], ["actor", "critic", "estimator"])
    for unused in ("rnd_cfg", "share_cnn_encoders"):
        if arguments.pop(unused, None):
            raise ValueError(f"algorithm.{unused} is set, but HIMPPO has no use for it; remove it.")

    follows = arguments.get("schedule", "adaptive") == "adaptive"
    kl_target = KLTarget(
        arguments.get("desired_kl", 0.01) if follows else None,
        arguments.pop("final_desired_kl", None),
        arguments.pop("desired_kl_updates", 1),
        arguments.pop("critic_warmup_updates", 0),
    )
    layout = ObservationLayout.from_env(env)
    layout.check(obs)
    layout.check_finite(obs, "before the first step")
    if arguments.get("check_finite", True):
        cfg["check_for_nan"] = False  # of rsl_rl's runner: it would name the group, and HIMPPO names the term

    actor_class, actor_cfg = resolve_class(cfg["actor"])
    critic_class, critic_cfg = resolve_class(cfg["critic"])
    mirror = MirrorSettings.from_cfg(arguments.pop("symmetry_cfg", None))
    for part, model_class, remedy in (
        ("actor", actor_class, "himloco_rl.models:HIMActor"),
        ("critic", critic_class, "MLPModel"),
    ):
        if model_class.is_recurrent:
            raise ValueError(
                f"{part}.class_name {model_class.__name__} is recurrent, but HIMPPO shuffles single samples (and"
                f" symmetry_cfg mirrors them); use {remedy}."
            )
    actor_cfg["history_length"] = _history_length(layout, groups["actor"], actor_cfg.get("history_length"))
    actor = actor_class(obs, groups, "actor", env.num_actions, **actor_cfg).to(device)
    critic = critic_class(obs, groups, "critic", 1, **critic_cfg).to(device)
    print(f"Actor Model: {actor}\nCritic Model: {critic}")

    keeps_features = arguments.get("estimator_schedule") == "after"
    symmetry = None
    if mirror.enabled:
        used = dict.fromkeys(name for names in groups.values() for name in names)
        plane = PLANES[mirror.plane]
        symmetry = SymmetryMap(layout, mirror.term_kinds, mirror.joint_axes, list(used), plane).to(device)
    storage = HIMRolloutStorage(
        env.num_envs,
        cfg["num_steps_per_env"],
        obs,
        estimator_groups=groups["estimator"],
        observation_groups=[*groups["actor"], *groups["critic"]],
        actions_shape=[env.num_actions],
        feature_width=(1 + mirror.for_policy) * actor.estimator.feature_dim if keeps_features else 0,
        device=device,
    )
    parts = {"actor": actor, "critic": critic, "storage": storage, "layout": layout, "symmetry": symmetry}
    return algorithm_class, {
        **parts,
        "mirror": mirror,
        "kl_target": kl_target,
        "device": device,
        "multi_gpu_cfg": cfg["multi_gpu"],
        **arguments,
    }


def velocity_target(layout: ObservationLayout, groups: list[str], term_name: str) -> tuple[slice, float]:
    """Find the base's linear velocity among the estimator's groups, which are concatenated in this order.

    Returns:
        Its columns, and observation units per m/s.
    """
    start = 0
    for name in groups:
        group = layout.group(name)
        if any(term.name == term_name for term in group.terms):
            term, columns = group.term(term_name), group.frame_slice(term_name)
            if term.dim != VELOCITY_DIM or group.history_length != 1 or not isinstance(term.scale, float):
                raise ValueError(
                    f"Velocity term '{term_name}' of group '{name}' has {term.dim} values x {group.history_length}"
                    f" frame(s) with scale {term.scale}; it must be {VELOCITY_DIM} values of one frame, one scale."
                )
            return slice(start + columns.start, start + columns.stop), term.scale
        start += group.dim
    raise ValueError(
        f"No term '{term_name}' in the estimator's groups {groups}; set algorithm.velocity_term to the term of the"
        " base's linear velocity."
    )


def check_count(storage: HIMRolloutStorage, name: str, count: int) -> int:
    """Refuse more minibatches than there are samples, and fewer than one; otherwise return the count."""
    if not 1 <= count <= storage.num_samples:
        raise ValueError(
            f"algorithm.{name} is {count}, but a rollout has {storage.num_samples} samples"
            f" ({storage.num_transitions_per_env} steps x {storage.num_envs} environments); choose 1 to"
            f" {storage.num_samples}."
        )
    return count


def compile_networks(networks: Sequence[nn.Module], mode: str | None) -> None:
    """Compile networks in place by ``torch.compile``, so that checkpoints keep their keys.

    Args:
        networks: What to compile.
        mode: Mode of ``torch.compile``; None leaves them as they are.

    Raises:
        ValueError: If the mode needs CUDA graphs.
    """
    if mode in ("reduce-overhead", "max-autotune"):
        raise ValueError(f"torch_compile_mode={mode!r} needs CUDA graphs, which HIMPPO cannot use; use 'default'.")
    if mode is None:
        return
    from torch._dynamo import config  # takes seconds

    # The limit counts for a piece of code, and all MLPs are the same one: beyond it the rest would silently run eager.
    config.recompile_limit += COMPILED_VARIANTS * len(networks)
    for network in networks:
        network.compile(mode=mode, dynamic=True)


def _history_length(layout: ObservationLayout, actor_groups: list[str], wanted: int | None) -> int:
    """Frames of the actor's history; it takes its current frame from the end."""
    group = layout.group(actor_groups[0])
    if wanted not in (None, group.history_length):
        raise ValueError(
            f"actor.history_length is {wanted}, but observation group '{group.name}' of shape [N, {group.dim}] holds"
            f" {group.history_length} frame(s); leave it out, or set the group's history_length."
        )
    if group.history_length > 1 and group.history_order != "time":
        raise ValueError(
            f"Observation group '{group.name}' holds {group.history_length} frames in history_order"
            f" '{group.history_order}', but HIMActor takes the last frame as the current one; set history_order='time'."
        )
    return group.history_length
