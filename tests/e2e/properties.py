# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the property-based tests share: how many cases, what a complaint must be, and what people type."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from himloco_lab.errors import CliError

_MORE = float(os.environ.get("HIMLOCO_CASES", "1"))


def cases(number: int) -> Callable[[Any], Any]:
    """Try *number* cases, or what HIMLOCO_CASES makes of it; the same ones every time."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]
    return settings(
        max_examples=max(int(number * _MORE), 1), deadline=None, derandomize=_MORE == 1, suppress_health_check=checks
    )


def complaint_of(function: Callable[[], Any]) -> str | None:
    """Call it; return None if it understood, or its complaint, which must be one line that says something."""
    ended: SystemExit | None = None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            function()
        except SystemExit as error:
            ended = error
    if isinstance(ended, CliError):
        complaint = str(ended)
        assert complaint.strip(), "an empty complaint"
        assert "\n" not in complaint
        assert ended.code in (1, 2)
        assert not errors.getvalue(), "a usage of thirty lines before it"
        return complaint
    assert ended is None or not ended.code, f"ended with {ended.code} and without a word"  # 0 is --help's
    return None


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-3, 5000).map(str),
    st.floats(allow_nan=True, allow_infinity=True).map(str),
    st.sampled_from(["", " ", "1e3", "0x10", "1_000", "٣", "²", "+7", "--", "-0", "nan", "inf", "-1"]),
)
_KNOWN = ["cpu", "cuda:0", "Himloco-G1-Flat-v0", "latest", "../..", "a/b", "\0", "\n", "~"]
values = st.one_of(numbers, words, st.sampled_from(_KNOWN))
