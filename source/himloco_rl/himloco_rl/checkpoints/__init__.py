# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Checkpoints: files and what they hold."""

from .files import CheckpointError, read_checkpoint, require_parts

__all__ = ["CheckpointError", "read_checkpoint", "require_parts"]
