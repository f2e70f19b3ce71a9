# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registrations of the A1's tasks."""

from ...registration import register_tasks

register_tasks("A1", __name__)
