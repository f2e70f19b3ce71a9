# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Make a step again that gave NaN: ``./himloco.sh -p scripts/replay.py logs/rsl_rl/.../not_finite_120.pt``."""

from _launch import launch

raise SystemExit(launch("replay"))
