# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The variants of the algorithm that are compared: a name and the overrides that make each of the task's defaults."""

from __future__ import annotations

from dataclasses import dataclass

_HERE = "ablations"


@dataclass(frozen=True)
class Variant:
    """One way to learn."""

    title: str
    """What it is, in words."""
    overrides: tuple[str, ...] = ()
    """Hydra overrides of ``scripts/train.py``."""


VARIANTS: dict[str, Variant] = {
    "him": Variant("HIM complete, the task's defaults: the policy's steps, then the estimator's"),
    "interleaved": Variant(
        "HIM with the estimator's steps in turn with the policy's; as many of them",
        ("agent.algorithm.estimator_schedule=interleaved",),
    ),
    "no_symmetry": Variant(
        "without symmetry: no mirrored samples, no mirror losses, no mirrored batches for the estimator",
        ("agent.algorithm.symmetry_cfg=null",),
    ),
    "no_swap": Variant(
        "without the swap loss: the estimator learns the velocity only, its latent is not trained",
        ("agent.actor.estimator_cfg.swap_loss_coef=0.0",),
    ),
    "no_estimator": Variant(
        "without the estimator: plain PPO whose policy reads all six frames",
        (
            f"agent.actor.class_name={_HERE}.history_actor:HistoryActor",
            "agent.algorithm.estimator_num_epochs=0",
        ),
    ),
    "reference": Variant(
        "the public codes' variant: mirrored rows with fresh actions between the real ones, one learning rate",
        (
            f"agent.algorithm.class_name={_HERE}.reference_ppo:ReferencePPO",
            "agent.algorithm.estimator_schedule=interleaved",
            "agent.algorithm.estimator_num_epochs=null",
            "agent.algorithm.symmetry_cfg.use_data_augmentation=false",
            # Weight 1 on a sum over twelve joints is 12 on our mean (facts 2)
            "agent.algorithm.symmetry_cfg.mirror_loss_coeff=12.0",
            "agent.algorithm.symmetry_cfg.value_mirror_loss_coeff=1.0",
        ),
    ),
}
"""Variants by name, in the order of tables and figures."""

DISTURBANCES: dict[str, tuple[str, ...]] = {
    "grow": (),
    "none": ("env.curriculum.disturbances.params.step=0",),
    "full": ("env.curriculum.disturbances=null",),
}
"""How hard episodes are: as the curriculum says, gentlest throughout (its ratio stays 0), or the task's own (1)."""
