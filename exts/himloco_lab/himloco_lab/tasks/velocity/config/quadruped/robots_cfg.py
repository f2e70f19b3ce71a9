# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What differs from robot to robot: the description, the names of its runs, how fast it may learn to run."""

from isaaclab.utils import configclass

from .agents_cfg import QuadrupedFlatHIMRunnerCfg, QuadrupedRoughHIMRunnerCfg
from .env_cfg import QuadrupedRoughEnvCfg


@configclass
class A1RoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-A1-Rough-v0."""

    description: str = "himloco_lab.robots.a1:A1_DESCRIPTION"


@configclass
class A1FlatEnvCfg(A1RoughEnvCfg):
    """Himloco-A1-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()


@configclass
class A1RoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """The learner of Himloco-A1-Rough-v0."""

    experiment_name = "himloco_a1_rough"


@configclass
class A1FlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """The learner of Himloco-A1-Flat-v0."""

    experiment_name = "himloco_a1_flat"


@configclass
class Go1RoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-Go1-Rough-v0."""

    description: str = "himloco_lab.robots.go1:GO1_DESCRIPTION"


@configclass
class Go1FlatEnvCfg(Go1RoughEnvCfg):
    """Himloco-Go1-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()


@configclass
class Go1RoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """The learner of Himloco-Go1-Rough-v0."""

    experiment_name = "himloco_go1_rough"


@configclass
class Go1FlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """The learner of Himloco-Go1-Flat-v0."""

    experiment_name = "himloco_go1_flat"


@configclass
class Go2RoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-Go2-Rough-v0."""

    description: str = "himloco_lab.robots.go2:GO2_DESCRIPTION"


@configclass
class Go2FlatEnvCfg(Go2RoughEnvCfg):
    """Himloco-Go2-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()


@configclass
class Go2RoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """The learner of Himloco-Go2-Rough-v0."""

    experiment_name = "himloco_go2_rough"


@configclass
class Go2FlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """The learner of Himloco-Go2-Flat-v0."""

    experiment_name = "himloco_go2_flat"


@configclass
class AliengoRoughEnvCfg(QuadrupedRoughEnvCfg):
    """Himloco-Aliengo-Rough-v0."""

    description: str = "himloco_lab.robots.aliengo:ALIENGO_DESCRIPTION"

    def __post_init__(self) -> None:
        """Let it run faster than the smaller robots."""
        super().__post_init__()
        self.commands.base_velocity.max_speed = 3.0


@configclass
class AliengoFlatEnvCfg(AliengoRoughEnvCfg):
    """Himloco-Aliengo-Flat-v0."""

    def __post_init__(self) -> None:
        """Level the ground."""
        super().__post_init__()
        self.make_flat()


@configclass
class AliengoRoughHIMRunnerCfg(QuadrupedRoughHIMRunnerCfg):
    """The learner of Himloco-Aliengo-Rough-v0."""

    experiment_name = "himloco_aliengo_rough"


@configclass
class AliengoFlatHIMRunnerCfg(QuadrupedFlatHIMRunnerCfg):
    """The learner of Himloco-Aliengo-Flat-v0."""

    experiment_name = "himloco_aliengo_flat"
