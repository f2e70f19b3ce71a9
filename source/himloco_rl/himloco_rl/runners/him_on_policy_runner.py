# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Runner of HIM: rsl_rl's, with whole checkpoints, runs that continue and one line per iteration."""

from __future__ import annotations

from rsl_rl.runners import OnPolicyRunner


class HIMOnPolicyRunner(OnPolicyRunner):
    """rsl_rl's runner for :class:`himloco_rl.algorithms.HIMPPO`."""
