# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policies that act in an environment of Isaac Lab, whatever trained and saved them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tensordict import TensorDict

from himloco_lab.deployment.manifest import ManifestError
from himloco_lab.deployment.policy import open_session

COMMAND_TERM = "base_velocity"
"""Name of the gait command in all tasks."""
BUILT_IN = ("zero", "random")
"""Policies that need no file."""


EnvPolicy = Callable[[TensorDict], torch.Tensor]
"""Anything that acts in a vectorized environment: takes its observations, returns raw actions, shape ``[N, A]``."""


class PolicyError(ValueError):
    """A policy that cannot act here: names the file, both layouts, and what to do."""


@dataclass(frozen=True)
class TaskLayout:
    """What a task gives to a policy and takes from it."""

    groups: tuple[str, ...]
    """Observation groups of the actor; their columns stand side by side."""
    widths: tuple[int, ...]
    """Columns of each group."""
    num_actions: int
    """Actions per robot."""
    frames: int = 1
    """Frames of the first group, oldest first."""

    @property
    def width(self) -> int:
        """Columns of the input."""
        return sum(self.widths)

    def __str__(self) -> str:
        """Describe it in a line, for messages."""
        parts = " + ".join(f"{group} {width}" for group, width in zip(self.groups, self.widths, strict=True))
        return f"[N, {self.width}] ({parts}; frames oldest first) -> [N, {self.num_actions}]"


def layout_of(observations: TensorDict, groups: Sequence[str], num_actions: int, frames: int = 1) -> TaskLayout:
    """Return the layout of a task from one of its observations.

    Args:
        observations: Group -> ``[N, W]``.
        groups: Groups of the actor.
        num_actions: Actions per robot.
        frames: Frames of the first group.
    """
    widths = tuple(int(observations[group].shape[-1]) for group in groups)
    return TaskLayout(tuple(groups), widths, num_actions, frames)


class BuiltInPolicy:
    """A policy without a file: asks for the default pose, or draws actions as an untrained policy does."""

    def __init__(self, name: str, layout: TaskLayout, seed: int = 0) -> None:
        """Seed a generator of its own: the environment's numbers stay what they are without it.

        Args:
            name: ``zero``, or ``random`` for normal numbers of variance 1.
            layout: Of the task.
            seed: The same seed gives the same actions.
        """
        self._is_zero, self._layout = name == "zero", layout
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, observations: TensorDict) -> torch.Tensor:
        """Return raw actions, shape ``[N, A]``."""
        first = observations[self._layout.groups[0]]
        shape = (first.shape[0], self._layout.num_actions)
        actions = torch.zeros(shape) if self._is_zero else torch.randn(shape, generator=self._generator)
        return actions.to(first.device)


class NewestFirst:
    """A policy that was trained with the newest frame first, as HIMLoco's are, given frames oldest first."""

    def __init__(self, policy: EnvPolicy, layout: TaskLayout) -> None:
        """Note where the frames are.

        Args:
            policy: What acts.
            layout: Of the task; its first group is the history.
        """
        self._policy, self._group, self._frames = policy, layout.groups[0], layout.frames

    def __call__(self, observations: TensorDict) -> torch.Tensor:
        """Return raw actions, shape ``[N, A]``."""
        history = observations[self._group]
        turned = history.unflatten(-1, (self._frames, -1)).flip(-2).flatten(-2)
        given = {str(name): observations[name] for name in observations.keys()} | {self._group: turned}  # noqa: SIM118
        return self._policy(TensorDict(given, batch_size=observations.batch_size))


