# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whatever becomes of a checkpoint file: it is the same, or it is refused by its name, and nothing in it is executed.

What it holds may be anything: test_resume_properties.py.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import cases, words

from himloco_rl.checkpoints import CheckpointError, read_checkpoint

CONTENTS: dict[str, Any] = {
    "actor_state_dict": {"mlp.0.weight": torch.arange(6.0).reshape(2, 3), "mlp.0.bias": torch.ones(2)},
    "critic_state_dict": {"mlp.0.weight": torch.full((1, 3), -2.0)},
    "iter": 7,
    "infos": None,
    "random_state": {"torch": torch.arange(40, dtype=torch.uint8), "python": (3, [1, 2], None)},
}
"""A checkpoint in small: a byte in it is hit sooner."""


@pytest.fixture(scope="module")
def whole() -> bytes:
    """The file as it is written."""
    file = io.BytesIO()
    torch.save(CONTENTS, file)
    return file.getvalue()


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What would be there if anything of a file were executed; importing the module him_evil makes it, too."""
    (tmp_path / "him_evil.py").write_text("import pathlib; pathlib.Path(__file__).with_name('executed').touch()")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "executed"


def outcome_of(path: Path) -> dict[str, Any] | None:
    """Read the file; None if it is refused, which must be in one line with its name."""
    try:
        return read_checkpoint(path)
    except CheckpointError as error:
        complaint = str(error)
    assert path.name in complaint and "\n" not in complaint
    assert len(complaint) < 400 + len(str(path))
    return None


def equal(one: Any, other: Any) -> bool:
    """Whether nested values are the same bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """What may happen to the bytes of a file."""
    kind = draw(st.sampled_from(["flip", "cut", "zero", "insert", "swap", "append", "repeat"]))
    places = draw(st.lists(st.floats(0.0, 1.0, exclude_max=True), min_size=2, max_size=2))
    some, bits = draw(st.binary(min_size=1, max_size=40)), draw(st.lists(st.integers(0, 7), min_size=1, max_size=4))

    def damage(data: bytes) -> bytes:
        here, there = sorted(int(place * len(data)) for place in places)
        if kind == "flip":
            changed = bytearray(data)
            for step, bit in enumerate(bits):
                changed[(here + 13 * step) % len(data)] ^= 1 << bit
            return bytes(changed)
        return {
            "cut": data[:here],
            "zero": data[:here] + bytes(there - here) + data[there:],
            "insert": data[:here] + some + data[here:],
            "swap": data[there:] + data[here:there] + data[:here],
            "append": data + some,
            "repeat": data + data[here:],
        }[kind]

    return damage


