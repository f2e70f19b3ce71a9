# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Real signals to trainings of the dummy environment: to this process, and to one of two."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from dummy_env import DummyEnv, train_cfg

from himloco_rl.guards.stop_signals import REPEAT_WINDOW, StopSignals
from himloco_rl.runners import HIMOnPolicyRunner, him_on_policy_runner

SCRIPT = Path(__file__).with_name("dummy_training.py")
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def _interruptible() -> None:
    """A shell's background job ignores the signal, and the tests may be one."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Signalled(DummyEnv):
    """Sends this process a signal in one of its steps."""

    def __init__(self, number: signal.Signals, at_step: int, pause: float = 0.0) -> None:
        super().__init__(16)
        self.number, self.at_step, self.pause = number, at_step, pause
        self.steps = 0

    def step(self, actions: torch.Tensor) -> Any:
        if self.steps == self.at_step:
            os.kill(os.getpid(), self.number)
        if self.steps >= self.at_step:
            time.sleep(self.pause)
        self.steps += 1
        return super().step(actions)


def trained(env: DummyEnv, folder: Path, iterations: int) -> HIMOnPolicyRunner:
    runner = HIMOnPolicyRunner(env, train_cfg(num_learning_epochs=1), str(folder), "cpu")
    runner.learn(iterations)
    return runner


def saved(folder: Path) -> dict[str, int]:
    """Return the checkpoints of a folder and the iterations that they say they are of."""
    return {path.name: torch.load(path, weights_only=True)["iter"] for path in folder.glob("model_*")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_finishes_the_iteration_and_saves_it(
    tmp_path: Path, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    env = Signalled(number, at_step=2 * 16 + 3)
    runner = trained(env, tmp_path, 100)
    assert (runner.stopped_by, env.steps) == (number, 3 * 16)
    assert saved(tmp_path) == {"model_0.pt": 0, "model_2.pt": 2}
    assert f"{number.name}: saved {tmp_path / 'model_2.pt'}" in capsys.readouterr().out
    runner.learn(1)  # and it may go on
    assert runner.stopped_by == 0
    assert saved(tmp_path)["model_3.pt"] == 3


def test_usr1_saves_and_goes_on(tmp_path: Path) -> None:
    runner = trained(Signalled(signal.SIGUSR1, at_step=20), tmp_path, 4)
    assert runner.stopped_by == 0
    assert saved(tmp_path) == {"model_0.pt": 0, "model_1.pt": 1, "model_3.pt": 3}


@pytest.mark.parametrize(("iteration", "left"), [(1, {"model_0.pt": 0}), (0, {})])
def test_a_rollout_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, iteration: int, left: dict[str, int]
) -> None:
    monkeypatch.setattr(him_on_policy_runner, "GRACE", 0.3)
    env = Signalled(signal.SIGTERM, at_step=iteration * 16 + 1, pause=0.1)
    runner = trained(env, tmp_path, 100)
    assert runner.stopped_by == signal.SIGTERM
    assert env.steps < iteration * 16 + 10
    assert saved(tmp_path) == left
    runner.learn(1)  # half a rollout is not in the way
    assert runner.current_learning_iteration == iteration


def _twice(number: int, apart: float) -> None:
    with StopSignals() as signals:
        os.kill(os.getpid(), number)
        time.sleep(apart)
        assert signals.stop == number
        os.kill(os.getpid(), number)
        time.sleep(0.5)
    os._exit(7)


@pytest.mark.parametrize(("apart", "code"), [(0.1, 7), (REPEAT_WINDOW + 0.2, 143)])
def test_a_second_signal_ends_at_once_but_not_a_launchers_copy_of_the_first(apart: float, code: int) -> None:
    process = multiprocessing.get_context("fork").Process(target=_twice, args=(signal.SIGTERM, apart))
    process.start()
    process.join(60)
    assert process.exitcode == code


def test_two_processes_stop_after_the_same_iteration(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PYTHONUNBUFFERED": "1"}
    outputs = [tmp_path / f"output_{rank}.txt" for rank in range(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(tmp_path / "run"), "--pause", "0.02"],
            stdout=output.open("w"),
            stderr=subprocess.STDOUT,
            env={**os.environ, **group, "OMP_NUM_THREADS": "1", "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank, output in enumerate(outputs)
    ]
    try:
        deadline = time.monotonic() + 400
        while "\nit 2/" not in outputs[0].read_text():
            assert processes[0].poll() is None and time.monotonic() < deadline, outputs[0].read_text()[-2000:]
            time.sleep(0.1)
        processes[1].send_signal(signal.SIGTERM)  # the one that writes nothing
        assert [process.wait(timeout=60) for process in processes] == [143, 143]
    finally:
        for process in processes:
            process.kill()
    text = outputs[0].read_text()
    last = int(re.findall(r"^it (\d+)/", text, re.MULTILINE)[-1]) - 1  # checkpoints count from 0
    assert f"SIGTERM: saved {tmp_path / 'run' / f'model_{last}.pt'}" in text
    assert "Traceback" not in text + outputs[1].read_text()


def test_handlers_are_given_back_and_other_threads_have_none() -> None:
    before = [signal.getsignal(number) for number in HANDLED]
    with StopSignals() as signals:
        thread = threading.Thread(target=lambda: StopSignals().__enter__())
        thread.start()
        thread.join()
        os.kill(os.getpid(), signal.SIGUSR1)
        deadline = time.monotonic() + 20
        while not signals.save:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert not signals.stop
    assert [signal.getsignal(number) for number in HANDLED] == before


def test_an_interrupt_stays_one_where_nothing_can_be_agreed() -> None:
    with pytest.raises(KeyboardInterrupt), StopSignals(raises_interrupt=lambda: True) as signals:  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    assert not signals.stop