class FilePolicy:
    """A network from a file: ONNX on ONNX Runtime, or TorchScript."""

    def __init__(self, path: Path, layout: TaskLayout) -> None:
        """Open the file and let it act once, on zeros.

        Args:
            path: Ends in ``.onnx`` or ``.pt``.
            layout: What it must fit.

        Raises:
            PolicyError: If it is neither, cannot be run, or does not fit.
        """
        self._layout, self._path = layout, path
        if not path.is_file():
            raise PolicyError(f"there is no file {path}: name an exported policy.onnx or policy.pt, or zero or random")
        if path.suffix == ".onnx":
            self._act, found = self._open_onnx()
        elif path.suffix in (".pt", ".jit", ".torchscript"):
            self._act, found = self._open_torchscript()
        else:
            raise PolicyError(
                f"{path.name} ends neither in .onnx nor in .pt (TorchScript): scripts/export.py makes both"
            )
        self._check(found)

    def __call__(self, observations: TensorDict) -> torch.Tensor:
        """Return raw actions, shape ``[N, A]``."""
        groups = [observations[group] for group in self._layout.groups]
        actions = self._act(torch.cat(groups, dim=-1).float())
        return actions.to(groups[0].device)

    def _check(self, found: str) -> None:
        """Compare what comes out for a batch of two with the task's layout."""
        try:
            shape = list(self._act(torch.zeros(2, self._layout.width)).shape)
        except PolicyError:
            raise
        except Exception as error:  # TorchScript and ONNX Runtime have no common error
            reason = " ".join(str(error).split())[-160:]
            raise PolicyError(
                f"{self._path} {found} cannot take this task's observations, {self._layout} (it says: {reason})"
            ) from None
        if shape != [2, self._layout.num_actions]:
            raise PolicyError(f"{self._path} gives {shape} for two robots, but this task needs {self._layout}")

    def _open_onnx(self) -> tuple[Any, str]:
        try:
            session = open_session(self._path)
        except ManifestError as error:
            raise PolicyError(str(error)) from None
        inputs, outputs = session.get_inputs(), session.get_outputs()
        taken = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in inputs)
        given = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in outputs)
        found = f"({taken} -> {given})"
        if len(inputs) != 1 or len(inputs[0].shape) != 2:
            raise PolicyError(f"{self._path} {found} must have one input, as this task has: {self._layout}")
        rows, width = inputs[0].shape
        if isinstance(width, int) and width != self._layout.width:
            raise PolicyError(f"{self._path} {found} does not fit this task, which needs {self._layout}")
        one_by_one = rows == 1

        def act(batch: torch.Tensor) -> torch.Tensor:
            rows = batch.cpu().numpy()
            chunks = [rows[index : index + 1] for index in range(len(rows))] if one_by_one else [rows]
            return torch.cat([torch.as_tensor(session.run(None, {inputs[0].name: part})[0]) for part in chunks])

        return act, found

    def _open_torchscript(self) -> tuple[Any, str]:
        if zipfile.is_zipfile(self._path) and not _holds_code(self._path):
            raise PolicyError(f"{self._path} is a checkpoint, not a TorchScript file: name it with --checkpoint")
        try:
            module = torch.jit.load(str(self._path), map_location="cpu").eval()
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:160]
            raise PolicyError(f"{self._path} is not a TorchScript file that can be run ({reason})") from None

        def act(batch: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                result = module(batch.cpu())
            if not isinstance(result, torch.Tensor):
                raise PolicyError(f"{self._path} gives {type(result).__name__}, not actions: {self._layout} is needed")
            return result

        return act, "(TorchScript)"


def _holds_code(path: Path) -> bool:
    """Whether a file of torch.save or torch.jit.save is one of the latter."""
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def open_policy(name: str, layout: TaskLayout, seed: int = 0, newest_first: bool = False) -> EnvPolicy:
    """Return the policy called *name*.

    Args:
        name: ``zero``, ``random``, or the path of an ONNX or TorchScript file.
        layout: What it must fit.
        seed: Of the random policy.
        newest_first: Whether a file's policy was trained with the newest frame first.

    Raises:
        PolicyError: If it cannot be opened or does not fit.
    """
    if name in BUILT_IN:
        return BuiltInPolicy(name, layout, seed)
    policy = FilePolicy(Path(name).expanduser(), layout)
    return NewestFirst(policy, layout) if newest_first else policy
