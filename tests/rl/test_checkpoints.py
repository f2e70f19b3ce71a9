# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Checkpoints: complete, safe, whole, thinned, and a stopped run that repeats the uninterrupted one."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dummy_env import WholeDummyEnv, train_cfg
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from himloco_rl.checkpoints import CheckpointError, read_checkpoint, require_parts
from himloco_rl.checkpoints.contents import load_random_state_dict, random_state_dict
from himloco_rl.observations import NotFiniteError, ObservationLayout
from himloco_rl.runners import HIMOnPolicyRunner


class Stopped(WholeDummyEnv):
    """Sends SIGTERM to this process in one of its steps."""

    at_step = -1

    def step(self, actions: torch.Tensor) -> Any:
        self.at_step -= 1
        if self.at_step == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().step(actions)


def seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def runner_in(folder: Path, env: WholeDummyEnv | None = None, **cfg: Any) -> HIMOnPolicyRunner:
    algorithm = {"num_learning_epochs": 1, "final_desired_kl": 0.005, "desired_kl_updates": 5}
    settings = {**train_cfg(**algorithm), "save_interval": 100, **cfg}
    return HIMOnPolicyRunner(env or WholeDummyEnv(16), settings, str(folder), "cpu")


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return every curve but those of the clock, in the order of its steps.

    Files of one second and one process are read by a number behind their names, the tenth before the ninth.
    """
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    tags = [tag for tag in events.Tags()["scalars"] if not tag.startswith("Perf/") and not tag.endswith("/time")]
    return {tag: sorted((event.step, event.value) for event in events.Scalars(tag)) for tag in tags}


def same(one: Any, other: Any, path: str = "") -> None:
    """Check that nested values are equal bit for bit."""
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            same(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), path
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            same(left, right, f"{path}/{index}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    else:
        assert one == other, path


def test_a_stopped_and_resumed_run_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    seed_all(5)
    runner_in(tmp_path / "whole").learn(9)

    seed_all(5)
    stopped = Stopped(16)
    stopped.at_step = 3 * 16 + 5  # in the fourth iteration
    runner_in(tmp_path / "parts", stopped).learn(9)
    assert sorted(path.name for path in (tmp_path / "parts").glob("model_*")) == ["model_0.pt", "model_3.pt"]
    seed_all(99)  # another process has other numbers
    resumed = runner_in(tmp_path / "parts")
    resumed.load(str(tmp_path / "parts" / "model_3.pt"))
    assert resumed.current_learning_iteration == 3
    resumed.learn(5)

    whole, parts = (read_checkpoint(tmp_path / name / "model_8.pt") for name in ("whole", "parts"))
    for checkpoint in (whole, parts):
        checkpoint["logger_state"].pop("tot_time")  # the clock's
    same(whole, parts)
    expected, joined = curves(tmp_path / "whole"), curves(tmp_path / "parts")
    assert [step for step, _ in joined["Loss/value"]] == list(range(9))
    assert joined == expected


def test_a_run_that_was_killed_repeats_its_lost_iterations_in_the_curves_once(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    runner = runner_in(folder, save_interval=3)
    runner.learn(6)  # saves 0, 3 and, at its end, 5
    (folder / "model_5.pt").unlink()  # as if it had been killed
    seconds = int(read_checkpoint(folder / "model_3.pt")["logger_state"]["tot_time"])
    events = next(folder.glob("events*"))
    events.write_bytes(events.read_bytes() + b"\x40\0\0")  # and half a record
    resumed = runner_in(folder)
    resumed.load(str(folder / "model_3.pt"))
    resumed.learn(3)
    joined = curves(folder)
    assert [step for step, _ in joined["Loss/value"]] == list(range(7))
    assert all(value == value for _, value in joined["Loss/value"])
    over_time = EventAccumulator(str(folder)).Reload().Scalars("Train/mean_reward/time")
    assert [event.step for event in over_time] == sorted(event.step for event in over_time)
    assert over_time[-1].step >= seconds


def test_a_checkpoint_says_what_it_was_made_with(tmp_path: Path) -> None:
    runner = runner_in(tmp_path)
    runner.made_with["task"] = "Dummy"
    runner.learn(2)
    checkpoint = torch.load(tmp_path / "model_1.pt", weights_only=True)
    assert checkpoint["made_with"]["torch"] == torch.__version__
    assert checkpoint["made_with"]["task"] == "Dummy"
    assert checkpoint["total_iterations"] == 2
    assert ObservationLayout.from_record(checkpoint["layout"]) == runner.alg.layout


def test_all_generators_are_restored() -> None:
    seed_all(3)
    np.random.randn()  # leaves half of a pair for the next call
    state = random_state_dict()
    expected = [random.random(), np.random.randn(), np.random.rand(), torch.rand(()).item()]
    seed_all(0)
    load_random_state_dict(state)
    assert [random.random(), np.random.randn(), np.random.rand(), torch.rand(()).item()] == expected


@pytest.mark.parametrize(
    ("keep", "every", "left"), [(None, None, [0, 1, 2, 3, 4, 5]), (2, None, [4, 5]), (1, 3, [0, 3, 5])]
)
def test_old_checkpoints_are_thinned(tmp_path: Path, keep: int | None, every: int | None, left: list[int]) -> None:
    (tmp_path / "model_best.pt").write_text("not the runner's")
    runner_in(tmp_path, save_interval=1, keep_checkpoints=keep, keep_every=every).learn(6)
    names = {path.name for path in tmp_path.glob("model_*.pt")}
    assert names == {"model_best.pt", *(f"model_{iteration}.pt" for iteration in left)}


def test_what_a_killed_save_left_is_removed_and_no_weight_is_nan(tmp_path: Path) -> None:
    (tmp_path / "model_0.pt.123.tmp").write_bytes(b"half")
    runner = runner_in(tmp_path)
    runner.save(str(tmp_path / "model_0.pt"))
    assert [path.name for path in tmp_path.iterdir()] == ["model_0.pt"]
    with torch.no_grad():
        next(runner.alg.critic.parameters())[0, 0] = float("nan")
    with pytest.raises(NotFiniteError, match=r"critic_state_dict\['mlp.0.weight'\] is not finite"):
        runner.save(str(tmp_path / "model_1.pt"))
    assert [path.name for path in tmp_path.iterdir()] == ["model_0.pt"]


class Hostile:
    """Runs a command when unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


