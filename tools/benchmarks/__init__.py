# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``tools/benchmark.py`` measures, and the report it writes.

:mod:`.parts` says what is measured, :mod:`.worker` runs one measurement in a process of its own, :mod:`.report` makes
``docs/benchmarks.md`` from ``docs/benchmarks.json``.
"""
