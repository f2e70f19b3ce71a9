# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policies without Isaac Lab and torch: an exported one is found, checked and run; others do nothing, or anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from himloco_lab.robots.description import find_description
from himloco_lab.robots.rigid_body import standing_height
from himloco_lab.robots.urdf import load_model

from .manifest import (
    METADATA_KEY,
    Action,
    Command,
    Manifest,
    ManifestError,
    NoManifestError,
    Observation,
    Tensor,
    Term,
    Timing,
    describe_joint,
)

if TYPE_CHECKING:
    import onnxruntime

MANIFEST_FILE = "policy.yaml"
ONNX_FILE = "policy.onnx"

Policy = Callable[[np.ndarray], np.ndarray]
"""Takes the network's input, shape ``[1, W]`` (float32), and returns raw actions, shape ``[A]``. Its past lies in the
input, so it has no state that an episode could leave behind."""


def load_manifest(path: Path) -> Manifest:
    """Read a manifest and check it, and the digests of the files beside it.

    Args:
        path: ``policy.yaml``, an ONNX file with the manifest in its metadata, or a folder with either.

    Raises:
        ManifestError: If there is none, or it is not sound, or a file beside it is not the one it was written for.
    """
    return find_policy(path)[0] if path.is_dir() or path.suffix == ".onnx" else Manifest.from_yaml(path)


def find_policy(path: Path) -> tuple[Manifest, Path]:
    """Return the manifest of a policy and the path of its ONNX file.

    Args:
        path: The ONNX file, or the folder that holds it.

    Raises:
        ManifestError: If one of them is missing, they do not belong together, or the manifest is not sound.
    """
    written = (path if path.is_dir() else path.parent) / MANIFEST_FILE
    if path.is_dir():
        onnx = path / (_onnx_name(Manifest.from_yaml(written)) if written.is_file() else ONNX_FILE)
        if not onnx.is_file():
            raise ManifestError(f"{path} has no {onnx.name}: export the policy, or name the file")
    else:
        onnx = path
        if not onnx.is_file():
            raise ManifestError(f"there is no file {path}: name an exported policy.onnx or its folder")
    text = open_session(onnx).get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    inside = None if text is None else Manifest.from_json(text, onnx)
    beside = Manifest.from_yaml(written) if written.is_file() else None
    if beside is not None and _onnx_name(beside) != onnx.name:
        beside = None  # it is another policy's
    if inside is not None and beside is not None and inside.behavior != beside.behavior:
        raise ManifestError(
            f"{written} is not the manifest of {onnx.name}: export both again, or remove {written.name}"
        )
    manifest = beside or inside
    if manifest is None:
        raise NoManifestError(
            f"{onnx} has no manifest, inside or as {MANIFEST_FILE} beside it: export the policy again"
        )
    return manifest, onnx


def _onnx_name(manifest: Manifest) -> str:
    return str(manifest.files.get("onnx", ONNX_FILE))


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


class ZeroPolicy:
    """Asks for the default pose at every step."""

    def __init__(self, manifest: Manifest) -> None:
        """Take the number of actions from the manifest."""
        self._width = manifest.output.width

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return zeros, shape ``[A]``."""
        return np.zeros(self._width)


class RandomPolicy(ZeroPolicy):
    """Draws every action from a normal distribution of variance 1, as an untrained policy does."""

    def __init__(self, manifest: Manifest, seed: int = 0) -> None:
        """Take the number of actions from the manifest; the same seed gives the same ones."""
        super().__init__(manifest)
        self._generator = np.random.default_rng(seed)

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return random actions, shape ``[A]``."""
        return self._generator.standard_normal(self._width)


class OnnxPolicy:
    """An exported network on ONNX Runtime, one thread."""

    def __init__(self, manifest: Manifest, path: Path) -> None:
        """Open the network and compare its layout with the manifest.

        Args:
            manifest: What the network must look like.
            path: The ONNX file.

        Raises:
            ManifestError: If it is no ONNX model, or takes or gives something else than the manifest says.
        """
        self._session = open_session(path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = _describe(inputs), _describe(outputs)
        wanted_input, wanted_output = manifest.input, manifest.output
        fits = (
            len(inputs) == 1
            and _fits(inputs[0], wanted_input.name, wanted_input.width)
            and any(_fits(output, wanted_output.name, wanted_output.width) for output in outputs)
        )
        if not fits:
            raise ManifestError(
                f"{path} takes {found[0]} and gives {found[1]}, but its manifest needs {wanted_input.name}"
                f" [1, {wanted_input.width}] and {wanted_output.name} [1, {wanted_output.width}], that is"
                f" {manifest.observation.layout} -> {wanted_output.width} actions: export it with this manifest"
            )
        self._input, self._output = wanted_input.name, wanted_output.name

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return raw actions, shape ``[A]``, for an input of shape ``[1, W]`` (float32).

        Raises:
            ManifestError: If an action is not finite.
        """
        (output,) = self._session.run([self._output], {self._input: observation})
        actions = cast("np.ndarray", output)[0].astype(np.float64)
        if not np.isfinite(actions).all():
            raise ManifestError("the policy's output is not finite: its weights are broken, export another checkpoint")
        return actions


def _fits(tensor: Any, name: str, width: int) -> bool:
    """Whether an input or output has that name, float32 values and shape ``[1 or free, width]``."""
    shape = tensor.shape
    batch_is_free = len(shape) == 2 and (shape[0] == 1 or not isinstance(shape[0], int))
    return tensor.name == name and tensor.type == "tensor(float)" and batch_is_free and shape[1] == width


def _describe(tensors: Sequence[Any]) -> str:
    return ", ".join(f"{t.name} {list(t.shape)} {t.type}" for t in tensors) or "nothing"


def untrained_manifest(robot: str) -> Manifest:
    """Return the manifest of an untrained policy, with the layout that the robot's description gives.

    Args:
        robot: The robot's description as ``"package.module:NAME"``.

    Raises:
        ManifestError: If there is no such description.
    """
    try:
        description = find_description(robot)
    except (ValueError, TypeError) as error:
        raise ManifestError(str(error)) from error
    model, layout = load_model(description), description.policy_layout
    driven = description.action_joints
    terms = tuple(Term(term.name, term.width, term.scale, term.clip, term.joints) for term in description.frame)
    observation = Observation(history_length=layout.history_length, terms=terms)
    standing = (0.0, 0.0, 0.0, layout.height[1])
    offset = tuple(description.default_pos_of(joint) for joint in driven)
    return Manifest(
        task="none",
        robot=robot,
        input=Tensor("obs", observation.width, "float32"),
        output=Tensor("actions", len(driven)),
        timing=Timing(layout.physics_dt, layout.decimation, layout.policy_dt),
        observation=observation,
        action=Action(driven, layout.action_scale, offset, layout.clip),
        joints=tuple(describe_joint(description, model.joints[name], name in driven) for name in description.joints),
        command=Command(layout.lin_vel_x, layout.lin_vel_y, layout.ang_vel_z, layout.height, standing),
        spawn_height=round(standing_height(model, description) + description.spawn_clearance, 4),
    )
