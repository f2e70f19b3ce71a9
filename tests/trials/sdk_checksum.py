# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Our checksum against the C library of unitree_sdk2_python on random messages: outside CI.

``python tests/trials/sdk_checksum.py CRC_LIBRARY``, where CRC_LIBRARY is ``unitree_sdk2py/utils/lib/crc_amd64.so`` of a
checkout of unitree_sdk2_python (37116c5).
"""

from __future__ import annotations

import ctypes
import sys

import numpy as np

from himloco_lab.deployment.robot.messages import GO_LOW_CMD, GO_LOW_STATE, HG_LOW_CMD, HG_LOW_STATE, crc32

MESSAGES = 100
"""Of each of the four kinds."""


def main(library: str) -> int:
    """Compare and return the exit code."""
    reference = ctypes.CDLL(library).crc32_core
    reference.argtypes = (ctypes.POINTER(ctypes.c_uint32), ctypes.c_uint32)
    reference.restype = ctypes.c_uint32
    generator, equal = np.random.default_rng(0), 0
    for kind in (HG_LOW_CMD, HG_LOW_STATE, GO_LOW_CMD, GO_LOW_STATE):
        words = kind.dtype.itemsize // 4 - 1
        for _ in range(MESSAGES):
            content = generator.integers(0, 2**32, words, np.uint32)
            expected = reference(content.ctypes.data_as(ctypes.POINTER(ctypes.c_uint32)), words)
            equal += crc32(content.tobytes()) == expected
    print(f"{equal} of {4 * MESSAGES} checksums equal")
    return 0 if equal == 4 * MESSAGES else 1


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
