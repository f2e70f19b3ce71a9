# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Keep a run's curves: ``./himloco.sh -p scripts/plot_run.py logs/rsl_rl/.../RUN --out docs/training_flat``."""

from _door import enter

raise SystemExit(enter("curves"))
