# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Watch a policy: ``./himloco.sh -p scripts/play.py --task TASK --policy zero --viz viser``."""

from _launch import launch

raise SystemExit(launch("play"))
