# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""List the tasks: ``./himloco.sh -p scripts/list_envs.py``."""

from _launch import launch

raise SystemExit(launch("list_envs"))
