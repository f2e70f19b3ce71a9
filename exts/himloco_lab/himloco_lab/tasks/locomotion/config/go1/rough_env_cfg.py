# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The Go1 on rough terrain."""

from isaaclab.utils import configclass

from ...quadruped.env_cfg import QuadrupedRoughEnvCfg


@configclass
class Go1RoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-Go1-Rough-v0."""

    description: str = "himloco_lab.assets.go1:GO1_DESCRIPTION"
