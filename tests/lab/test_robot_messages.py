# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Unitree's messages: layout, checksum and definition against independent ones, and the remote control's bytes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from himloco_lab.deployment.manifest import Command
from himloco_lab.deployment.robot import messages
from himloco_lab.deployment.robot.messages import (
    GO_LOW_CMD,
    GO_LOW_STATE,
    HG_LOW_CMD,
    HG_LOW_STATE,
    TYPE_HASHES,
    WIRELESS_CONTROLLER,
    MessageError,
    Struct,
    crc32,
    idl_class,
    type_hashes,
)
from himloco_lab.deployment.robot.remote import BUTTONS, HEIGHT_STEP, Operator, Remote

# Unitree's C structs as unitree_sdk2_python packs them (utils/crc.py)
FORMATS = {
    HG_LOW_CMD: "<2B2x" + "B3x5fI" * 35 + "5I",
    HG_LOW_STATE: "<2I2B2xI" + "13fh2x" + "B3x4f2hf7I" * 35 + "40B5I",
    GO_LOW_CMD: "<4B4IH2x" + "B3x5f3I" * 20 + "4B" + "55Bx2I",
    GO_LOW_STATE: "<4B4IH2x" + "13fb3x" + "B3x7fb3x3I" * 20 + "4BiH4b15H" + "8hI41B3xf2b2x2f4h2I",
}
WITH_CRC = pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
ALL = pytest.mark.parametrize("kind", [*FORMATS, WIRELESS_CONTROLLER], ids=lambda kind: kind.name)


def _draw(kind: Struct, seed: int = 0) -> np.ndarray:
    """A message of random numbers, all bits of the integers in use."""
    generator = np.random.default_rng(seed)
    message = kind.zeros()
    _fill(message, generator)
    return message


def _fill(record: Any, generator: np.random.Generator) -> None:
    for name in record.dtype.names or ():
        part = record[name]
        if part.dtype.names:
            for one in np.nditer(part, op_flags=[["readwrite"]], flags=["zerosize_ok"]) if part.shape else [part]:
                _fill(one, generator)
        elif part.dtype.kind == "f":
            record[name] = generator.normal(size=part.shape).astype(np.float32)
        else:
            limits = np.iinfo(part.dtype)
            record[name] = generator.integers(limits.min, limits.max, part.shape, part.dtype, endpoint=True)


def _numbers(record: Any) -> list[Any]:
    """All numbers of a message in the order of its definition."""
    if record.dtype.names is None:
        return record.reshape(-1).tolist()
    if record.shape:
        return [number for one in record.reshape(-1) for number in _numbers(one)]
    return [number for name in record.dtype.names for number in _numbers(record[name])]


def _bitwise_crc(words: bytes) -> int:
    """The checksum by its definition, one bit after the other."""
    crc = 0xFFFFFFFF
    for (word,) in struct.iter_unpack("<I", words):
        for bit in range(31, -1, -1):
            top = (crc >> 31) ^ (word >> bit & 1)
            crc = (crc << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if top else 0)
    return crc


@WITH_CRC
def test_the_layout_is_that_of_the_c_struct(kind: Struct) -> None:
    message = _draw(kind)
    # of the same sizes, but without a sign: temperatures, and fans' speeds
    form = FORMATS[kind].replace("b", "B").replace("4h2I", "4H2I")
    assert struct.pack(form, *_numbers(message)) == message.tobytes()
    assert kind.dtype.itemsize == struct.calcsize(FORMATS[kind])


@WITH_CRC
def test_the_checksum_is_that_of_its_definition(kind: Struct) -> None:
    for seed in range(5):
        message = _draw(kind, seed)
        expected = _bitwise_crc(message.tobytes()[:-4])
        assert kind.crc(message) == expected
        assert not kind.is_sound(message)
        message["crc"] = expected
        assert kind.is_sound(message)
        message["motor_cmd" if kind in (HG_LOW_CMD, GO_LOW_CMD) else "motor_state"]["q"][3] += 1.0
        assert not kind.is_sound(message)


def test_checksums_of_short_words() -> None:
    assert crc32(b"") == 0xFFFFFFFF
    for words in (b"\0\0\0\0", b"\1\0\0\0", b"\0\0\0\x80", bytes(range(16))):
        assert crc32(words) == _bitwise_crc(words)


@ALL
def test_a_message_survives_its_bytes(kind: Struct) -> None:
    message = _draw(kind)
    found = kind.from_stream(kind.to_stream(message))
    assert found.tobytes() == message.tobytes()


@ALL
def test_the_bytes_are_those_of_the_dds_library(kind: Struct) -> None:
    """Its own serializer walks the same fields as nested objects."""
    pytest.importorskip("cyclonedds")
    message = _draw(kind)

    class Part:
        def __init__(self, record: Any) -> None:
            for name in record.dtype.names:
                value = record[name]
                if value.dtype.names is None:
                    setattr(self, name, value.tolist())
                else:
                    setattr(self, name, [Part(one) for one in value] if value.shape else Part(value))

    reference = idl_class(kind).__idl__.serialize(Part(message), use_version_2=False)
    stream = kind.to_stream(message)
    assert stream[: len(reference)] == reference
    assert len(stream) - len(reference) < 4


