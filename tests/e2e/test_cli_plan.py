# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a good command line means: flags, overrides, presets, and what is chosen when nothing is said."""

from __future__ import annotations

import _thread
import subprocess
import sys
import threading
import time

import pytest
import torch
from isaaclab_newton.physics import NewtonCfg
from isaaclab_ov.physics import OvPhysxCfg

from himloco_lab.commands.train import Plan, plan_run
from himloco_lab.commands.workers import Workers
from himloco_lab.setup import machine

GB = 1024**3


@pytest.fixture
def plan(monkeypatch, tmp_path):
    """Plan a run of the Flat task in an empty folder."""
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.chdir(tmp_path)

    def command(*argv: str) -> Plan:
        return plan_run(["--task", "Himloco-G1-Flat-v0", "--device", "cpu", *argv])

    return command


def test_flags_reach_the_configurations(plan):
    result = plan(
        *("--num_envs", "12", "--max_iterations", "34", "--seed", "56", "--headless"),
        *("--experiment_name", "trial", "--run_name", "first"),
    )
    assert result.env_cfg.scene.num_envs == 12
    assert result.env_cfg.sim.device == result.agent_cfg.device == "cpu"
    assert result.env_cfg.seed == result.agent_cfg.seed == 56
    assert result.agent_cfg.max_iterations == 34
    assert (result.agent_cfg.experiment_name, result.agent_cfg.run_name) == ("trial", "first")
    assert result.resume_path is None
    assert result.rank == 0


def test_what_a_run_does_when_something_goes_wrong_is_set_on_the_command_line(plan):
    agent = plan("agent.guards.stop=true", "agent.keep_checkpoints=5", "agent.not_finite_share=0").agent_cfg
    assert agent.guards == {"stop": True, "patience": 3, "value_loss_factor": 100.0, "least_perplexity": 1.05}
    assert (agent.keep_checkpoints, agent.keep_every, agent.not_finite_share) == (5, None, 0)
    assert plan().agent_cfg.guards["stop"] is False


def test_overrides_reach_the_configurations(plan):
    result = plan(
        *("env.rewards.orientation.weight=-2", "env.scene.num_envs=7", "agent.max_iterations=500"),
        *("env.episode_length_s=8.5", "env.rewards.joint_power=null"),
    )
    assert result.env_cfg.rewards.orientation.weight == -2
    assert result.env_cfg.rewards.joint_power is None
    assert result.env_cfg.scene.num_envs == 7
    assert result.env_cfg.episode_length_s == 8.5
    assert result.agent_cfg.max_iterations == 500


@pytest.mark.parametrize("form", ["physics={}", "presets={}", "env.sim.physics={}"])
@pytest.mark.parametrize(("name", "kind"), [("newton_mjwarp", NewtonCfg), ("ovphysx", OvPhysxCfg)])
def test_presets_choose_the_physics(plan, form, name, kind):
    assert isinstance(plan(form.format(name)).env_cfg.sim.physics, kind)


def test_a_key_of_a_chosen_preset_exists(plan):
    assert plan("physics=newton_mjwarp", "env.sim.physics.num_substeps=3").env_cfg.sim.physics.num_substeps == 3


def test_a_flag_wins_over_an_override(plan):
    assert plan("--num_envs", "3", "env.scene.num_envs=7").env_cfg.scene.num_envs == 3


def test_seed_minus_one_draws_one(plan):
    drawn = plan("--seed", "-1")
    assert 0 <= drawn.agent_cfg.seed <= 10000
    assert drawn.env_cfg.seed == drawn.agent_cfg.seed


def test_every_process_has_its_own_seed_and_the_cpu_is_allowed(plan, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    result = plan("--distributed", "--seed", "10")
    assert result.rank == 1
    assert result.agent_cfg.seed == 11
    assert result.env_cfg.sim.device == result.agent_cfg.device == "cpu"
    # Isaac Lab's launcher would move a distributed run to cuda:0
    assert result.args.distributed is False


@pytest.mark.parametrize(
    ("visible", "local_rank", "flags", "device"),
    [
        (4, 2, (), "cuda:2"),
        (4, 2, ("agent.device=cuda:0",), "cuda:2"),  # of every process its own
        (1, 2, (), "cuda:0"),  # a launcher that shows each process its own only
        (4, 2, ("--device", "cpu"), "cpu"),
    ],
)
def test_every_process_has_its_own_gpu(monkeypatch, tmp_path, visible, local_rank, flags, device):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "cuda_problem", lambda: None)
    monkeypatch.setattr(machine, "check_num_envs", lambda number, device: None)  # asks the GPU for its memory
    monkeypatch.setattr(torch.cuda, "device_count", lambda: visible)
    for name, value in {"WORLD_SIZE": "8", "RANK": str(4 + local_rank), "LOCAL_RANK": str(local_rank)}.items():
        monkeypatch.setenv(name, value)
    result = plan_run(["--task", "Himloco-G1-Flat-v0", "--num_envs", "2", "--distributed", *flags])
    assert result.env_cfg.sim.device == result.agent_cfg.device == result.args.device == device


