#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# onnxruntime 1.31.1: a model that keeps its weights in a file beside it, given as bytes, is completed from the
# current folder. Where that folder holds another model's file of the same name (torch's exporter calls every one of
# them policy.onnx.data), the session computes with the other model's weights, without an error or a warning.
#
# Seen: the model of "mine" adds 1, that of "other" adds 2.
#   started in mine,  by path 1.0, from bytes 1.0
#   started in other, by path 1.0, from bytes 2.0
#   started in a folder with no such file: by path 1.0, from bytes an error
# So: open a model by its path, and copy or hash both files.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf -- "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.31.1
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

WIDTH = 64
root = Path.cwd()


def save(folder: str, weight: float) -> Path:
    (root / folder).mkdir()
    weights = numpy_helper.from_array(np.full((1, WIDTH), weight, np.float32), "w")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, WIDTH]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path = root / folder / "policy.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="policy.onnx.data", size_threshold=0)
    return path


def run(model: str | bytes) -> str:
    try:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    except Exception as error:
        return type(error).__name__
    return str(float(session.run(None, {"x": np.zeros((1, WIDTH), np.float32)})[0][0, 0]))


mine = save("mine", 1.0)
save("other", 2.0)
(root / "empty").mkdir()
expected = {"mine": ("1.0", "1.0"), "other": ("1.0", "2.0"), "empty": ("1.0", "Fail")}
print("onnxruntime", onnxruntime.__version__)
for folder, wanted in expected.items():
    os.chdir(root / folder)
    seen = run(str(mine)), run(mine.read_bytes())
    print(f"started in {folder}: by path {seen[0]}, from bytes {seen[1]}")
    assert seen == wanted, f"changed: expected {wanted}"
PY
