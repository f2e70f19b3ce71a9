# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""An exported policy on a Unitree robot, over the low-level protocol of its motors. Never run on hardware here.

:mod:`.messages` are the protocol's messages, :mod:`.robots` says which joint has which motor, :mod:`.safety` what no
command may do, :mod:`.controller` is the way from zero torque to a walk and to damping, :mod:`.dds` the network and
:mod:`.simulated` a robot in MuJoCo that speaks the same protocol.
"""
