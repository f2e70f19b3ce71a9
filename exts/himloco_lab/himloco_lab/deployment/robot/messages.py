# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Unitree's messages as numpy records, with the checksum that the robot wants and the bytes that go over the network.

A message of this protocol has a fixed size, so it is one numpy record in the layout of Unitree's C struct. The checksum
is taken over that layout; the network's layout (CDR) aligns differently, and one list of byte positions leads from the
one to the other. Nothing here needs a DDS library; :func:`idl_class` makes the class that one wants.

The fields are those of the public packages unitree_sdk2 and unitree_sdk2_python (``unitree_hg``: G1, ``unitree_go``:
Go2).
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray


_HEADER = bytes([0, 1, 0, 0])
"""What a stream begins with: little-endian CDR, version 1."""


class MessageError(ValueError):
    """Bytes that are not the message they are taken for."""


@dataclass(frozen=True)
class Struct:
    """Fields of a message, or of a part of one: name, numpy code or another struct, and length of an array."""

    name: str
    """As in the protocol's definition files, such as ``unitree_hg.msg.dds_.LowCmd_``."""

    fields: tuple[tuple[str, str | Struct, int | None], ...]

    @functools.cached_property
    def dtype(self) -> np.dtype:
        """Layout of the C struct."""
        return np.dtype(
            [
                (name, kind.dtype if isinstance(kind, Struct) else kind, () if count is None else (count,))
                for name, kind, count in self.fields
            ],
            align=True,
        )

    @functools.cached_property
    def _places(self) -> tuple[list[tuple[slice, slice]], Array, int]:
        """Stretches of bytes that lie alike in the C struct and in the CDR stream, what masks the padding between a
        struct's numbers, and the stream's length.
        """
        stretches: list[tuple[slice, slice]] = []
        mask = np.zeros(self.dtype.itemsize, np.uint8)
        end = 0
        for offset, size in _leaves(self, 0):
            end += -end % size  # CDR aligns every number to its own size, and nothing else
            mask[offset : offset + size] = 0xFF
            start = (offset, end)
            if stretches and offset - end == stretches[-1][0].start - stretches[-1][1].start:
                start = (stretches[-1][0].start, stretches[-1][1].start)
                stretches.pop()
            stretches.append((slice(start[0], offset + size), slice(start[1], end + size)))
            end += size
        return stretches, mask, end

    def zeros(self) -> Array:
        """Return an empty message, shape ``[]``."""
        return np.zeros((), self.dtype)

    def crc(self, message: Array) -> int:
        """Return the checksum of all words of a message but the last, which holds it."""
        return crc32(message.tobytes()[:-4])

    def is_sound(self, message: Array) -> bool:
        """Whether the checksum in a message is the right one."""
        return int(message["crc"]) == self.crc(message)

    def to_stream(self, message: Array) -> bytes:
        """Return the bytes for the network: little-endian CDR, version 1, with its four bytes of header."""
        stretches, mask, length = self._places
        content = np.zeros(length + -length % 4, np.uint8)
        raw = np.frombuffer(message.tobytes(), np.uint8) & mask
        for in_struct, in_stream in stretches:
            content[in_stream] = raw[in_struct]
        return _HEADER + content.tobytes()

    def from_stream(self, stream: bytes) -> Array:
        """Return the message in bytes from the network, shape ``[]``.

        Raises:
            MessageError: If they are too few, or not little-endian CDR of version 1.
        """
        stretches, mask, length = self._places
        if len(stream) < 4 + length or stream[:2] != _HEADER[:2]:
            raise MessageError(
                f"{len(stream)} bytes with header {stream[:2].hex()} are no {self.name}: {4 + length} and 0001"
            )
        content = np.frombuffer(stream, np.uint8, length, 4)
        raw = np.zeros(self.dtype.itemsize, np.uint8)
        for in_struct, in_stream in stretches:
            raw[in_struct] = content[in_stream]
        return (raw & mask).view(self.dtype)[0:1].reshape(())


def _leaves(struct: Struct, start: int) -> list[tuple[int, int]]:
    """Return offset in the C struct and size of every number [bytes], in the order of the definition."""
    found: list[tuple[int, int]] = []
    for name, kind, count in struct.fields:
        offset = start + struct.dtype.fields[name][1]  # type: ignore[index]
        size = kind.dtype.itemsize if isinstance(kind, Struct) else np.dtype(kind).itemsize
        for index in range(1 if count is None else count):
            at = offset + index * size
            found.extend(_leaves(kind, at) if isinstance(kind, Struct) else [(at, size)])
    return found


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc32(words: bytes) -> int:
    """Return Unitree's checksum of little-endian 32-bit words.

    It is a CRC-32 with polynomial 04C11DB7 that takes the bits of a word from the highest to the lowest, without a
    final inversion: zlib's, which takes them from the lowest to the highest, of the words with their bits reversed.
    """
    mirrored = np.frombuffer(words, np.uint32).byteswap().tobytes().translate(_REVERSED)
    return int(f"{zlib.crc32(mirrored) ^ 0xFFFFFFFF:032b}"[::-1], 2)