def hostile(path: Path, mark: Path) -> None:
    torch.save({"iter": 0, "actor_state_dict": Hostile(mark)}, path)


def hostile_pickle(path: Path, mark: Path) -> None:
    path.write_bytes(pickle.dumps(Hostile(mark)))


def truncated(path: Path, mark: Path) -> None:
    torch.save({"iter": torch.zeros(10000)}, path)
    path.write_bytes(path.read_bytes()[:20000])


def flipped(path: Path, mark: Path) -> None:
    torch.save({"iter": torch.zeros(10000)}, path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def other_zip(path: Path, mark: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")


def script_module(path: Path, mark: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))


def a_list(path: Path, mark: Path) -> None:
    torch.save([1, 2], path)


def nothing(path: Path, mark: Path) -> None:
    path.touch()


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (hostile, r"wants to run (posix|os)\.system.*nothing of it was run"),
        (hostile_pickle, "no checkpoint of PyTorch"),
        (truncated, "or a truncated one"),
        (flipped, "damaged: its part .*data/0' has another checksum"),
        (other_zip, "no checkpoint"),
        (script_module, "TorchScript module"),
        (a_list, "holds a list"),
        (nothing, "no checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_refused_by_name(tmp_path: Path, write: Any, says: str) -> None:
    path, mark = tmp_path / "model_7.pt", tmp_path / "executed"
    write(path, mark)
    with pytest.raises(CheckpointError, match=says) as error:
        read_checkpoint(path)
    assert "model_7.pt" in str(error.value) and "\n" not in str(error.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("checkpoint", "says"),
    [
        ({"model": {}}, "holds model, but no actor_state_dict and no critic_state_dict and no iter"),
        ({"actor_state_dict": {}, "critic_state_dict": {}, "iter": "three"}, "iter is a str, not a int"),
    ],
)
def test_other_programs_checkpoints_are_refused(checkpoint: dict[str, Any], says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        require_parts("model.pt", checkpoint)


def test_a_full_disk_does_not_end_the_training_and_is_named_at_its_end(tmp_path: Path) -> None:
    """A process whose files may not grow beyond 100 kB: the kernel refuses the write as on a full disk."""
    code = f"""
        import resource, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import torch
        from pathlib import Path
        from test_checkpoints import runner_in
        torch.set_num_threads(1)
        runner = runner_in(Path({str(tmp_path / "run")!r}), save_interval=2)
        runner.learn(1)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            runner.learn(4)
        except OSError as error:
            print("OSError:", error)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=500, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    good = tmp_path / "run" / "model_0.pt"
    assert f"cannot save {tmp_path / 'run' / 'model_2.pt'} (File too large)" in result.stdout
    assert "it 5/5" in result.stdout
    last = next(line for line in result.stdout.splitlines() if line.startswith("OSError"))
    assert f"model_4.pt (File too large); the last good checkpoint is {good}" in last
    assert torch.load(good, weights_only=True)["iter"] == 0
    assert not list((tmp_path / "run").glob("*.tmp"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # TensorBoard's own thread
def test_a_vanished_log_folder_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    class Vanishing(WholeDummyEnv):
        steps = 0

        def step(self, actions: torch.Tensor) -> Any:
            self.steps += 1
            if self.steps == 20:
                shutil.rmtree(tmp_path / "run")
            return super().step(actions)

    runner = runner_in(tmp_path / "run", Vanishing(16), save_interval=2)
    runner.learn(4)
    assert {path.name for path in (tmp_path / "run").glob("model_*")} == {"model_2.pt", "model_3.pt"}
    runner.logger.writer.flush()  # type: ignore[union-attr]
    out = capsys.readouterr().out
    assert "[WARNING] Curves are not written (" in out and "the training goes on" in out
    assert "[INFO] Curves are written again" in out
    assert curves(tmp_path / "run")["Loss/value"][-1][0] == 3
