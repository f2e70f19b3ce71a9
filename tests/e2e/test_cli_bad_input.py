# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What bad input gets: one line that names the culprit and the remedy, and no simulation."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from himloco_lab.commands import train as training
from himloco_lab.setup import machine

FLAT = ["--task", "Himloco-G1-Flat-v0"]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the training command in an empty folder where building anything fails the test; return code and complaint."""

    def build(plan, workers):
        pytest.fail("bad input reached the simulation")

    monkeypatch.setattr(training, "execute", build)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.chdir(tmp_path)

    def command(*argv: str) -> tuple[int, str]:
        code = training.main(list(argv))
        complaint = capsys.readouterr().err
        assert complaint.startswith("error: "), complaint
        assert complaint.count("\n") == 1, complaint
        assert not os.listdir(tmp_path), "a refused command leaves nothing behind"
        return code, complaint

    return command


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--num_envs", "4"], ["--task", "Himloco-G1-Flat-v0", "Himloco-G1-Rough-v0"]),
        (["--task", "Himloco-G1-Flt-v0"], ["Himloco-G1-Flt-v0", "did you mean Himloco-G1-Flat-v0"]),
        (["--task", "himloco-g1-rough-v0"], ["did you mean Himloco-G1-Rough-v0"]),
        (["--task", "Quux"], ["Quux", "Himloco-G1-Flat-v0"]),
        ([*FLAT, "--agent", "sb3_cfg_entry_point"], ["--agent sb3_cfg_entry_point", "rsl_rl_cfg_entry_point"]),
        ([*FLAT, "--numenvs", "4"], ["--numenvs", "--num_envs"]),
        ([*FLAT, "--num_envs", "10", "--nproc_per_node", "4", "--device", "cpu"], ["--nproc_per_node 4", "divisor"]),
        ([*FLAT, "--nproc_per_node", "0"], ["--nproc_per_node 0", "at least 1"]),
        ([*FLAT, "rough"], ["'rough'", "env."]),
        ([*FLAT, "--seed"], ["--seed", "expected one argument"]),
        ([*FLAT, "--logger", "paper"], ["--logger", "tensorboard"]),
        ([*FLAT, "--frontend", "warp"], ["--frontend warp", "torch"]),
        ([*FLAT, "--viz", "paper"], ["--viz", "viser"]),
        ([*FLAT, "--run_name", "../up"], ["--run_name", "../up"]),
        ([*FLAT, "--experiment_name", ".."], ["--experiment_name"]),
        ([*FLAT, "agent.run_name=a/b"], ["agent.run_name", "a/b"]),
        ([*FLAT, "--external_callback", "no.such"], ["--external_callback", "no.such"]),
        ([*FLAT, "~env.rewards.orientation"], ["env.rewards.orientation=null"]),
        ([*FLAT, "--device", "tpu"], ["--device tpu", "cuda:N"]),
    ],
)
def test_wrong_words(run, argv, named):
    code, complaint = run(*argv)
    assert code == 2
    for part in named:
        assert part in complaint


@pytest.mark.parametrize("value", ["0", "-4", "many", "1.5", "1000000000000"])
@pytest.mark.parametrize("flag", ["--num_envs", "--max_iterations", "--video_length", "--video_interval"])
def test_counts_must_be_positive_whole_numbers(run, flag, value):
    code, complaint = run(*FLAT, flag, value)
    assert code == 2
    assert flag in complaint
    assert value in complaint


@pytest.mark.parametrize("value", ["-2", "lucky", "4294967296", "0.5"])
def test_seed_must_fit_what_numpy_takes(run, value):
    code, complaint = run(*FLAT, "--seed", value)
    assert code == 2
    assert "--seed" in complaint
    assert value in complaint


def test_more_environments_than_the_memory_holds(run):
    code, complaint = run(*FLAT, "--num_envs", "1000000000")
    assert code == 1
    assert "1000000000" in complaint
    assert "GB" in complaint


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("env.rewards.orientatoin.weight=-2", "did you mean env.rewards.orientation?"),
        ("env.rewards.orientation.wieght=-2", "did you mean env.rewards.orientation.weight?"),
        ("env.reward.orientation.weight=-2", "did you mean env.rewards?"),
        ("agent.max_iteration=5", "did you mean agent.max_iterations?"),
        ("env.decimation.deep=5", "env.decimation has no keys"),
        ("rewards.orientation.weight=-2", "keys begin with env. or agent."),
        ("+env.decimation=2", "keys begin with env. or agent."),
    ],
)
def test_unknown_keys(run, override, named):
    code, complaint = run(*FLAT, override)
    assert code == 2
    assert override.partition("=")[0] in complaint
    assert named in complaint


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("env.rewards.orientation.weight=heavy", "a finite number"),
        ("env.rewards.orientation.weight=nan", "a finite number"),
        ("env.rewards.orientation.weight=1e999", "a finite number"),
        ("env.rewards.orientation.weight=true", "a finite number"),
        ("env.rewards.orientation.weight=null", "a value"),
        ("env.rewards.orientation=3", "null or one of its keys"),
        ("env.decimation=4.5", "a whole number"),
        ("env.decimation=0", "greater than zero"),
        ("env.scene.num_envs=0", "greater than zero"),
        ("env.scene.num_envs=-3", "greater than zero"),
        ("env.sim.dt=-0.005", "greater than zero"),
        ("env.episode_length_s=0", "greater than zero"),
        ("agent.max_iterations=0", "greater than zero"),
        ("agent.num_steps_per_env=0", "greater than zero"),
        ("agent.max_iterations=1e3", "a whole number"),
        ("agent.seed=-7", "at least -1"),
        ("agent.init_at_random_ep_len=maybe", "true or false"),
        ("agent.experiment_name=5", "text"),
    ],
)
def test_values_of_another_kind(run, override, wanted):
    code, complaint = run(*FLAT, override)
    assert code == 2
    assert override.partition("=")[0] in complaint
    assert wanted in complaint


@pytest.mark.parametrize("selector", ["physics=mujoco", "presets=mujoco", "env.sim.physics=mujoco", "physics="])
def test_presets_that_do_not_exist(run, selector):
    code, complaint = run(*FLAT, selector)
    assert code == 2
    assert selector in complaint
    for known in ("newton_mjwarp", "ovphysx", "physx"):
        assert known in complaint


def test_a_renderer_where_there_is_none_to_choose(run):
    assert "Himloco-G1-Flat-v0 has none" in run(*FLAT, "renderer=isaacsim_rtx")[1]


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--checkpoint", "gone/model_1.pt"], "gone/model_1.pt: no such file"),
        (["--checkpoint", "model_1.pt"], "model_1.pt: no such file"),
        (["--checkpoint", "latest"], "--checkpoint latest: no run of Himloco-G1-Flat-v0"),
        (["--checkpoint", "best"], "--checkpoint best: no run of Himloco-G1-Flat-v0"),
        (["--checkpoint", os.devnull], "no checkpoint of PyTorch"),
        (["--checkpoint", __file__], "no checkpoint of PyTorch"),
        (["--checkpoint", str(Path(__file__).parent)], "no model_"),
        (["--resume"], "--resume: no run matches"),
        (["--resume", "--load_run", "2026-01-01"], "no run matches '2026-01-01'"),
        (["--load_run", "2026-01-01"], "no run matches '2026-01-01'"),
        (["--resume", "--checkpoint", "gone/model_1.pt"], "gone/model_1.pt: no such file"),
    ],
)
def test_checkpoints_that_do_not_exist(run, argv, named):
    code, complaint = run(*FLAT, *argv)
    assert code == 1
    assert named in complaint


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize(
    "argv", [["--device", "cuda"], ["--device", "cuda:0"], ["env.sim.device=cuda:0"], ["agent.device=cuda:0"]]
)
def test_cuda_where_there_is_none(run, argv):
    code, complaint = run(*FLAT, *argv)
    assert code == 1
    assert "cuda" in complaint
    assert "--device cpu" in complaint


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA")
def test_a_cuda_device_beyond_the_last(run):
    code, complaint = run(*FLAT, "--device", f"cuda:{torch.cuda.device_count()}")
    assert code == 1
    assert f"the last is cuda:{torch.cuda.device_count() - 1}" in complaint


def test_a_process_of_a_group_must_be_told(run, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "--distributed" in run(*FLAT)[1]
    monkeypatch.setenv("WORLD_SIZE", "two")
    assert "WORLD_SIZE='two'" in run(*FLAT, "--distributed")[1]
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "2")
    assert "RANK=2" in run(*FLAT, "--distributed")[1]


def test_video_where_nothing_can_be_recorded(run, monkeypatch):
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    assert "needs the package moviepy" in run(*FLAT, "--video")[1]
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(machine.KitLauncher, "is_available", lambda: False)
    assert "add --viz newton_gl" in run(*FLAT, "--video")[1]
    assert "'viser' is a streaming visualizer" in run(*FLAT, "--video", "--viz", "viser")[1]
    monkeypatch.setattr(machine.KitLauncher, "is_available", lambda: True)
    assert "--viz none" in run(*FLAT, "--video", "--viz", "none")[1]
