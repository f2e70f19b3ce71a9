# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What checkpoints keep of an environment, without a simulator: terms with a state, and dumps of broken steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from himloco_lab.sim_state import IsaacLabState, require_dump
from himloco_rl.checkpoints import CheckpointError


class Curriculum:
    """A curriculum term with a state."""

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio

    def state_dict(self) -> dict[str, float]:
        return {"ratio": self.ratio}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.ratio = state["ratio"]


def managed(ratio: float, reach: float, steps: int) -> tuple[SimpleNamespace, Curriculum, Curriculum]:
    curriculum, command = Curriculum(ratio), Curriculum(reach)
    base = SimpleNamespace(
        common_step_counter=steps,
        curriculum_manager=SimpleNamespace(
            active_terms=["plain", "upper_body"],
            _term_cfgs=[SimpleNamespace(func=len), SimpleNamespace(func=curriculum)],
        ),
        command_manager=SimpleNamespace(active_terms=["upper_body"], get_term=lambda name: command),
    )
    return SimpleNamespace(unwrapped=base), curriculum, command


def test_curricula_are_saved_and_restored() -> None:
    env, *_ = managed(0.35, 0.7, 1234)
    state = IsaacLabState(env).state_dict()
    fresh, curriculum, command = managed(0.0, 0.0, 0)
    assert not IsaacLabState(fresh).load_state_dict(state)  # no robots whose episodes could continue
    assert (curriculum.ratio, command.ratio, fresh.unwrapped.common_step_counter) == (0.35, 0.7, 1234)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"actions": None}, "actions is a NoneType, not a Tensor"),
        ({"actions": torch.zeros(16)}, r"actions of shape \[16\]"),
        ({"environments": torch.tensor([16])}, "not numbers of the 16"),
        ({"environments": torch.tensor([-1])}, "not numbers of the 16"),
        ({"environments": torch.tensor([], dtype=torch.long)}, "not numbers of the 16"),
        ({"environments": torch.tensor([1.0])}, "not numbers of the 16"),
    ],
)
def test_what_is_no_dump_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    rows = {"policy": torch.zeros(1, 3)}
    dump = {"message": "", "environments": torch.tensor([3]), "state": {}, "observations": rows, "result": rows}
    dump |= {"actions": torch.zeros(16, 3), "rewards": torch.zeros(1)}
    require_dump("d.pt", dump)
    with pytest.raises(CheckpointError, match=f"d.pt: .*{says}"):
        require_dump("d.pt", dump | change)
    with pytest.raises(CheckpointError, match=r"d\.pt holds no step to replay: it has iter, but no message and no"):
        require_dump("d.pt", {"iter": 3})
