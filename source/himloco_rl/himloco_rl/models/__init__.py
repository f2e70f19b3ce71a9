# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Actors."""

from .him_actor import HIMActor

__all__ = ["HIMActor"]
