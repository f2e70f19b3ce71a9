# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The A1 on flat ground."""

from isaaclab.utils import configclass

from .rough_env_cfg import A1RoughEnvCfg


@configclass
class A1FlatEnvCfg(A1RoughEnvCfg):
    """Himloco-A1-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()
