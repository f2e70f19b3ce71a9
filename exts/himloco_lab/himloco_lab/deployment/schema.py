# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Dictionaries in, dataclasses out, with the path of whatever is wrong."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any


class ManifestError(ValueError):
    """A manifest, or the policy beside it, that cannot be used: names the culprit and the remedy."""


def build[T](cls: type[T], content: Any, path: str) -> T:
    """Return a dataclass filled from a mapping, its fields checked against their annotations.

    Args:
        cls: The dataclass.
        content: The mapping.
        path: Where the mapping lies, for messages; empty at the top.

    Raises:
        ManifestError: If a key is missing or unknown or a value is of the wrong kind.
    """
    if not isinstance(content, Mapping):
        raise ManifestError(f"{path}: must be a mapping, is {content!r}")
    hints = typing.get_type_hints(cls)
    fields = {item.name: item for item in dataclasses.fields(typing.cast(Any, cls))}
    prefix = f"{path}." if path else ""
    unknown = [str(key) for key in content if key not in fields]
    if unknown:
        raise ManifestError(f"{prefix}{unknown[0]}: unknown key; there is {', '.join(fields)}")
    values = {}
    for name, item in fields.items():
        if name in content:
            values[name] = _convert(hints[name], content[name], prefix + name)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise ManifestError(f"{prefix}{name}: missing; export the policy again")
    return cls(**values)


def _convert(kind: Any, value: Any, path: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _convert_union(arguments, value, path)
    if origin is tuple:
        return _convert_tuple(arguments, value, path)
    if dataclasses.is_dataclass(kind):
        return build(typing.cast(type, kind), value, path)
    if origin is not None:  # a mapping of free form
        if not isinstance(value, Mapping):
            raise ManifestError(f"{path}: must be a mapping, is {value!r}")
        return dict(value)
    return _convert_scalar(kind, value, path)


def _convert_union(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    wants_list = isinstance(value, (list, tuple))
    fitting = [kind for kind in kinds if kind is not type(None) and (typing.get_origin(kind) is tuple) == wants_list]
    if not fitting:
        raise ManifestError(f"{path}: {value!r} is {'a list' if wants_list else 'no list'}, which it must not be")
    return _convert(fitting[0], value, path)


def _convert_tuple(kinds: tuple[Any, ...], value: Any, path: str) -> tuple:
    if not isinstance(value, (list, tuple)):
        raise ManifestError(f"{path}: must be a list, is {value!r}")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        raise ManifestError(f"{path}: must have {len(kinds)} entries, has {len(value)}")
    return tuple(_convert(kind, item, f"{path}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True)))


def _convert_scalar(kind: Any, value: Any, path: str) -> Any:
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ManifestError(f"{path}: must be a finite number, is {value!r}")
        return float(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return value
    raise ManifestError(f"{path}: must be a {kind.__name__}, is {value!r}")
