# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Writing an exported policy, and running the files before anybody else does."""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import onnx
import torch

from himloco_lab.deployment.manifest import METADATA_KEY, Manifest, digest
from himloco_lab.deployment.policy import MANIFEST_FILE, ONNX_FILE, open_session
from himloco_rl.models import HIMActor

TOLERANCE = 1.0e-5
"""Largest difference of an action between the files and the model they were made from."""
TORCHSCRIPT_FILE = "policy.pt"
"""Name of the TorchScript file; it and the ONNX file's are Isaac Lab's."""


def write_files(actor: HIMActor, manifest: Manifest, folder: Path) -> None:
    """Write the policy in both forms, and the manifest into the ONNX file and beside it.

    The files are made elsewhere and moved, so that *folder* never holds half of an export.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as made:
        place = Path(made)
        torch.jit.script(actor.as_jit().to("cpu").eval()).save(str(place / TORCHSCRIPT_FILE))
        _write_onnx(actor, manifest, place / ONNX_FILE)
        digests = {f"{kind}_sha256": digest(place / name) for kind, name in _FILES.items()}
        (place / MANIFEST_FILE).write_text(replace(manifest, files={**_FILES, **digests}).to_yaml())
        for name in (TORCHSCRIPT_FILE, ONNX_FILE, MANIFEST_FILE):
            os.replace(place / name, folder / name)


_FILES = {"onnx": ONNX_FILE, "torchscript": TORCHSCRIPT_FILE}


def compare_files(actor: HIMActor, observations: torch.Tensor, folder: Path) -> dict[str, float]:
    """Run the files on real observations and compare them with the model.

    Args:
        actor: The model they were made from.
        observations: Flat inputs of the policy, shape [M, width].
        folder: Where the files are.

    Returns:
        ``onnx_difference`` and ``torchscript_difference``, the largest of any action; ``onnx_ms`` and
        ``torchscript_ms``, the median time of a step on one core [ms].
    """
    # the model's own forward, not the fused copy that the files were made from
    with torch.no_grad():
        expected = actor.mean_actions(observations).cpu()
    session = open_session(folder / ONNX_FILE)
    script = torch.jit.load(str(folder / TORCHSCRIPT_FILE), map_location="cpu").eval()
    runs = {
        "onnx": lambda row: torch.as_tensor(session.run(["actions"], {"obs": row.numpy()})[0]),
        "torchscript": script,
    }
    results: dict[str, float] = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for kind, run in runs.items():
            actions, seconds = [], []
            with torch.inference_mode():
                for row in observations.cpu().split(1):
                    start = time.perf_counter()
                    actions.append(run(row))
                    seconds.append(time.perf_counter() - start)
            results[f"{kind}_difference"] = float((torch.cat(actions) - expected).abs().max())
            results[f"{kind}_ms"] = 1e3 * statistics.median(seconds)
    finally:
        torch.set_num_threads(threads)
    return results


def _write_onnx(actor: HIMActor, manifest: Manifest, path: Path) -> None:
    """One ONNX file, weights inside, checked, with the manifest in its metadata."""
    model = actor.as_onnx(verbose=False).to("cpu").eval()
    with contextlib.redirect_stdout(io.StringIO()):  # the exporter prints its steps
        torch.onnx.export(
            model,
            model.get_dummy_inputs(),  # pyright: ignore[reportCallIssue]  # rsl_rl's export protocol
            str(path),
            opset_version=18,
            input_names=model.input_names,  # pyright: ignore[reportArgumentType]
            output_names=model.output_names,  # pyright: ignore[reportArgumentType]
            external_data=False,
            verbose=False,
        )
    graph = onnx.load(str(path))
    entry = graph.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, json.dumps(manifest.to_dict())
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, str(path))
