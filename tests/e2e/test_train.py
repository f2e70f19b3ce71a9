# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The README's train command from end to end, with few iterations of few environments."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
import yaml
from trainings import SMALL, scalars, the_only_run, train

LOSSES = (
    *("surrogate", "value", "entropy", "kl", "symmetry_actor", "symmetry_critic", "learning_rate"),
    *("estimator_velocity_error", "estimator_swap_loss", "estimator_grad_norm"),
)


def terms(section: dict) -> set[str]:
    """Return the names of a manager's terms in params/env.yaml."""
    return {name for name, term in section.items() if isinstance(term, dict) and "func" in term}


@pytest.fixture(scope="module", params=["Flat", "Rough"])
def trained(request, repository, tmp_path_factory) -> tuple[str, Path, subprocess.CompletedProcess[str]]:
    """The README's command, with the flags that make it short: the task, its folder and how it ended."""
    task = f"Himloco-G1-{request.param}-v0"
    folder = tmp_path_factory.mktemp(request.param)
    command = [str(repository / "himloco.sh"), "-p", str(repository / "scripts" / "train.py"), "--task", task]
    return task, folder, train(folder, *command, "--max_iterations", "3", *SMALL)


def test_training_ends_well_and_shows_its_progress(trained):
    _, folder, result = trained
    assert result.returncode == 0, result.stderr[-3000:]
    assert "Traceback" not in result.stderr
    assert "ETA" in result.stdout
    assert str(the_only_run(folder)) in result.stdout


def test_the_run_folder_is_isaac_labs(trained):
    task, folder, _ = trained
    run = the_only_run(folder)
    experiment = yaml.unsafe_load((run / "params" / "agent.yaml").read_text())["experiment_name"]
    assert run.parent == folder / "logs" / "rsl_rl" / experiment
    env = yaml.unsafe_load((run / "params" / "env.yaml").read_text())
    assert env["scene"]["num_envs"] == 8
    assert env["episode_length_s"] == 0.5
    assert env["seed"] == 3
    manifest = json.loads((run / "run.json").read_text())
    assert (manifest["task"], manifest["library"]) == (task, "rsl_rl")
    assert sorted(path.name for path in run.glob("model_*.pt")) == ["model_0.pt", "model_2.pt"]


def test_tensorboard_has_losses_rewards_curricula_and_speed(trained):
    _, folder, _ = trained
    run = the_only_run(folder)
    curves = scalars(run)
    env = yaml.unsafe_load((run / "params" / "env.yaml").read_text())
    for loss in LOSSES:
        assert len(curves[f"Loss/{loss}"]) == 3, loss
    assert all(value == value for tag, values in curves.items() if tag.startswith("Loss/") for value in values)
    rewards = terms(env["rewards"])
    assert len(rewards) == 33
    assert {tag.removeprefix("Episode_Reward/") for tag in curves if tag.startswith("Episode_Reward/")} == rewards
    curricula = terms(env["curriculum"])
    assert curricula
    for name in curricula:
        assert any(tag.startswith(f"Curriculum/{name}") for tag in curves), name
    assert {tag for tag in curves if tag.startswith("Episode_Termination/")} >= {"Episode_Termination/time_out"}
    assert min(curves["Perf/total_fps"]) > 0
    assert len(curves["Train/mean_episode_length"]) > 0


def test_the_same_seed_trains_the_same_policy_bit_for_bit(trained, repository, tmp_path):
    task, folder, _ = trained
    if "Rough" in task:
        pytest.skip("once is enough")
    script = str(repository / "scripts" / "train.py")
    result = train(tmp_path, sys.executable, script, "--task", task, "--max_iterations", "3", *SMALL)
    assert result.returncode == 0, result.stderr[-3000:]
    one, other = (torch.load(the_only_run(path) / "model_2.pt", weights_only=True) for path in (folder, tmp_path))
    for part in ("actor_state_dict", "critic_state_dict"):
        assert all(torch.equal(values, other[part][name]) for name, values in one[part].items())
    assert (
        one["optimizer_state_dict"]["param_groups"][0]["lr"] == other["optimizer_state_dict"]["param_groups"][0]["lr"]
    )


