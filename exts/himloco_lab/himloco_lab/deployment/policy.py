# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policies: the network's input in, raw actions out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from .files import open_session
from .manifest import Manifest
from .schema import ManifestError


class Policy(Protocol):
    """Anything that acts."""

    def reset(self) -> None:
        """Begin a new episode."""
        ...

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return raw actions, shape ``[A]``, for the network's input, shape ``[1, W]`` (float32)."""
        ...


class ZeroPolicy:
    """Asks for the default pose at every step."""

    def __init__(self, manifest: Manifest) -> None:
        """Take the width of the action.

        Args:
            manifest: The manifest it acts for.
        """
        self._width = manifest.output.width

    def reset(self) -> None:
        """Do nothing: it has no state."""

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return zeros, shape ``[A]``."""
        return np.zeros(self._width)


class RandomPolicy:
    """Draws every action from a normal distribution of variance 1, as an untrained policy does."""

    def __init__(self, manifest: Manifest, seed: int = 0) -> None:
        """Seed the generator.

        Args:
            manifest: The manifest it acts for.
            seed: The same seed gives the same actions.
        """
        self._width = manifest.output.width
        self._generator = np.random.default_rng(seed)

    def reset(self) -> None:
        """Do nothing: a new episode is to bring new actions."""

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

    def reset(self) -> None:
        """Do nothing: the history lies in the input."""

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
