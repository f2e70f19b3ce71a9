# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Train a HIM policy: ``./himloco.sh -p scripts/train.py --task TASK``."""

from _launch import launch

raise SystemExit(launch("train"))
