# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the doors in ``scripts/`` call: arguments, checks made before the simulation is built, and the runs themselves.

Importing this package imports nothing heavy; each command loads what it needs.
"""
