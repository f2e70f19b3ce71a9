# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The G1 on rough terrain, with a policy that sees it."""

from isaaclab.utils import configclass

from .observations_cfg import G1PerceptiveObservationsCfg
from .rough_env_cfg import G1RoughEnvCfg


@configclass
class G1RoughPerceptiveEnvCfg(G1RoughEnvCfg):
    """Himloco-G1-Rough-Perceptive-v0."""

    observations: G1PerceptiveObservationsCfg = G1PerceptiveObservationsCfg()
