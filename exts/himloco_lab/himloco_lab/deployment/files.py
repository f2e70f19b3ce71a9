# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where a policy's manifest lies: in ``policy.yaml``, or inside the ONNX file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from .manifest import Manifest
from .schema import ManifestError

if TYPE_CHECKING:
    import onnxruntime

MANIFEST_FILE = "policy.yaml"
ONNX_FILE = "policy.onnx"
METADATA_KEY = "himloco_manifest"
"""Key of the manifest, as JSON, in an ONNX file's metadata."""


def load_manifest(path: Path) -> Manifest:
    """Read a manifest and check it, and the digests of the files beside it.

    Args:
        path: ``policy.yaml``, an ONNX file with the manifest in its metadata, or a folder with either.

    Raises:
        ManifestError: If there is none, or it is not sound, or a file beside it is not the one it was written for.
    """
    return find_policy(path)[0] if path.is_dir() or path.suffix == ".onnx" else _from_yaml(path)


def find_policy(path: Path) -> tuple[Manifest, Path]:
    """Return the manifest of a policy and the path of its ONNX file.

    Args:
        path: The ONNX file, or the folder that holds it.

    Raises:
        ManifestError: If one of them is missing, they do not belong together, or the manifest is not sound.
    """
    if path.is_dir():
        written = path / MANIFEST_FILE
        onnx = path / _onnx_name(_from_yaml(written) if written.is_file() else None)
        if not onnx.is_file():
            raise ManifestError(f"{path} has no {onnx.name}: export the policy, or name the file")
    else:
        onnx, written = path, path.parent / MANIFEST_FILE
        if not onnx.is_file():
            raise ManifestError(f"there is no file {path}: name an exported policy.onnx or its folder")
    inside = _from_metadata(onnx)
    beside = _from_yaml(written) if written.is_file() else None
    if beside is not None and _onnx_name(beside) != onnx.name:
        beside = None  # it is another policy's
    if inside is not None and beside is not None and _contract(inside) != _contract(beside):
        raise ManifestError(
            f"{written} is not the manifest of {onnx.name}: export both again, or remove {written.name}"
        )
    manifest = beside or inside
    if manifest is None:
        raise ManifestError(f"{onnx} has no manifest, inside or as {MANIFEST_FILE} beside it: export the policy again")
    return manifest, onnx


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Open an ONNX file for one thread: a policy is too small to gain from more, and repeats itself exactly on one.

    Raises:
        ManifestError: If it is not an ONNX model that the runtime can run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # errors come as exceptions
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has a dozen kinds, and no common one
        reason = " ".join(str(error).split())[:160]
        raise ManifestError(f"{path} is not an ONNX model that can be run ({reason}): export it again") from error


def digest(path: Path) -> str:
    """Return the SHA-256 digest of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _onnx_name(manifest: Manifest | None) -> str:
    return str(manifest.files.get("onnx", ONNX_FILE)) if manifest is not None else ONNX_FILE


def _contract(manifest: Manifest) -> dict[str, Any]:
    """Return what decides how the policy acts; names of files and their digests do not."""
    return {key: value for key, value in manifest.to_dict().items() if key not in ("files", "source")}


def _from_yaml(path: Path) -> Manifest:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path} cannot be read ({error.strerror}): name an exported policy") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path} is not YAML ({' '.join(str(error).split())[:120]}): export again") from error
    manifest = _parse(content, path)
    _check_digests(manifest.files, path)
    return manifest


def _from_metadata(path: Path) -> Manifest | None:
    text = open_session(path).get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        return None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ManifestError(f"{path}: its metadata {METADATA_KEY} is not JSON ({error}): export it again") from error
    return _parse(content, path)


def _parse(content: Any, path: Path) -> Manifest:
    try:
        return Manifest.from_dict(content)
    except ManifestError as error:
        raise ManifestError(f"{path}: {error}") from error


def _check_digests(files: Mapping[str, Any], path: Path) -> None:
    for kind in ("onnx", "torchscript"):
        name, expected = files.get(kind), files.get(f"{kind}_sha256")
        beside = path.parent / str(name)
        if name and expected and beside.is_file() and digest(beside) != expected:
            raise ManifestError(
                f"{beside} is not the file that {path.name} was written for (its SHA-256 differs): export both again"
            )
