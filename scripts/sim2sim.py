# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Run an exported policy in MuJoCo: ``./himloco.sh -p scripts/sim2sim.py --policy exported --vx 0.5``."""

from _launch import launch

raise SystemExit(launch("sim2sim"))
