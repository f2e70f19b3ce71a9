# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registrations of the G1 tasks."""

from ...registration import register_tasks

register_tasks(
    "G1",
    __name__,
    ("Rough", "Flat", "Rough-Perceptive"),
    env_module="{task}_env_cfg",
    agent_module="agents.rsl_rl_him_cfg",
    default_robot_entry_point=f"{__name__}.default_robot:ROBOT",
)
