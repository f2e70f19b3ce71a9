# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Run folders, the checkpoints in them, and opening a policy."""
