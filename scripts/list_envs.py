# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""List the tasks: ``./himloco.sh -p scripts/list_envs.py``."""

from _door import enter

raise SystemExit(enter("list_envs"))
