# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Measure policies: ``./himloco.sh -p scripts/evaluate.py --task Himloco-G1-Flat-v0 --policy zero random``."""

from _door import enter

raise SystemExit(enter("evaluate"))
