# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Measuring policies: what they are asked for, what is recorded, what the figures mean, and the report."""