# An octet is a byte: cyclonedds 11 announces its uint8 as another type than DDS 0.10.2 does.
_IDL_TYPES = {"u1": "byte", "u2": "uint16", "u4": "uint32", "i2": "int16", "i4": "int32", "f4": "float32"}


@functools.cache
def idl_class(struct: Struct) -> type[Any]:
    """Return the class that cyclonedds makes a topic of, its definition equal to Unitree's to the last hash.

    Its instances hold a numpy record in ``message``; only whole messages can be sent, not their parts.
    """
    from cyclonedds.idl import make_idl_struct, types
    from cyclonedds.idl.annotations import autoid, final

    def idl_type(kind: str | Struct, count: int | None) -> Any:
        one = idl_class(kind) if isinstance(kind, Struct) else getattr(types, _IDL_TYPES[kind])
        return one if count is None else types.array[one, count]

    def serialize(self: Any, *_: Any, **__: Any) -> bytes:
        return struct.to_stream(self.message)

    def deserialize(cls: type[Any], data: bytes, *_: Any, **__: Any) -> Any:
        return wrap(struct, struct.from_stream(bytes(data)))

    fields = {name: idl_type(kind, count) for name, kind, count in struct.fields}
    made: Any = make_idl_struct(struct.name.rpartition(".")[2], struct.name, fields, dataclassify=False)
    made.serialize, made.deserialize = serialize, classmethod(deserialize)
    return final(autoid("sequential")(made))


def wrap(struct: Struct, message: Array) -> Any:
    """Return a message as an instance of the class that cyclonedds sends."""
    sample = idl_class(struct)()
    sample.message = message
    return sample


HG_MOTORS, GO_MOTORS = 35, 20
"""Motor slots of a message, more than any robot has motors."""


def _struct(name: str, *fields: tuple[str, str | Struct] | tuple[str, str | Struct, int]) -> Struct:
    return Struct(name, tuple((field[0], field[1], field[2] if len(field) == 3 else None) for field in fields))


_MOTOR = (("mode", "u1"), ("q", "f4"), ("dq", "f4"))

HG_MOTOR_CMD = _struct(
    "unitree_hg.msg.dds_.MotorCmd_", *_MOTOR, ("tau", "f4"), ("kp", "f4"), ("kd", "f4"), ("reserve", "u4")
)
HG_LOW_CMD = _struct(
    "unitree_hg.msg.dds_.LowCmd_",
    ("mode_pr", "u1"),
    ("mode_machine", "u1"),
    ("motor_cmd", HG_MOTOR_CMD, HG_MOTORS),
    ("reserve", "u4", 4),
    ("crc", "u4"),
)
HG_IMU_STATE = _struct(
    "unitree_hg.msg.dds_.IMUState_",
    ("quaternion", "f4", 4),
    ("gyroscope", "f4", 3),
    ("accelerometer", "f4", 3),
    ("rpy", "f4", 3),
    ("temperature", "i2"),
)
HG_MOTOR_STATE = _struct(
    "unitree_hg.msg.dds_.MotorState_",
    *_MOTOR,
    ("ddq", "f4"),
    ("tau_est", "f4"),
    ("temperature", "i2", 2),
    ("vol", "f4"),
    ("sensor", "u4", 2),
    ("motorstate", "u4"),
    ("reserve", "u4", 4),
)
HG_LOW_STATE = _struct(
    "unitree_hg.msg.dds_.LowState_",
    ("version", "u4", 2),
    ("mode_pr", "u1"),
    ("mode_machine", "u1"),
    ("tick", "u4"),
    ("imu_state", HG_IMU_STATE),
    ("motor_state", HG_MOTOR_STATE, HG_MOTORS),
    ("wireless_remote", "u1", 40),
    ("reserve", "u4", 4),
    ("crc", "u4"),
)

