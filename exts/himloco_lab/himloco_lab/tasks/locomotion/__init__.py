# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Walking on legs: one task definition, robots as differences in ``config``."""
