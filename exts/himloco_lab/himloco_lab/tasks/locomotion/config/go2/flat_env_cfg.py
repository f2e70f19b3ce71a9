# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The Go2 on flat ground."""

from isaaclab.utils import configclass

from .rough_env_cfg import Go2RoughEnvCfg


@configclass
class Go2FlatEnvCfg(Go2RoughEnvCfg):
    """Himloco-Go2-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()
