# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registrations of the Go2's tasks."""

from ...registration import register_tasks

register_tasks("Go2", __name__)
