# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policies from files, and steering by sliders and keys."""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
import re
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from isaaclab_visualizers.viser import ViserVisualizer
from tensordict import TensorDict

from himloco_lab.commands.play import _drop_rewards, check_command
from himloco_lab.errors import CliError
from himloco_lab.playing.policies import PolicyError, TaskLayout, layout_of, open_policy
from himloco_lab.playing.steering import (
    KEY_HELP,
    MOVES,
    REQUEST_KEYS,
    Steering,
    WindowKeys,
    gait_axes,
    press,
    split_keys,
    terminal_keys,
)
from himloco_lab.playing.viewer import PlayViewer
from himloco_lab.playing.viewer_cfg import PlayViewerCfg
from himloco_lab.tasks import load_config

G1 = TaskLayout(("policy",), (456,), 12)


def seen(rows: int, width: int = 456) -> TensorDict:
    generator = torch.Generator().manual_seed(rows)
    return TensorDict({"policy": torch.randn(rows, width, generator=generator)}, batch_size=[rows])


def steering() -> Steering:
    return Steering(gait_axes((-0.8, 1.2), (-0.5, 0.5), (-0.8, 0.8), [0.24, 0.74]))


class Double(torch.nn.Module):
    """Twice the first twelve observations."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2.0 * x[:, :12]


class Pair(torch.nn.Module):
    """Not actions."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


def script(module: torch.nn.Module, path: Path) -> Path:
    torch.jit.script(module).save(str(path))
    return path


def test_zero_asks_for_the_default_pose() -> None:
    assert torch.equal(open_policy("zero", G1)(seen(3)), torch.zeros(3, 12))


def test_random_repeats_with_its_seed_and_leaves_others_numbers_alone() -> None:
    torch.manual_seed(5)
    policy = open_policy("random", G1, seed=1)
    first, second = policy(seen(400)), policy(seen(400))
    assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(5))
    assert torch.equal(first, open_policy("random", G1, seed=1)(seen(400)))
    assert not torch.equal(first, second)
    assert float(first.std()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("batch", ["free", "one"])
def test_an_onnx_file_acts_on_every_row(batch: str, tmp_path: Path, make_onnx: Callable[..., Path]) -> None:
    path = make_onnx(tmp_path / "policy.onnx")
    graph = onnx.load(path)
    weights = torch.from_numpy(onnx.numpy_helper.to_array(graph.graph.initializer[0]).copy())
    for tensor in (*graph.graph.input, *graph.graph.output):
        size = tensor.type.tensor_type.shape.dim[0]
        size.Clear()
        if batch == "one":
            size.dim_value = 1
        else:
            size.dim_param = "batch"
    onnx.save(graph, path)
    observations = seen(5)
    expected = observations["policy"].double() @ weights.double()
    torch.testing.assert_close(open_policy(str(path), G1)(observations).double(), expected, atol=1e-5, rtol=1e-5)


def test_a_torchscript_file_acts_on_all_groups_side_by_side(tmp_path: Path) -> None:
    observations = TensorDict({"scan": torch.full((2, 3), 7.0), "policy": torch.ones(2, 20)}, batch_size=[2])
    layout = layout_of(observations, ["scan", "policy"], 12)
    assert layout.width == 23
    actions = open_policy(str(script(Double(), tmp_path / "policy.pt")), layout)(observations)
    assert actions.tolist() == [[14.0] * 3 + [2.0] * 9] * 2


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("wide.onnx", ["[1, 470]", "policy 456", "[N, 12]"]),
        ("few.onnx", ["[2, 10]", "[N, 456]", "[N, 12]"]),
        ("corrupt.onnx", ["not an ONNX model"]),
        ("corrupt.pt", ["not a TorchScript file"]),
        ("checkpoint.pt", ["--checkpoint"]),
        ("few.pt", ["[2, 12]", "[N, 10]"]),
        ("pair.pt", ["tuple", "[N, 12]"]),
        ("policy.txt", [".onnx", "TorchScript"]),
        ("missing.onnx", ["no file"]),
    ],
)
def test_what_does_not_fit_is_refused(
    kind: str, named: list[str], tmp_path: Path, make_onnx: Callable[..., Path]
) -> None:
    path, layout = tmp_path / kind, G1
    if kind == "wide.onnx":
        make_onnx(path, inputs=470)
    elif kind == "few.onnx":
        make_onnx(path, outputs=10)
    elif kind == "few.pt":
        script(Double(), path)
        layout = TaskLayout(("policy",), (456,), 10)
    elif kind == "pair.pt":
        script(Pair(), path)
    elif kind == "checkpoint.pt":
        torch.save({"actor_state_dict": {"weight": torch.zeros(2)}}, path)
    elif not kind.startswith("missing"):
        path.write_bytes(b"not a network")
    with pytest.raises(PolicyError) as error:
        open_policy(str(path), layout)
    assert kind in str(error.value)
    for words in named:
        assert words in str(error.value)


def test_steering_stays_within_what_the_task_draws() -> None:
    asked = steering()
    assert asked.command == [0.0, 0.0, 0.0, 0.74]
    asked.set(0, 5.0)
    asked.set(3, 0.0)
    assert asked.command == [1.2, 0.0, 0.0, 0.24]
    asked.rest()
    assert asked.command == [0.0, 0.0, 0.0, 0.74]


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ((0.5, 0.0), "--command 0.5 0: 2 numbers; give VX VY YAW or VX VY YAW HEIGHT"),
        ((0.5, 0.0, 0.0), None),
        ((0.5, 0.0, 0.0, 0.3), None),
        ((0.5, 0.0, 0.0, 0.74), "--command 0.5 0 0 0.74: Task commands no height but 0.3 m; leave HEIGHT out"),
        (None, None),
    ],
)
def test_a_robot_of_one_height_takes_no_other(command: tuple[float, ...] | None, named: str | None) -> None:
    args = argparse.Namespace(command=command, task="Task")
    allowed = contextlib.nullcontext() if named is None else pytest.raises(CliError, match=re.escape(named))
    with allowed:
        check_command(args, SimpleNamespace(height=(0.3, 0.3)))


