# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""tools/ablate.py: its words, what it refuses, and that two of it do not share a folder."""

from __future__ import annotations

from pathlib import Path

import ablate
import pytest
from ablations.campaign import Campaign
from ablations.training import commit_of, only_campaign
from ablations.variants import VARIANTS

import himloco_lab.tasks  # noqa: F401  # registers them
from himloco_lab.errors import CliError

from .test_ablations import FLAT


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args, planned = ablate.parse(
        ["--variants", "him", "reference", "env.decimation=2", "--seeds", "3", "physics=physx"]
    )
    assert planned == Campaign(
        ("him", "reference"), (3,), 1_500_000, 256, FLAT, "cpu", "grow", ("env.decimation=2", "physics=physx")
    )
    assert (args.out, args.logs, args.report) == (Path("docs"), Path("logs/ablations"), False)
    first = ablate.plan_runs(planned)[0]
    assert (first.samples_per_iteration, first.iterations) == (256 * 16, 367)  # 1,500,000 / 4096 is 366.2
    assert ablate.main(["--list", "--seeds", "1", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(VARIANTS) and all(line.startswith("to do ") for line in lines)


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--variants", "no_swop"], "unknown variant 'no_swop': did you mean no_swap"),
        (["--seeds", "-1"], "--seeds -1: must be at least 0"),
        (["--samples", "0"], "--samples 0: must be at least 1"),
        (["--num_envs", "none"], "--num_envs"),
        (["--task", "Himloco-G1-Flt-v0"], "did you mean Himloco-G1-Flat-v0"),
        (["--disturbances", "some"], "--disturbances"),
        (["--list", "agent.algoritm.gamma=0.9"], "unknown key 'agent.algoritm.gamma'"),
        (["--report", "--out", "nowhere"], "no finished run yet"),
        (["--report", "more"], "more"),
    ],
)
def test_bad_input(argv: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ablate.main(argv) != 0
    complaint = capsys.readouterr().err
    assert complaint.startswith("error: ") and complaint.count("\n") == 1
    assert named in complaint


def test_two_campaigns_do_not_share_their_logs(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    with only_campaign(logs), pytest.raises(CliError, match="another campaign is at work"), only_campaign(logs):
        pytest.fail("the folder was given twice")
    with only_campaign(logs):
        pass


def test_the_commit_is_noted(repository: Path, tmp_path: Path) -> None:
    assert commit_of(tmp_path) == "unknown"
    if (repository / ".git").exists():
        assert len(commit_of(repository).removesuffix("+")) == 10
