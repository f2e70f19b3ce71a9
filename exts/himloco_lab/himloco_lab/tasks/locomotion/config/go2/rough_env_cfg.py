# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The Go2 on rough terrain."""

from isaaclab.utils import configclass

from ...quadruped.env_cfg import QuadrupedRoughEnvCfg


@configclass
class Go2RoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-Go2-Rough-v0."""

    description: str = "himloco_lab.assets.go2:GO2_DESCRIPTION"