def test_a_runs_curves_can_be_kept(trained, repository, tmp_path):
    _, folder, _ = trained
    command = [sys.executable, str(repository / "tools" / "plot_run.py"), str(the_only_run(folder))]
    result = train(tmp_path, *command, "--out", "kept/curve")
    assert result.returncode == 0, result.stderr[-2000:]
    assert (tmp_path / "kept" / "curve.png").read_bytes().startswith(b"\x89PNG")
    lines = [line.split(",") for line in (tmp_path / "kept" / "curve.csv").read_text().splitlines()]
    curve = dict(zip(lines[0], zip(*lines[1:], strict=True), strict=True))
    assert curve["iteration"] == ("0", "1", "2")
    assert [float(value) for value in curve["samples"]] == pytest.approx([192, 384, 576], rel=0.1)  # 8 robots, 24 steps
    lengths = scalars(the_only_run(folder))["Train/mean_episode_length"]
    assert [float(value) for value in curve["length"]] == pytest.approx(lengths, rel=1e-4)


def test_the_newest_checkpoint_exports_and_the_files_agree(trained, repository):
    """ONNX Runtime and TorchScript against the model on a thousand observations: the command itself compares."""
    onnxruntime = pytest.importorskip("onnxruntime")
    task, folder, _ = trained
    command = [sys.executable, str(repository / "scripts" / "export.py"), "--task", task, "--device", "cpu"]
    result = train(folder, *command)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]
    assert re.search(r"ONNX Runtime: largest difference \d\.\de-\d\d over 1000 observations", result.stdout)
    exported = the_only_run(folder) / "exported"
    assert sorted(path.name for path in exported.iterdir()) == ["policy.onnx", "policy.pt", "policy.yaml"]
    manifest = yaml.safe_load((exported / "policy.yaml").read_text())
    session = onnxruntime.InferenceSession(str(exported / "policy.onnx"), providers=["CPUExecutionProvider"])
    inside = json.loads(session.get_modelmeta().custom_metadata_map["himloco_manifest"])
    assert inside == {key: value for key, value in manifest.items() if key != "files"}
    assert [list(i.shape) for i in session.get_inputs()] == [[1, manifest["input"]["width"]]] == [[1, 456]]
    assert manifest["task"] == task
    assert manifest["action"]["scale"] == 0.25
    assert manifest["action"]["delay_steps"] == [0, 3]
    # HomieRL's default angles, left leg -0.1, 0, 0, 0.3, -0.2, 0, and the right one alike
    assert manifest["action"]["offset"] == pytest.approx([-0.1, 0.0, 0.0, 0.3, -0.2, 0.0] * 2)
    terms = {term["name"]: term for term in manifest["observation"]["terms"]}
    assert [(name, term["width"]) for name, term in terms.items()] == [
        *(("velocity_command", 3), ("height_command", 1), ("base_ang_vel", 3), ("projected_gravity", 3)),
        *(("joint_pos", 27), ("joint_vel", 27), ("actions", 12)),
    ]
    assert terms["velocity_command"]["scale"] == [2.0, 2.0, 0.5]
    joints = {joint["name"]: joint for joint in manifest["joints"]}
    assert list(joints) == terms["joint_pos"]["joints"]
    assert [joint["driven_by"] for joint in joints.values()] == ["policy"] * 12 + ["command"] * 15
    assert joints["left_knee_joint"]["stiffness"] == 150.0
    assert joints["left_ankle_pitch_joint"]["effort_limit"] == 35.0
    # the task's own ranges, not those of a curriculum that has just begun
    assert manifest["command"]["height"] == [0.24, 0.74]
    assert manifest["command"]["lin_vel_x"] == [-0.8, 1.2]

    # and MuJoCo runs it from the manifest alone
    command = [sys.executable, str(repository / "scripts" / "sim2sim.py"), "--policy", str(exported), "--duration", "1"]
    result = train(folder, *command, "--json", "mujoco.json")
    assert result.returncode == 0, result.stderr[-2000:]
    assert json.loads((folder / "mujoco.json").read_text())["duration"] == pytest.approx(1.0)


def test_a_checkpoint_of_another_size_is_refused_by_name(trained, repository):
    task, folder, _ = trained
    model = the_only_run(folder) / "model_0.pt"
    other = {"Himloco-G1-Flat-v0": "Himloco-G1-Rough-v0", "Himloco-G1-Rough-v0": "Himloco-G1-Flat-v0"}[task]
    alone = folder / "alone.pt"  # without its params, so that the task's own network sizes are used
    alone.write_bytes(model.read_bytes())
    command = [sys.executable, str(repository / "scripts" / "export.py"), "--task", other, "--checkpoint", str(alone)]
    result = train(folder, *command, "--device", "cpu", "--output_dir", str(folder / "out"))
    assert result.returncode == 1, result.stdout[-2000:] + result.stderr[-3000:]
    assert f"error: {alone} does not fit {other}: " in result.stderr
    assert "Traceback" not in result.stderr


