# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registrations of the G1 tasks."""

from ...registration import register_tasks

register_tasks("G1", __name__, ("Rough", "Flat", "Rough-Perceptive"))
