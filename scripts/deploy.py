# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Run an exported policy on a robot: ``./himloco.sh -p scripts/deploy.py --policy exported --interface lo``."""

from _launch import launch

raise SystemExit(launch("deploy"))