def test_without_a_device_the_best_that_works_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    result = plan_run(["--task", "Himloco-G1-Flat-v0", "--num_envs", "2"])
    assert result.env_cfg.sim.device == ("cuda:0" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("cores", "memory", "number"),
    [
        (1, 8 * GB, 128),
        (2, 8 * GB, 256),  # the machine of the figures in docs/
        (3, 8 * GB, 256),  # 384, down to a power of two
        (64, 256 * GB, 1024),  # never more than learn well
        (8, 2.5 * GB, 128),  # 0.5 GB beyond the process's own 2 GB hold 170 environments of 3 MB
        (8, 1 * GB, 16),  # less than the process itself: the least that makes a batch
    ],
)
def test_environments_on_a_cpu_follow_from_cores_and_memory(cores, memory, number):
    assert machine.cpu_num_envs(cores, int(memory)) == number


def test_the_default_number_is_said_in_one_line(plan, capsys, monkeypatch):
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(machine, "available_memory", lambda: 8 * GB)
    assert plan().env_cfg.scene.num_envs == 256
    assert "256 environments: what 2 CPU core(s) and 8 GB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cores", "memory", "envs", "processes"),
    [
        (2, 24 * GB, 1024, 1),  # one process keeps both cores busy
        (4, 24 * GB, 256, 2),
        (4, 24 * GB, 128, 1),  # too few robots to share out
        (4, 3 * GB, 256, 1),  # too little memory
        (8, 64 * GB, 512, 4),
        (16, 64 * GB, 896, 7),
        (6, 64 * GB, 1024, 2),  # 3 is no divisor
        (1, 24 * GB, 1024, 1),
    ],
)
def test_processes_follow_from_cores_memory_and_robots(plan, monkeypatch, cores, memory, envs, processes):
    monkeypatch.setattr(machine, "available_cores", lambda: cores)
    monkeypatch.setattr(machine, "available_memory", lambda: memory)
    result = plan("--num_envs", str(envs))
    assert result.processes == processes
    assert result.num_envs == envs
    assert result.env_cfg.scene.num_envs * processes == envs


def test_processes_can_be_chosen_and_a_viewer_wants_one(plan, monkeypatch):
    assert plan("--num_envs", "8", "--nproc_per_node", "4").processes == 4
    monkeypatch.setattr(machine, "available_cores", lambda: 8)
    assert plan("--num_envs", "512", "--viz", "viser").processes == 1


def test_two_processes_share_the_cores(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(machine, "available_memory", lambda: 16 * GB)
    assert machine.default_num_envs("cpu", 4096)[0] == 256
    assert machine.default_num_envs("cuda:0", 4096)[0] == 4096


def test_news_of_a_lost_process_does_not_stop_the_save_that_follows() -> None:
    """The main thread may notice the broken connection just before the watching thread interrupts it."""
    lost = Workers.__new__(Workers)
    lost._failure, lost._lock, lost._is_asked = None, threading.Lock(), False

    def watch() -> None:
        time.sleep(0.3)
        lost._failure = "process 1 of this run ended"
        _thread.interrupt_main()

    threading.Thread(target=watch).start()
    assert lost.failure(wait=20.0) == "process 1 of this run ended"
    time.sleep(0.5)  # an interrupt that is still on its way would come now
    assert lost._is_asked


BLOCKED = """
import subprocess, sys, threading
from himloco_lab.commands import workers
workers.MAIN_THREAD_TIMEOUT = 1.0
lost = workers.Workers.__new__(workers.Workers)
lost._failure, lost._lock, lost._is_asked, lost._closing = None, threading.Lock(), False, False
output = open(sys.argv[1], "w+b")
lost._started = [(subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]), output)]
threading.Thread(target=lost._watch, daemon=True).start()
forever = threading.Lock()
forever.acquire()
forever.acquire()  # as torch, which hears no interrupt while it waits for a process to join
"""


def test_a_worker_that_never_comes_ends_a_process_that_waits_for_it(tmp_path):
    command = [sys.executable, "-c", BLOCKED, str(tmp_path / "output")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "error: process 1 of this run ended with code 3" in done.stderr
