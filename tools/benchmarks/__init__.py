# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``tools/benchmark.py`` measures, the G1 and its tasks, and what it writes."""

from pathlib import Path

import himloco_lab

ROBOT = "himloco_lab.robots.g1:G1_DESCRIPTION"
ROUGH, FLAT = "Himloco-G1-Rough-v0", "Himloco-G1-Flat-v0"
POLICY = Path(himloco_lab.__file__).parent / "policies" / "g1_stand" / "policy.onnx"
"""An exported policy that stands."""
