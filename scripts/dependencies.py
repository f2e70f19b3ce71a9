# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Write docs/dependencies.md: ``./himloco.sh -p scripts/dependencies.py``."""

from _door import enter

raise SystemExit(enter("dependencies"))
