# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Which backend and device a process gets, without a GPU; and what breaks a connection whose other end is gone."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
import torch

from himloco_rl.distributed import process_group
from himloco_rl.distributed.ranks import LostRankError, lost_rank_errors


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a process asks of torch when it joins a group of four; this machine need not have a GPU."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: asked.update(device=device))
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda backend, **more: asked.update(backend=backend, **more)
    )
    monkeypatch.setattr(torch.distributed, "barrier", lambda: None)
    return asked


def test_gpus_talk_by_nccl_each_process_on_its_own(joined: dict[str, Any]) -> None:
    process_group.join("cuda:1", rank=3, local_rank=1, world_size=4)
    assert (joined["backend"], joined["device"], joined["rank"], joined["world_size"]) == ("nccl", "cuda:1", 3, 4)


def test_a_process_that_sees_one_gpu_takes_it(joined: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    process_group.join("cuda:0", rank=3, local_rank=1, world_size=4)
    assert (joined["backend"], joined["device"]) == ("nccl", "cuda:0")


def test_cpus_talk_by_gloo(joined: dict[str, Any]) -> None:
    process_group.join("cpu", rank=0, local_rank=0, world_size=4)
    assert joined["backend"] == "gloo"
    assert "device" not in joined
    assert joined["timeout"] == process_group.TIMEOUT


def test_another_processs_gpu_or_rank_is_refused(joined: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"device is cuda:0, but process 1 of a machine learns on cuda:1"):
        process_group.join("cuda:0", rank=1, local_rank=1, world_size=4)
    with pytest.raises(ValueError, match=r"RANK is 4 of WORLD_SIZE 4"):
        process_group.join("cpu", rank=4, local_rank=0, world_size=4)
    assert "backend" not in joined


def test_a_silent_machine_is_noticed_within_the_time() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        socket.socketpair()[0] as local,
        open(os.devnull) as file,
    ):
        assert process_group.notice_lost_machines({s.fileno() for s in (server, client, local, file)}, 30) == 1
        read = [client.getsockopt(socket.IPPROTO_TCP, option) for option in (4, 5, 6, 18)]  # as in linux/tcp.h
        idle, interval, probes, user_timeout = read
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert idle + probes * interval == 30
        assert user_timeout == 30_000
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


def test_what_fails_between_processes_is_told_apart() -> None:
    text = (
        "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:5. This may"
        " indicate a remote rank has failed"
    )
    reason = r"gone or does not answer \(Connection closed by peer \[127.0.0.1\]:5\)$"
    with pytest.raises(LostRankError, match=reason), lost_rank_errors():
        raise RuntimeError(text)
    with pytest.raises(torch.OutOfMemoryError), lost_rank_errors():
        raise torch.OutOfMemoryError("no memory")
    with pytest.raises(RuntimeError, match=r"^shapes$") as error, lost_rank_errors(has_others=False):
        raise RuntimeError("shapes")
    assert not isinstance(error.value, LostRankError)
