# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Measure this machine: ``./himloco.sh -p scripts/benchmark.py [PART ...] --out docs``."""

from _door import enter

raise SystemExit(enter("benchmarking"))
