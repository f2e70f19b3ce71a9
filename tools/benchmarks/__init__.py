# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``tools/benchmark.py`` measures and what it writes. This module names the robot that is measured."""

from himloco_lab.tasks.default_robot import default_robot, load_config

__all__ = ["ROBOT", "load_config"]

ROBOT = default_robot()
"""Its tasks, observations, standing policy and the benchmark's variants of its environment."""
