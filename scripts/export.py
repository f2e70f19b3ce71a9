# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Export a policy: ``./himloco.sh -p scripts/export.py --task TASK --checkpoint latest``."""

from _launch import launch

raise SystemExit(launch("export"))