def test_keys_move_the_command() -> None:
    asked = steering()
    for key in split_keys("\x1b[A\x1b[A\x1b[B\x1b[DZjuj?pr"):
        press(asked, key)
    assert asked.command == pytest.approx([0.1, 0.1, 0.1, 0.69])
    assert [asked.requests.get_nowait(), asked.requests.get_nowait()] == ["push", "reset"]
    press(asked, "l")
    assert asked.command == [0.0, 0.0, 0.0, 0.74]


class HeldKeys:
    """What Isaac Lab documents of ``Se2Keyboard``; the real one needs Isaac Sim."""

    def __init__(self) -> None:
        self.held, self.pressed = torch.zeros(3), {}

    def add_callback(self, key: str, func: Callable[[], None]) -> None:
        self.pressed[key] = func

    def advance(self) -> torch.Tensor:
        return self.held


def test_keys_of_isaac_sims_window_move_while_they_are_held() -> None:
    asked, device = steering(), HeldKeys()
    keys = WindowKeys(asked, device)
    asked.set(0, 0.3)  # a slider
    keys.read()
    assert asked.command[0] == pytest.approx(0.3)
    device.held = torch.tensor([0.8, -9.0, 0.0])
    keys.read()
    assert asked.command[:3] == pytest.approx([0.8, -0.5, 0.0])  # no more than the task draws
    device.held = torch.zeros(3)
    keys.read()
    assert asked.command[:3] == pytest.approx([0.0, 0.0, 0.0])
    device.pressed["J"]()
    assert asked.command[3] == pytest.approx(0.69)
    device.pressed["P"]()
    assert asked.requests.get_nowait() == "push"


def test_every_key_is_in_the_help() -> None:
    for key in (*MOVES, *REQUEST_KEYS):
        assert key.startswith("\x1b") or key in KEY_HELP.replace(":", " ").split()


def test_a_terminal_gives_single_keys_and_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    person, terminal = pty.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        before = termios.tcgetattr(terminal)
        with terminal_keys() as keys:
            assert keys is not None
            assert keys() == []
            os.write(person, b"\x1b[Az")
            pressed, until = [], time.monotonic() + 10.0
            while len(pressed) < 2 and time.monotonic() < until:
                pressed += keys()
            assert pressed == ["\x1b[A", "z"]
        assert termios.tcgetattr(terminal)[3] == before[3]
    os.close(person)


def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with terminal_keys() as keys:
            assert keys is None


def test_frames_are_turned_round_for_a_policy_that_wants_the_newest_first(
    make_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    """Six frames of 45: the same file with the rows of its weights in the other order does the same."""
    layout = TaskLayout(("policy",), (270,), 12, frames=6)
    observations = TensorDict({"policy": torch.randn(4, 270)}, batch_size=4)
    policy = open_policy(str(make_onnx(tmp_path / "policy.onnx", inputs=270)), layout, newest_first=True)
    weights = 0.01 * np.random.default_rng(0).standard_normal((270, 12))
    by_frame = weights.reshape(6, 45, 12)[::-1].reshape(270, 12)
    here = observations["policy"].numpy()
    np.testing.assert_allclose(policy(observations).numpy(), here @ by_frame, atol=1e-5)
    page = (Path(__file__).parents[2] / "docs" / "coming_from_himloco.md").read_text()
    formulas = dict(re.findall(r"^there = (.+?)  # (numpy|torch)$", page, re.MULTILINE))
    assert len(formulas) == 2
    for formula, kind in formulas.items():
        given = {"here": here if kind == "numpy" else observations["policy"]}
        there = np.asarray(eval(formula, given))  # the page's own line
        np.testing.assert_allclose(there @ weights, here @ by_frame, atol=1e-5)
    plain = open_policy(str(tmp_path / "policy.onnx"), layout)(observations)
    assert not torch.allclose(plain, policy(observations), atol=1e-3)


@pytest.mark.parametrize("task", ["Himloco-G1-Flat-v0", "Himloco-G1-Rough-Perceptive-v0", "Himloco-Go2-Rough-v0"])
def test_only_rewards_that_a_curriculum_follows_are_computed_in_play(task: str) -> None:
    cfg = load_config(task)
    before = {name for name, term in vars(cfg.rewards).items() if term is not None}
    _drop_rewards(cfg)
    left = {name for name, term in vars(cfg.rewards).items() if term is not None}
    assert left == {"tracking_x_vel" if "G1" in task else "tracking_lin_vel"} < before


def test_pictures_come_every_second_step_and_a_pause_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    monkeypatch.setattr(ViserVisualizer, "step", lambda self, dt: drawn.append(dt))
    viewer = PlayViewer(PlayViewerCfg())
    for _ in range(6):
        viewer.step(0.02)
    assert drawn == pytest.approx([0.04] * 3)
    viewer.step(0.0)  # drawing is paused: Isaac Lab wants to hear of the page all the same
    assert drawn[3:] == [0.0] and viewer.paused == 0.0
    viewer._paused_simulation = True
    start = time.perf_counter()
    for _ in range(3):
        viewer.step(0.0)
    elapsed = time.perf_counter() - start
    assert drawn[4:] == [0.0] * 3
    assert 0.09 <= viewer.paused <= elapsed  # a loop that waits for nothing would take the processor
