# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Measure policies: ``./himloco.sh -p scripts/evaluate.py --task TASK --policy zero random``."""

from _launch import launch

if __name__ == "__main__":  # the processes that share out MuJoCo's robots read this file, too
    raise SystemExit(launch("evaluate"))