def test_padding_of_a_stream_does_not_reach_the_checksum() -> None:
    """What lies between the numbers of a stream is anybody's; a C struct's is zero."""
    message = _draw(HG_LOW_STATE)
    stream = bytearray(HG_LOW_STATE.to_stream(message))
    clean = bytes(stream)
    unused = 4 + 10  # two octets, then a word: bytes 10 and 11 of the content are padding
    stream[unused] = stream[unused + 1] = 0xAA
    assert bytes(stream) != clean
    assert HG_LOW_STATE.from_stream(bytes(stream)).tobytes() == message.tobytes()


@pytest.mark.parametrize("stream", [b"", b"\0\1\0\0", b"\0\0\0\0" + bytes(3000), b"\0\7\0\0" + bytes(3000)])
def test_other_bytes_are_refused(stream: bytes) -> None:
    with pytest.raises(MessageError, match=r"unitree_hg\.msg\.dds_\.LowState_"):
        HG_LOW_STATE.from_stream(stream)


@pytest.mark.parametrize("kind", [*FORMATS, WIRELESS_CONTROLLER, messages.HG_IMU_STATE], ids=lambda kind: kind.name)
def test_definitions_hash_as_on_the_robot(kind: Struct) -> None:
    """DDS 0.10.2's hashes, from the type information in unitree_sdk2's C++ headers; nothing is sent."""
    pytest.importorskip("cyclonedds")
    assert type_hashes(idl_class(kind)) == TYPE_HASHES[kind.name]


def test_definitions_of_the_services_hash_as_on_the_robot() -> None:
    pytest.importorskip("cyclonedds")
    from himloco_lab.deployment.robot import dds

    for kind in (dds.REQUEST, dds.RESPONSE):
        assert type_hashes(kind) == TYPE_HASHES[kind.__idl_typename__]


def test_another_definition_is_not_announced() -> None:
    """A byte that is a uint8, as unitree_sdk2_python writes it, has another hash: it is refused before any topic."""
    pytest.importorskip("cyclonedds")
    from cyclonedds.idl import make_idl_struct, types

    from himloco_lab.deployment.robot import dds

    fields = {"lx": types.float32, "ly": types.float32, "rx": types.float32, "ry": types.float32, "keys": types.uint32}
    other = make_idl_struct("WirelessController_", WIRELESS_CONTROLLER.name, fields)
    with pytest.raises(dds.LinkError, match="WirelessController_ is defined in another way"):
        dds._topic(None, "rt/wirelesscontroller", other)  # type: ignore[arg-type]


RANGES = Command((-0.8, 1.2), (-0.5, 0.4), (-0.8, 0.6), (0.24, 0.74), (0.0, 0.0, 0.0, 0.74))


def test_the_remotes_bytes() -> None:
    """Bit by bit: start is the third of the first byte, A the first of the second."""
    content = bytearray(40)
    content[2], content[3] = 0b00000100, 0b00000001
    struct.pack_into("<fff", content, 4, 0.1, 0.2, 0.3)
    struct.pack_into("<f", content, 20, 0.4)
    remote = Remote.from_bytes(bytes(content))
    assert remote.buttons == {"start", "A"}
    assert (remote.lx, remote.rx, remote.ry, remote.ly) == pytest.approx((0.1, 0.2, 0.3, 0.4))
    assert remote.to_bytes() == bytes(content)
    for bit, name in enumerate(BUTTONS):
        assert Remote(frozenset({name})).keys == 1 << bit


def test_the_sticks_signs() -> None:
    """Forward is forward; the sticks' right is the robot's negative y and a turn to its right."""
    operator = Operator(RANGES)
    still = [0.0, 0.0, 0.0, 0.74]
    assert operator.command(Remote()).tolist() == still
    assert operator.command(Remote(ly=1.0)).tolist() == [1.2, 0.0, 0.0, 0.74]
    assert operator.command(Remote(ly=-0.5)).tolist() == [-0.4, 0.0, 0.0, 0.74]
    assert operator.command(Remote(lx=1.0)).tolist() == [0.0, -0.5, 0.0, 0.74]
    assert operator.command(Remote(lx=-1.0)).tolist() == [0.0, 0.4, 0.0, 0.74]
    assert operator.command(Remote(rx=1.0)).tolist() == [0.0, 0.0, -0.8, 0.74]
    assert operator.command(Remote(rx=-1.0)).tolist() == [0.0, 0.0, 0.6, 0.74]
    assert operator.command(Remote(ry=1.0)).tolist() == still
    assert operator.command(Remote(ly=0.04)).tolist() == still
    assert operator.command(Remote(ly=float("nan"), lx=float("inf"), rx=7.0)).tolist() == still


def test_height_is_on_buttons_that_count_once_per_press() -> None:
    operator = Operator(RANGES)
    up, down = Remote(frozenset({"up"})), Remote(frozenset({"down"}))
    assert operator.pressed(down) == frozenset()  # held when the program starts
    operator.pressed(up)
    assert operator.height == 0.74  # the upper end
    operator.pressed(down)
    operator.pressed(down)
    assert operator.height == pytest.approx(0.74 - HEIGHT_STEP)
    assert operator.pressed(Remote()) == frozenset()
    assert operator.pressed(down) == {"down"}
    assert operator.height == pytest.approx(0.74 - 2 * HEIGHT_STEP)


def test_emergency_buttons() -> None:
    assert Remote(frozenset({"select"})).is_emergency
    assert Remote(frozenset({"L2", "B"})).is_emergency
    assert not Remote(frozenset({"B"})).is_emergency
    assert not Remote(frozenset({"L2", "A", "start"})).is_emergency
