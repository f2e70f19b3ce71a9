# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The Aliengo on flat ground."""

from isaaclab.utils import configclass

from .rough_env_cfg import AliengoRoughEnvCfg


@configclass
class AliengoFlatEnvCfg(AliengoRoughEnvCfg):
    """Himloco-Aliengo-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()
