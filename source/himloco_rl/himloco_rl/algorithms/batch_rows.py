# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Rows that go through the networks together: samples and, below them, their mirror images."""

from __future__ import annotations

import torch
from tensordict import TensorDict

from himloco_rl.observations import SymmetryMap


def rows(obs: TensorDict, groups: list[str], symmetry: SymmetryMap | None) -> torch.Tensor:
    """Concatenated observation groups of B samples and, with a mirror map, of their mirror images, [B or 2B, D]."""
    values = obs[groups[0]] if len(groups) == 1 else torch.cat([obs[group] for group in groups], dim=-1)
    return values if symmetry is None else symmetry.with_mirrored(groups, values)


def autocast(device: str, enabled: bool) -> torch.autocast:
    """bfloat16 for the networks, where asked for."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=enabled)