def test_resume_continues_the_run_in_its_folder(trained, repository):
    task, folder, _ = trained
    if "Rough" in task:
        pytest.skip("once is enough")
    run = the_only_run(folder)
    script = str(repository / "scripts" / "train.py")
    before = torch.load(run / "model_2.pt", weights_only=True)
    result = train(folder, sys.executable, script, "--task", task, "--resume", "--max_iterations", "2", *SMALL)
    assert result.returncode == 0, result.stderr[-3000:]
    assert f"Continuing from {run / 'model_2.pt'}" in result.stdout
    assert "3 iterations are done, 2 follow" in result.stdout
    assert run == the_only_run(folder)  # and no other has come
    # iterations 0, 1 and 2 were the first run's
    after = torch.load(run / "model_4.pt", weights_only=True)
    assert after["iter"] == 4
    assert after["made_with"]["task"] == task
    steps = before["environment_state"]["common_step_counter"]
    assert after["environment_state"]["common_step_counter"] == steps + 2 * 24
    ages = after["environment_state"]["episodes"]["lengths"]
    assert ages.min() >= 0 and ages.max() <= 25  # the wrapper's first lengths are random
    assert after["logger_state"]["tot_timesteps"] == 5 * 8 * 24
    curves = scalars(run)
    assert len(curves["Loss/value"]) == len(curves["Train/mean_reward"]) == 5
    # without --resume it is another run
    assert (run / "params" / "agent_until_2.yaml").is_file()


def newest_model(folder: Path) -> Path:
    """Return the last checkpoint of the only run in *folder*, and check that it is whole."""
    models = the_only_run(folder).glob("model_*.pt")
    newest = max(models, key=lambda path: int(path.stem.removeprefix("model_")))
    assert torch.load(newest, weights_only=True)["iter"] == int(newest.stem.removeprefix("model_")) > 0
    return newest


def interrupted_training(repository: Path, folder: Path, interrupt, *flags: str) -> tuple[int, str]:
    """Train past the first checkpoint by some iterations, then *interrupt* the process; return code and output."""
    command = [sys.executable, str(repository / "scripts" / "train.py"), "--task", "Himloco-G1-Flat-v0", *SMALL, *flags]
    output = folder / "output.txt"
    with output.open("w") as stream:
        # as from a terminal: a background process of a shell may be told to ignore the signal
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    try:
        deadline = time.monotonic() + 300
        while "\nit 2/" not in output.read_text():  # so that what is saved differs from model_0.pt
            assert process.poll() is None, output.read_text()[-3000:]
            assert time.monotonic() < deadline, output.read_text()[-3000:]
            time.sleep(0.2)
        interrupt(process)
        process.wait(timeout=60)
    finally:
        process.kill()
    return process.returncode, output.read_text()


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the training processes that *process* started."""
    found = psutil.Process(process.pid).children()
    return [child for child in found if any(part.endswith("train.py") for part in child.cmdline())]


def test_control_c_saves_what_was_learned(repository, tmp_path):
    code, output = interrupted_training(repository, tmp_path, lambda process: process.send_signal(signal.SIGINT))
    assert code == 130, output[-3000:]
    assert "Traceback" not in output
    assert f"saved {newest_model(tmp_path)}" in output


def test_two_processes_train_one_policy_and_end_together(repository, tmp_path):
    workers: list[psutil.Process] = []

    def interrupt(process: subprocess.Popen[str]) -> None:
        workers.extend(children(process))
        process.send_signal(signal.SIGINT)

    code, output = interrupted_training(repository, tmp_path, interrupt, "--nproc_per_node", "2")
    assert code == 130, output[-3000:]
    assert "2 processes of 4 environments" in output
    assert "Traceback" not in output
    assert f"saved {newest_model(tmp_path)}" in output
    assert len(workers) == 1
    assert not workers[0].is_running()


def test_the_loss_of_a_process_ends_the_run_and_saves(repository, tmp_path):
    def interrupt(process: subprocess.Popen[str]) -> None:
        children(process)[0].kill()

    code, output = interrupted_training(repository, tmp_path, interrupt, "--nproc_per_node", "2")
    assert code == 1, output[-3000:]
    assert "error: process 1 of this run ended with code -9" in output
    assert f"saved {newest_model(tmp_path)}" in output
