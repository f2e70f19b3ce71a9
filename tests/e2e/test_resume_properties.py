# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whatever a checkpoint or a dump holds: training continues from it, as with --resume, or it is refused in one line."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from dummy_env import DummyEnv, layout, train_cfg
from hypothesis import given
from hypothesis import strategies as st
from properties import cases, complaint_of, words

from himloco_lab.commands.replay import read_dump
from himloco_lab.commands.train import learn
from himloco_lab.runs.checkpoints import read
from himloco_lab.runs.loading import build_runner, check_fit, load_checkpoint
from himloco_lab.runs.run_folder import iterations_left
from himloco_rl.checkpoints import read_checkpoint

TASK = "Dummy"


def settings() -> dict[str, Any]:
    """Networks and rollouts so small that a training takes milliseconds."""
    cfg = train_cfg(num_learning_epochs=1, num_mini_batches=1)
    cfg |= {"num_steps_per_env": 2, "critic": {"class_name": "MLPModel", "hidden_dims": [8], "activation": "elu"}}
    cfg["actor"] |= {"hidden_dims": [8]}
    cfg["actor"]["estimator_cfg"] = {"hidden_dims": [8], "latent_dim": 4, "num_prototypes": 4}
    return cfg


def env_cfg() -> Any:
    """The dummy's observations as a task's configuration names them."""
    groups = {}
    for name, group in layout().groups.items():
        terms = {term.name: SimpleNamespace(func=None) for term in group.terms}
        groups[name] = SimpleNamespace(history_length=group.history_length, **terms)
    return SimpleNamespace(observations=SimpleNamespace(**groups))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of two iterations."""
    path = tmp_path_factory.mktemp("whole") / "model_1.pt"
    runner = build_runner(DummyEnv(4), settings(), None, "cpu")
    runner.learn(2)
    runner.save(str(path))
    return path


@pytest.fixture(scope="module")
def dump() -> dict[str, Any]:
    """What a dump of one of Isaac Lab's environments holds, in small."""
    robot = {"root_pose": torch.zeros(4, 7), "root_velocity": torch.zeros(4, 6), "joint_velocity": torch.zeros(4, 3)}
    return {
        **{"message": "NaN", "environments": torch.tensor([1, 3]), "actions": torch.zeros(4, 3)},
        **{"observations": {}, "result": {}, "rewards": torch.zeros(2), "iteration": 3, "made_with": {"task": "T"}},
        "state": {"scene": {"articulation": {"robot": robot}, "rigid_object": {}}, "lengths": torch.zeros(4)},
        "layout": layout().as_record(),
    }


def resume(path: Path) -> None:
    """What train.py --resume does with a checkpoint, and one iteration."""
    contents = read(path)
    check_fit(path, contents, TASK, env_cfg(), settings())
    agent = SimpleNamespace(max_iterations=1, init_at_random_ep_len=False)
    assert iterations_left(agent, path, contents) > 0
    runner = build_runner(DummyEnv(4), settings(), None, "cpu")
    load_checkpoint(runner, path, TASK, None)
    plan: Any = SimpleNamespace(agent_cfg=agent, rank=0)
    assert learn(plan, runner, path.parent, 1) == 0


tensors = st.builds(
    lambda shape, kind, fill: torch.full(shape, fill, dtype=torch.float64).to(kind),
    st.lists(st.integers(0, 4), max_size=3),
    st.sampled_from(
        [torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool, torch.complex64]
    ),
    st.sampled_from([0.0, 1.0, -1.0]),
)
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-2, 12),
    st.floats(),
    words,
    tensors,
    st.just([]),
    st.just({}),
    st.lists(st.floats() | words, max_size=3),
    st.dictionaries(words, tensors | words, max_size=2),
)


class Changed(dict[Any, Any]):
    """Contents whose representation in a failing test is what is different in them, not all that they hold."""

    note = ""

    def __repr__(self) -> str:
        return self.note


@st.composite
def changed(draw: st.DrawFn, whole: dict[str, Any]) -> Changed:
    """The contents with one thing in them missing, renamed, replaced, added, or of another shape, type or value.

    A place is found by going down from the top, so that large parts are hit no more often than small ones.
    """
    contents = Changed(copy.deepcopy(whole))
    node: Any = contents
    key: Any = draw(st.sampled_from(list(contents)))
    while isinstance(node[key], (dict, list)) and node[key] and draw(st.integers(0, 4)):
        contents.note += f"[{key!r}]"
        node = node[key]
        key = draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
    old = node[key]
    kind = draw(st.sampled_from(["replace", "replace", "remove", "rename", "add", "values", "values"]))
    contents.note += f"[{key!r}]: {kind}"
    if kind == "values" and isinstance(old, torch.Tensor):
        others = [old[..., None], old.flatten()[:-1], old.double(), old.half(), old.long(), old.bool(), -old.float()]
        others += [torch.full_like(old.float(), bad) for bad in (float("nan"), float("inf"), 1e30)]
        node[key] = draw(st.sampled_from(others))
    elif kind == "remove":
        node.pop(key)
    elif kind == "rename" and isinstance(node, dict):
        node[draw(words | st.integers())] = node.pop(key)
    elif kind == "add" and isinstance(node, dict):
        node[draw(words)] = draw(junk)
    else:
        node[key] = draw(junk)
    return contents


@pytest.mark.filterwarnings("ignore:Casting complex values:UserWarning")
@cases(400)
@given(data=st.data())
def test_a_training_goes_on_from_any_checkpoint_or_says_why_not(
    tmp_path: Path, whole: Path, data: st.DataObject
) -> None:
    path = tmp_path / "model_1.pt"
    torch.save(dict(data.draw(changed(read_checkpoint(whole)))), path)
    complaint = complaint_of(lambda: resume(path))
    numbers_too_large = complaint is not None and ("is not finite" in complaint or "learning has diverged" in complaint)
    assert complaint is None or path.name in complaint or numbers_too_large


def test_a_training_goes_on_from_what_was_not_changed(whole: Path) -> None:
    assert complaint_of(lambda: resume(whole)) is None


@cases(150)
@given(data=st.data())
def test_any_dump_is_read_or_refused(tmp_path: Path, dump: dict[str, Any], data: st.DataObject) -> None:
    path = tmp_path / "not_finite_3.pt"
    torch.save(dict(data.draw(changed(dump))), path)
    read_whole: list[dict[str, Any]] = []
    complaint = complaint_of(lambda: read_whole.append(read_dump(path)[0]))
    assert complaint is None or path.name in complaint
    for found in read_whole:
        assert 0 <= int(found["environments"].min()) <= int(found["environments"].max()) < len(found["actions"])
