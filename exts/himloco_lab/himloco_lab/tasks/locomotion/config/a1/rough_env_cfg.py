# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The A1 on rough terrain."""

from isaaclab.utils import configclass

from ...quadruped.env_cfg import QuadrupedRoughEnvCfg


@configclass
class A1RoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-A1-Rough-v0."""

    description: str = "himloco_lab.assets.a1:A1_DESCRIPTION"
