# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Networks by ``torch.compile``, as a setting."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

VARIANTS = 8
"""Compilations of one network: with gradients, without, and in a rollout; for one row, and for any number of them."""


def compile_networks(networks: Sequence[nn.Module], mode: str | None) -> None:
    """Compile networks in place, so that checkpoints keep their keys.

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
    config.recompile_limit += VARIANTS * len(networks)
    for network in networks:
        network.compile(mode=mode, dynamic=True)
