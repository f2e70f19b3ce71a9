# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Running an exported policy without Isaac Lab and without torch: what a robot's own computer would do.

:mod:`.manifest` says what a policy expects, :mod:`.observations` builds its input from the robot's raw state,
:mod:`.policy` runs it, :mod:`.mujoco_sim` is a robot in MuJoCo to run it on.
"""
