# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policies that act in an environment of Isaac Lab, whatever trained and saved them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
_Act = Callable[[torch.Tensor], torch.Tensor]  # a network: inputs, shape [N, W] -> raw actions, shape [N, A]


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
    """Return the layout of a task from one of its observations (group -> ``[N, W]``); *groups* are the actor's."""
    widths = tuple(int(observations[group].shape[-1]) for group in groups)
    return TaskLayout(tuple(groups), widths, num_actions, frames)


def open_policy(name: str, layout: TaskLayout, seed: int = 0, newest_first: bool = False) -> EnvPolicy:
    """Return the policy called *name*.

    Args:
        name: ``zero``, ``random``, or the path of an ONNX or TorchScript file.
        layout: What it must fit.
        seed: Of the random policy.
        newest_first: Whether a file's policy was trained with the newest frame first, as HIMLoco's are.

    Raises:
        PolicyError: If it cannot be opened, cannot be run, or does not fit.
    """
    if name in BUILT_IN:
        return _built_in(name, layout, seed)
    act = _open_file(Path(name).expanduser(), layout)

    def policy(observations: TensorDict) -> torch.Tensor:
        groups = [observations[group] for group in layout.groups]
        if newest_first:
            groups[0] = groups[0].unflatten(-1, (layout.frames, -1)).flip(-2).flatten(-2)
        return act(torch.cat(groups, dim=-1).float()).to(groups[0].device)

    return policy


def _built_in(name: str, layout: TaskLayout, seed: int) -> EnvPolicy:
    """Return a policy that asks for the default pose, or draws actions as an untrained policy does (variance 1)."""
    generator = torch.Generator().manual_seed(seed)  # its own: the environment's numbers stay what they are without it

    def policy(observations: TensorDict) -> torch.Tensor:
        first = observations[layout.groups[0]]
        shape = (first.shape[0], layout.num_actions)
        actions = torch.zeros(shape) if name == "zero" else torch.randn(shape, generator=generator)
        return actions.to(first.device)

    return policy


def _open_file(path: Path, layout: TaskLayout) -> _Act:
    """Open a network, ONNX or TorchScript, and compare what it gives for a batch of two with the task's layout."""
    if not path.is_file():
        raise PolicyError(f"there is no file {path}: name an exported policy.onnx or policy.pt, or zero or random")
    if path.suffix == ".onnx":
        act, found = _open_onnx(path, layout)
    elif path.suffix in (".pt", ".jit", ".torchscript"):
        act, found = _open_torchscript(path, layout), "(TorchScript)"
    else:
        raise PolicyError(f"{path.name} ends neither in .onnx nor in .pt (TorchScript): scripts/export.py makes both")
    try:
        shape = list(act(torch.zeros(2, layout.width)).shape)
    except PolicyError:
        raise
    except Exception as error:  # TorchScript and ONNX Runtime have no common error
        reason = " ".join(str(error).split())[-160:]
        raise PolicyError(
            f"{path} {found} cannot take this task's observations, {layout} (it says: {reason})"
        ) from None
    if shape != [2, layout.num_actions]:
        raise PolicyError(f"{path} gives {shape} for two robots, but this task needs {layout}")
    return act


def _open_onnx(path: Path, layout: TaskLayout) -> tuple[_Act, str]:
    """Return what runs the file, and a description of its inputs and outputs."""
    try:
        session = open_session(path)
    except ManifestError as error:
        raise PolicyError(str(error)) from None
    inputs = session.get_inputs()
    taken, given = (
        ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in tensors)
        for tensors in (inputs, session.get_outputs())
    )
    found = f"({taken} -> {given})"
    if len(inputs) != 1 or len(inputs[0].shape) != 2:
        raise PolicyError(f"{path} {found} must have one input, as this task has: {layout}")
    rows, width = inputs[0].shape
    if isinstance(width, int) and width != layout.width:
        raise PolicyError(f"{path} {found} does not fit this task, which needs {layout}")

    def act(batch: torch.Tensor) -> torch.Tensor:
        parts = batch.cpu().split(1 if rows == 1 else len(batch))
        return torch.cat([torch.as_tensor(session.run(None, {inputs[0].name: part.numpy()})[0]) for part in parts])

    return act, found


def _open_torchscript(path: Path, layout: TaskLayout) -> _Act:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if not any(
                "/code/" in name for name in archive.namelist()
            ):  # torch.jit.save writes it, torch.save does not
                raise PolicyError(f"{path} is a checkpoint, not a TorchScript file: name it with --checkpoint")
    try:
        module = torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise PolicyError(f"{path} is not a TorchScript file that can be run ({reason})") from None

    @torch.no_grad()
    def act(batch: torch.Tensor) -> torch.Tensor:
        result = module(batch.cpu())
        if not isinstance(result, torch.Tensor):
            raise PolicyError(f"{path} gives {type(result).__name__}, not actions: {layout} is needed")
        return result

    return act
