# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Median and range of repeats, and ratios taken within a repeat."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Spread:
    """Some repeats of one number."""

    median: float
    """The number to quote."""
    low: float
    """Smallest of the repeats."""
    high: float
    """Largest of the repeats."""

    def as_dict(self) -> dict[str, float]:
        """For the JSON file."""
        return asdict(self)


def spread(values: Sequence[float]) -> Spread:
    """Summarise repeats.

    Args:
        values: At least one number.

    Raises:
        ValueError: If there are none.
    """
    if not values:
        raise ValueError("a spread needs at least one value and got none; let every case run once or more.")
    return Spread(statistics.median(values), min(values), max(values))


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """Summarise ratios of two quantities measured in turn.

    Each ratio is taken within one repeat, so that a machine which slows down between repeats does not enter into it.

    Args:
        numerators: One value a repeat.
        denominators: As many.

    Raises:
        ValueError: If the numbers of repeats differ.
    """
    if len(numerators) != len(denominators):
        raise ValueError(f"{len(numerators)} repeats over {len(denominators)}: both cases need the same number.")
    return spread([above / below for above, below in zip(numerators, denominators, strict=True)])
