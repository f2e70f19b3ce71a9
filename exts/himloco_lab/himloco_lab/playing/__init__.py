# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Any policy in the simulator: opening it, steering it, looking at it."""
