# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Predict what many GPUs are worth: ``./himloco.sh -p scripts/scaling.py --out docs/scaling``."""

from _door import enter

raise SystemExit(enter("scaling"))
