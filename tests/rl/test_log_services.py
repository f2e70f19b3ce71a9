# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Logging services behind a broken network, played by writers here; wandb_trial.py does it with W&B's own client."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from dummy_env import WholeDummyEnv, train_cfg
from rsl_rl.utils.log_writer import LogWriter
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from himloco_lab import errors
from himloco_rl.checkpoints import read_checkpoint
from himloco_rl.runners import HIMOnPolicyRunner, progress_logger


class Service(LogWriter):
    """A service that takes everything and keeps nothing."""

    def __init__(self, log_dir: str, **_: Any) -> None:
        self.ended = threading.Event()

    def add_scalar(self, *_: Any, **__: Any) -> None:
        pass

    def stop(self) -> None:
        self.ended.set()


class Unreachable(Service):
    """Nobody answers at the start."""

    def __init__(self, **_: Any) -> None:
        raise ConnectionError("no route to host")


class Breaking(Service):
    """The client breaks in the second iteration."""

    def add_scalar(self, tag: str, value: float, step: int, *_: Any, **__: Any) -> None:
        if step == 1:
            raise ConnectionResetError("the service's process is gone")


class Stalling(Service):
    """Has not sent everything, and waits for its network at the end."""

    def stop(self) -> None:
        time.sleep(3600)


def trained(folder: Path, writer: type[Service], iterations: int = 3) -> HIMOnPolicyRunner:
    """A training that logs to a writer of this file."""
    cfg = {**train_cfg(num_learning_epochs=1), "save_interval": 100}
    cfg["logger"] = {"class_name": f"{writer.__module__}:{writer.__name__}"}
    runner = HIMOnPolicyRunner(WholeDummyEnv(16), cfg, str(folder), "cpu")
    runner.learn(iterations)
    assert read_checkpoint(folder / f"model_{iterations - 1}.pt")["iter"] == iterations - 1
    return runner


def steps_in(folder: Path) -> list[int]:
    """Iterations of which TensorBoard's files know."""
    return [event.step for event in EventAccumulator(str(folder)).Reload().Scalars("Loss/value")]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(progress_logger.PATIENCE, "end", 0.2)


def test_a_service_that_can_be_reached_is_used_and_ended(tmp_path: Path) -> None:
    runner = trained(tmp_path, Service)
    writer: Any = runner.logger.writer.writer  # type: ignore[union-attr]
    assert isinstance(writer, Service) and writer.ended.is_set()
    assert not runner.logger.abandoned


def test_a_service_that_cannot_be_reached_gives_way_to_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(tmp_path, Unreachable)
    assert "cannot be used (no route to host); writing TensorBoard's files instead" in capsys.readouterr().out
    assert steps_in(tmp_path) == [0, 1, 2]
    assert 1 <= int(os.environ["WANDB_INIT_TIMEOUT"]) <= 20


def test_a_service_that_breaks_gives_way_to_files_in_the_middle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = trained(tmp_path, Breaking)
    out = capsys.readouterr().out
    assert "[WARNING] Curves are not written (the service's process is gone); the training goes on" in out
    assert "is given up; TensorBoard's files take its place" in out
    assert steps_in(tmp_path) == [2]
    assert runner.logger.abandoned


def test_a_service_that_waits_for_its_network_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = time.monotonic()
    runner = trained(tmp_path, Stalling)
    assert time.monotonic() - start < 60
    assert "has not taken everything within 0.2 s and is given up" in capsys.readouterr().out
    assert runner.logger.abandoned
    before = time.monotonic()
    runner.logger.stop_logging_writer()  # once is enough
    assert time.monotonic() - before < 0.1


def test_a_process_ends_although_somebody_else_would_wait() -> None:
    code = """if True:
        import atexit, time
        from himloco_lab.errors import end_abruptly, run_command
        atexit.register(time.sleep, 3600)
        print("said", end="")
        def command(argv):
            end_abruptly("a service")
            return 143
        raise SystemExit(run_command(command, []))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (143, "said")
    assert not errors._reasons_to_end_abruptly
