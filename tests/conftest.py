# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What all tests share: the repository's folder, and no way out to the network."""

import ipaddress
import os
import socket
from pathlib import Path

import pytest
from hypothesis import settings

# The tests share few cores with whatever else runs; more threads than cores only make them wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", str(min(4, os.cpu_count() or 1)))

# A slow machine is no reason for a test to fail.
settings.register_profile("himloco_lab", deadline=None)
settings.load_profile("himloco_lab")


@pytest.fixture(scope="session")
def repository() -> Path:
    """Folder of the repository."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections leave this machine in no test: nothing may be downloaded at run time."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            pytest.fail(f"a connection to {address} was attempted: nothing may be downloaded at run time")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