@cases(300)
@given(damage=damages())
def test_a_damaged_file_is_refused_or_the_same(tmp_path: Path, whole: bytes, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "model_7.pt"
    path.write_bytes(damage(whole))
    found = outcome_of(path)
    assert found is None or equal(found, CONTENTS)


# --- what wants to execute ---

WANTED = [
    *["os system", "posix system", "subprocess call", "subprocess Popen", "builtins exec", "builtins eval"],
    *["builtins __import__", "importlib import_module", "pathlib Path", "_io open", "io open", "shutil rmtree"],
    *["torch load", "torch.storage _load_from_bytes", "torch.hub load", "torch.jit load", "functools partial"],
    *["him_evil anything", "him_evil sub.thing", "__main__ x", "numpy load", "runpy run_path", "code interact"],
    *["torch._utils _rebuild_tensor_v2", "torch FloatStorage", "collections OrderedDict", "torch Size", "torch device"],
]
"""Modules and names: some harmful, some that tensors are made of, with arguments that are not theirs."""


@st.composite
def pickles(draw: st.DrawFn) -> bytes:
    """Instructions for a pickle reader: import a name, and call, build or subclass it with the mark's path."""
    name = draw(st.sampled_from(WANTED) | st.from_regex(r"[a-z_.]{1,12} [a-zA-Z_.]{1,12}", fullmatch=True))
    module, _, attribute = name.partition(" ")
    words_of = draw(st.sampled_from(["touch executed", "open('executed', 'w')", "executed", "him_evil", "{}"]))
    text = b"X" + len(words_of).to_bytes(4, "little") + words_of.encode()
    by_name = b"c" + f"{module}\n{attribute}\n".encode()
    if draw(st.booleans()):  # the way of protocol 4
        by_name = b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, attribute)) + b"\x93"
    called = draw(
        st.sampled_from(
            [
                by_name + b"(" + text + b"tR",
                by_name + b")R",
                by_name + b"(" + text + b"t\x81",
                by_name + b")\x81}" + text + b"K\x01sb",
                b"(" + text + b"i" + f"{module}\n{attribute}\n".encode(),
                by_name + b"(" + text + b"\x92",
                by_name,
                text + b"Q",
                b"(" + text + by_name + b"o",
            ]
        )
    )
    inside = b"}" + b"X\x04\0\0\0iter" + called + b"s" if draw(st.booleans()) else called
    return b"\x80" + bytes([draw(st.integers(2, 5))]) + inside + b"."


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@cases(300)
@given(code=pickles(), shape=st.sampled_from(["zip", "tampered", "raw", "legacy"]))
def test_what_wants_to_execute_does_not(tmp_path: Path, mark: Path, whole: bytes, code: bytes, shape: str) -> None:
    path = tmp_path / "model_7.pt"
    if shape == "raw":
        path.write_bytes(code)
    elif shape == "legacy":  # PyTorch's files before 1.6: pickles one after the other
        magic = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
        path.write_bytes(b"".join(magic) + code + pickle.dumps([], 2))
    else:
        _rewrite(path, whole, {"data.pkl": code}, only=shape == "zip")
    found = outcome_of(path)
    assert not mark.exists()
    assert found is None or shape in ("zip", "tampered")


def _rewrite(path: Path, whole: bytes, changed: dict[str, bytes], only: bool = False) -> None:
    """Rewrite the archive with other parts, whose checksums are right; *only* leaves the tensors out."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive, zipfile.ZipFile(path, "w") as made:
        for info in archive.infolist():
            folder, _, name = info.filename.partition("/")
            if not (only and name.startswith("data/")):
                made.writestr(f"{folder}/{name}", changed.get(name, archive.read(info)))


# --- archives that somebody has put together ---


@st.composite
def archives(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """The parts of an archive, some of them missing, doubled, renamed, exchanged, compressed or of another length."""
    kinds = ["missing", "doubled", "renamed", "exchanged", "compressed", "longer", "shorter", "added"]
    kind, index = draw(st.sampled_from(kinds)), draw(st.integers(0, 20))
    name = draw(words | st.sampled_from(["../up", "/etc/x", "archive/data.pkl", "archive/data/0", "a/constants.pkl"]))
    some, bomb = draw(st.binary(max_size=60)), draw(st.booleans())

    def tamper(data: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [(info.filename, archive.read(info)) for info in archive.infolist()]
        here, there = index % len(parts), (index + 1) % len(parts)
        (old, content), how = parts[here], zipfile.ZIP_STORED
        if kind == "missing":
            del parts[here]
        elif kind == "doubled":
            parts.append((old, some))
        elif kind == "renamed":
            parts[here] = (name, content)
        elif kind == "exchanged":
            parts[here], parts[there] = (old, parts[there][1]), (parts[there][0], content)
        elif kind == "compressed":
            parts[here], how = (old, bytes(10**7) if bomb else content), zipfile.ZIP_DEFLATED
        elif kind == "added":
            parts.append((name, some))
        else:
            parts[here] = (old, content + some if kind == "longer" else content[: len(content) // 2])
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", how) as made:
            for part, content in parts:
                made.writestr(part or "x", content)
        return file.getvalue()

    return tamper


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@cases(300)
@given(tamper=archives())
def test_an_archive_that_was_tampered_with_is_read_or_refused(
    tmp_path: Path, mark: Path, whole: bytes, tamper: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "model_7.pt"
    path.write_bytes(tamper(whole))
    found = outcome_of(path)
    assert not mark.exists() and not (tmp_path.parent / "up").exists()
    assert found is None or (found.keys() == CONTENTS.keys() and found["iter"] == 7)
