# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Compare variants of the algorithm on equal samples: ``./himloco.sh -p scripts/ablate.py [--variants NAME ...]``."""

from _door import enter

raise SystemExit(enter("ablate"))
