# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Registrations of the G1 tasks."""

from ...registration import register_tasks

_AGENTS = "agents.rsl_rl_him_cfg"
_SHARED = {
    "env_module": "{task}_env_cfg",
    "agent_module": _AGENTS,
    "default_robot_entry_point": f"{__name__}.default_robot:ROBOT",
}

register_tasks("G1", __name__, ("Flat", "Rough-Perceptive", "Sturdy"), **_SHARED)
register_tasks(
    "G1",
    __name__,
    ("Rough",),
    rsl_rl_lean_cfg_entry_point=f"{__name__}.{_AGENTS}:G1RoughLeanHIMRunnerCfg",
    **_SHARED,
)
