# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Run a task with random actions: ``./himloco.sh -p scripts/random_agent.py --task TASK``."""

from _launch import launch

raise SystemExit(launch("agents", "random"))
