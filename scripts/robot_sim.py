# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A robot to try ``deploy.py`` on: ``./himloco.sh -p scripts/robot_sim.py --robot g1``."""

from _launch import launch

raise SystemExit(launch("robot_sim"))
