# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whatever lies in a file or means a size: it is read, or refused in one line, and nothing of it is executed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from bundle import part_size
from hypothesis import given
from hypothesis import strategies as st
from properties import cases, complaint_of, values, words

from himloco_lab.runs.checkpoints import recorded_agent

yaml_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=8,
)
records = st.one_of(
    st.binary(max_size=200),
    words.map(str.encode),
    yaml_values.map(lambda value: yaml.safe_dump(value, allow_unicode=True).encode()),
    st.sampled_from(["object/apply:os.system", "name:os.system", "module:os", "object:a.B", "tuple", "x"]).map(
        lambda tag: f"a: !!python/{tag} ['touch executed']".encode()
    ),
    st.text("[]{}:&*!|>-'\"% \n\tab", max_size=60).map(str.encode),
)


@cases(300)
@given(content=records)
def test_any_record_of_a_run_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "params").mkdir(exist_ok=True)
    (tmp_path / "params/agent.yaml").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        found: list[dict[str, Any]] = []
        complaint_of(lambda: found.append(recorded_agent(tmp_path / "model_1.pt")))
    assert all(isinstance(record, dict) for record in found)
    assert not (tmp_path / "executed").exists()


@cases(200)
@given(text=st.one_of(values, st.from_regex(r"[0-9]{1,18}[KMGkmgT]?i?B?", fullmatch=True)))
def test_any_part_size_is_a_number_of_bytes_or_refused(text: str) -> None:
    sizes: list[int] = []
    complaint = complaint_of(lambda: sizes.append(part_size(text)))
    assert (complaint is None) == (len(sizes) == 1)
    digits = re.match(r"\s*([0-9]+)", text)
    for size in sizes:
        assert digits is not None
        assert size >= 4096
        assert size in [int(digits[1]) * 1024**power for power in range(4)]
