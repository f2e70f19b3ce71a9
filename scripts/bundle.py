# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bundle for a machine without internet: ``./himloco.sh -p scripts/bundle.py --out bundle --part-size 60M``."""

from _door import enter

raise SystemExit(enter("bundle"))
