# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The G1 on flat ground."""

from isaaclab.utils import configclass

from .rough_env_cfg import G1RoughEnvCfg


@configclass
class G1FlatEnvCfg(G1RoughEnvCfg):
    """Himloco-G1-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()
