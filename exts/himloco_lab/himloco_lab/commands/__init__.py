# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The commands behind ``scripts/``, a module each, with the script's name.

Importing this package imports nothing heavy; each command loads what it needs.
"""
