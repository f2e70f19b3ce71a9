# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# Isaac Lab makes terms from classes too, and its annotations of func do not say so.
# pyright: reportArgumentType=false

"""Observation terms as the references state them: scale, noise and clip of the scaled value."""

from collections.abc import Callable

import torch
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.utils.noise import UniformNoiseCfg

from . import mdp

CLIP = 100.0
"""Half-width that every scaled value is clipped to (facts 4.2)."""


def scaled_term(
    func: Callable[..., torch.Tensor], scale: float | tuple[float, ...], noise: float = 0.0, **params: object
) -> ObsTerm:
    """Build a term from the reference's numbers.

    The reference adds noise and clips after scaling; Isaac Lab does both before. So both are divided by the scale.

    Args:
        func: The observation function.
        scale: What the value is multiplied by.
        noise: Half-width of the uniform noise on the scaled value.
        params: Parameters of the function.
    """
    largest = max(scale) if isinstance(scale, tuple) else scale
    width = noise / largest
    return ObsTerm(
        func=func,
        scale=scale,
        clip=(-CLIP / largest, CLIP / largest),
        noise=UniformNoiseCfg(n_min=-width, n_max=width) if noise else None,
        params=params,
    )


def ground_scan(noise: float = 0.0) -> ObsTerm:
    """Build the scan of the ground: clip(z - 0.5 - h, +-1) x 5 at 17 x 11 = 187 points (facts 4.9).

    Args:
        noise: Half-width of the uniform noise on the height [m].
    """
    return ObsTerm(
        func=mdp.terrain_scan,
        params={"size": (1.6, 1.0), "resolution": 0.1},
        noise=UniformNoiseCfg(n_min=-noise, n_max=noise) if noise else None,
        clip=(-1.0, 1.0),
        scale=5.0,
    )
