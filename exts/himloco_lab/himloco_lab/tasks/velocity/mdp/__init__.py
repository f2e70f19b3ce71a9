# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""MDP terms: Isaac Lab's, and those of the tasks here. The stub beside this file lists the public names."""

from isaaclab.utils.module import lazy_export

lazy_export()
