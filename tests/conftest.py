# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What all tests share: the repository's folder, and no way out to the network."""

import ipaddress
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# The tests share few cores with each other; more threads than cores only make them wait for each other.
_processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, min(4, (os.cpu_count() or 1) // _processes))))

# A slow machine is no reason for a test to fail.
settings.register_profile("himloco_lab", deadline=None)
settings.load_profile("himloco_lab")


@pytest.fixture(scope="session")
def repository() -> Path:
    """Folder of the repository."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture
def make_onnx() -> Callable[..., Path]:
    """Return a function that writes a linear policy, actions = observation @ weights, as an ONNX file."""

    def make(path: Path, inputs: int = 456, outputs: int = 12, metadata: Any = None, gain: float = 0.01) -> Path:
        import numpy as np
        import onnx

        weights = gain * np.random.default_rng(0).standard_normal((inputs, outputs))
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("MatMul", ["obs", "weights"], ["actions"])],
            "policy",
            [onnx.helper.make_tensor_value_info("obs", onnx.TensorProto.FLOAT, [1, inputs])],
            [onnx.helper.make_tensor_value_info("actions", onnx.TensorProto.FLOAT, [1, outputs])],
            [onnx.numpy_helper.from_array(weights.astype(np.float32), "weights")],
        )
        model = onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 17)])
        if metadata is not None:
            onnx.helper.set_model_props(model, {"himloco_manifest": json.dumps(metadata)})
        onnx.save(model, str(path))
        return path

    return make


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