GO_MOTOR_CMD = _struct(
    "unitree_go.msg.dds_.MotorCmd_", *_MOTOR, ("tau", "f4"), ("kp", "f4"), ("kd", "f4"), ("reserve", "u4", 3)
)
_GO_HEAD = (
    ("head", "u1", 2),
    ("level_flag", "u1"),
    ("frame_reserve", "u1"),
    ("sn", "u4", 2),
    ("version", "u4", 2),
    ("bandwidth", "u2"),
)
GO_LOW_CMD = _struct(
    "unitree_go.msg.dds_.LowCmd_",
    *_GO_HEAD,
    ("motor_cmd", GO_MOTOR_CMD, GO_MOTORS),
    ("bms_cmd", _struct("unitree_go.msg.dds_.BmsCmd_", ("off", "u1"), ("reserve", "u1", 3))),
    ("wireless_remote", "u1", 40),
    ("led", "u1", 12),
    ("fan", "u1", 2),
    ("gpio", "u1"),
    ("reserve", "u4"),
    ("crc", "u4"),
)
GO_IMU_STATE = _struct(
    "unitree_go.msg.dds_.IMUState_",
    ("quaternion", "f4", 4),
    ("gyroscope", "f4", 3),
    ("accelerometer", "f4", 3),
    ("rpy", "f4", 3),
    ("temperature", "u1"),
)
GO_MOTOR_STATE = _struct(
    "unitree_go.msg.dds_.MotorState_",
    *_MOTOR,
    ("ddq", "f4"),
    ("tau_est", "f4"),
    ("q_raw", "f4"),
    ("dq_raw", "f4"),
    ("ddq_raw", "f4"),
    ("temperature", "u1"),
    ("lost", "u4"),
    ("reserve", "u4", 2),
)
GO_BMS_STATE = _struct(
    "unitree_go.msg.dds_.BmsState_",
    ("version_high", "u1"),
    ("version_low", "u1"),
    ("status", "u1"),
    ("soc", "u1"),
    ("current", "i4"),
    ("cycle", "u2"),
    ("bq_ntc", "u1", 2),
    ("mcu_ntc", "u1", 2),
    ("cell_vol", "u2", 15),
)
GO_LOW_STATE = _struct(
    "unitree_go.msg.dds_.LowState_",
    *_GO_HEAD,
    ("imu_state", GO_IMU_STATE),
    ("motor_state", GO_MOTOR_STATE, GO_MOTORS),
    ("bms_state", GO_BMS_STATE),
    ("foot_force", "i2", 4),
    ("foot_force_est", "i2", 4),
    ("tick", "u4"),
    ("wireless_remote", "u1", 40),
    ("bit_flag", "u1"),
    ("adc_reel", "f4"),
    ("temperature_ntc1", "u1"),
    ("temperature_ntc2", "u1"),
    ("power_v", "f4"),
    ("power_a", "f4"),
    ("fan_frequency", "u2", 4),
    ("reserve", "u4"),
    ("crc", "u4"),
)
WIRELESS_CONTROLLER = _struct(
    "unitree_go.msg.dds_.WirelessController_",
    ("lx", "f4"),
    ("ly", "f4"),
    ("rx", "f4"),
    ("ry", "f4"),
    ("keys", "u2"),
)

TYPE_HASHES = {
    "unitree_hg.msg.dds_.LowCmd_": ("6569fc15f0d47aa8600b9e91fbbc", "42b0283aa7e1bb592ec898a0dbed"),
    "unitree_hg.msg.dds_.LowState_": ("2f38296b52aa0230b92d378b1e39", "2be9706c9587e8d8afd8bfc6de7b"),
    "unitree_hg.msg.dds_.IMUState_": ("fc687176651206558473df442280", "7d4166754177d86fa27cd25b0403"),
    "unitree_go.msg.dds_.LowCmd_": ("832876ceec9737d69f6ed62a3f63", "52cc8eb0d427d692aa2b20a90540"),
    "unitree_go.msg.dds_.LowState_": ("853a99e23d0daa1610b65c526b40", "08f239c471d3a27e67e7c7723184"),
    "unitree_go.msg.dds_.WirelessController_": ("d8dc69fff5d75961cd0e3fc049cb", "e9686fe76f7b08f92cb24943ac72"),
    "unitree_api.msg.dds_.Request_": ("cba4dc965d393ada76b4de081925", "c47a4429fcbf539486498753c48f"),
    "unitree_api.msg.dds_.Response_": ("48c997d379c3e18c530b5f8fe946", "d1c32cc02214901a464a6c51325d"),
}
"""Hashes of the minimal and the complete type, as DDS 0.10.2 announces them: the type information that Unitree's C++
headers carry (unitree_sdk2, ``include/unitree/idl/*/*.hpp``). A participant that announces another definition under one
of these names can bring older participants down: :mod:`.dds` compares before it opens a topic."""


def type_hashes(idl: type[Any]) -> tuple[str, str]:
    """Return the hashes of the minimal and the complete type that cyclonedds announces for a class, in hex."""
    info = idl.__idl__.get_type_info()
    return tuple(bytes(one.typeid_with_size.type_id.value).hex() for one in (info.minimal, info.complete))  # type: ignore[return-value]
