# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Security: who may connect, what a file may do, and what reaches a shell."""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

import himloco_lab.tasks  # noqa: F401
from himloco_lab.errors import CliError
from himloco_lab.runs.checkpoints import recorded_agent
from himloco_lab.setup.arguments import play_parser
from himloco_lab.setup.machine import bind_viewer_to_loopback

EXECUTING = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "code", "codeop"}
"""Modules whose reading executes what is read."""
SHELLS = {
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "commands.getoutput",
    "pty.spawn",
}
PROGRAMS = {"subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_call", "subprocess.check_output"}


def problems_of(source: str, name: str = "x.py") -> list[str]:
    """Return what in a file's calls and imports may execute data or reach a shell."""
    return [f"{name}:{node.lineno}: {found}" for node, found in _problems(ast.parse(source))]


def _problems(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            for name in names:
                if name.split(".")[0] in EXECUTING:
                    yield node, f"imports {name}"
        elif isinstance(node, ast.Call):
            called, given = ast.unparse(node.func), {word.arg: word.value for word in node.keywords}
            if called in ("eval", "exec", "compile", "__import__") or called in SHELLS:
                yield node, f"calls {called}"
            elif called.endswith("torch.load") and not _is(given.get("weights_only"), True):
                yield node, "torch.load without weights_only=True"
            elif re.fullmatch(r"(np|numpy)\.load", called) and not _is(
                given.get("allow_pickle", ast.Constant(False)), False
            ):
                yield node, "numpy.load with allow_pickle"
            elif re.fullmatch(r"yaml\.(unsafe|full)_load(_all)?", called):
                yield node, f"calls {called}"
            elif called in ("yaml.load", "yaml.load_all"):
                loaders = [ast.unparse(argument) for argument in [*node.args[1:], *given.values()]]
                if loaders not in (["_PlainLoader"], ["yaml.SafeLoader"]):
                    yield node, f"yaml.load with {loaders}"
            elif called in PROGRAMS and ("shell" in given or isinstance(node.args[0], ast.Constant | ast.JoinedStr)):
                yield node, f"{called} through a shell, or of a string"


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_nothing_deserializes_code_or_builds_a_shell_string(repository: Path) -> None:
    found, files = [], 0
    for folder in ("exts", "source", "scripts", "tools", "docker"):
        for path in (repository / folder).rglob("*.py"):
            files += 1
            found += problems_of(path.read_text(), str(path.relative_to(repository)))
    assert files > 100
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from marshal import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "yaml.load(text, yaml.Loader)",
        "yaml.unsafe_load(text)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "os.system(f'git {name}')",
        "subprocess.run(f'git {name}', shell=True)",
        "subprocess.Popen('ls')",
    ],
)
def test_what_it_looks_for_is_found(source: str) -> None:
    assert len(problems_of(source)) == 1


def test_what_is_safe_is_not_found() -> None:
    assert problems_of("torch.load(p, weights_only=True); yaml.safe_load(t); subprocess.run(['git', name])") == []


def test_shell_scripts_do_not_evaluate_text(repository: Path) -> None:
    scripts = [
        repository / "himloco.sh",
        *(repository / "docker").rglob("*.sh"),
        *repository.rglob("docker/**/*.slurm"),
    ]
    assert len(scripts) >= 6
    for path in scripts:
        code = re.sub(r"(^|\s)#.*", "", path.read_text())
        assert not re.search(r"(^|[;&|]\s*|\s)(eval|bash -c|sh -c|source /dev/stdin)\s", code), path


def test_viewers_listen_on_loopback_unless_told_otherwise() -> None:
    from himloco_lab.playing.viewer_cfg import PlayViewerCfg

    assert play_parser().parse_args([]).bind_address == "127.0.0.1"
    assert PlayViewerCfg().bind_address == "127.0.0.1"


@pytest.mark.parametrize("asked", [["viser"], ["newton_gl", "viser"]])
def test_the_viewer_of_every_other_command_does_so_too(asked: list[str]) -> None:
    cfg: Any = load_cfg_from_registry("Himloco-G1-Flat-v0", "env_cfg_entry_point")
    args = argparse.Namespace(visualizer=asked, headless=True, device="cpu")
    bind_viewer_to_loopback(cfg, args)
    (viewer,) = cfg.sim.visualizer_cfgs
    assert viewer.bind_address == "127.0.0.1"
    viewer.bind_address = "0.0.0.0"  # a task may say so
    bind_viewer_to_loopback(cfg, args)
    assert cfg.sim.visualizer_cfgs == [viewer]


def test_no_viewer_is_added_that_nobody_asked_for() -> None:
    cfg: Any = load_cfg_from_registry("Himloco-G1-Flat-v0", "env_cfg_entry_point")
    bind_viewer_to_loopback(cfg, argparse.Namespace(visualizer=None))
    assert not cfg.sim.visualizer_cfgs


def test_every_command_that_opens_a_simulation_binds_its_viewer_to_loopback(repository: Path) -> None:
    opened = 0
    for path in (repository / "exts/himloco_lab/himloco_lab/commands").glob("*.py"):
        if "with launch_simulation(" in path.read_text():
            opened += 1
            assert "check_launch(env_cfg, args)" in path.read_text(), path.name
    assert opened >= 6


def test_tensorboard_listens_on_loopback_unless_told_otherwise(tmp_path: Path) -> None:
    from tensorboard import program
    from tensorboard.plugins.core.core_plugin import CorePluginLoader

    board = program.TensorBoard(plugins=[CorePluginLoader()])
    board.configure(argv=["tensorboard", "--logdir", str(tmp_path), "--port", "0"])
    server = board._make_server()
    try:
        assert server.server_address[0] in ("127.0.0.1", "::1")
    finally:
        server.server_close()


# --- what stands beside a checkpoint ---


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return where a checkpoint would be, in a run folder."""
    (tmp_path / "params").mkdir()
    return tmp_path / "model_1.pt"


@pytest.mark.parametrize("tag", ["object/apply:pathlib.Path.touch", "object/apply:os.system", "name:os.system"])
def test_a_record_that_wants_to_execute_is_refused(checkpoint: Path, tag: str) -> None:
    marker = checkpoint.parent / "executed"
    (checkpoint.parent / "params/agent.yaml").write_text(f"actor: !!python/{tag} ['{marker}']\n")
    with pytest.raises(CliError, match=r"agent\.yaml"):
        recorded_agent(checkpoint)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["him_evil:Actor", "him_evil.Actor", "himloco_labs.x:Actor", "os:system"])
@pytest.mark.parametrize("where", ["actor", "symmetry"])
def test_a_record_that_names_foreign_code_is_refused(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, name: str, where: str
) -> None:
    (checkpoint.parent / "him_evil.py").write_text("import pathlib; pathlib.Path(__file__).with_name('x').touch()")
    monkeypatch.syspath_prepend(str(checkpoint.parent))
    symmetric = {"algorithm": {"list": [{"data_augmentation_func": name}]}}
    record = {"actor": {"class_name": name}} if where == "actor" else symmetric
    (checkpoint.parent / "params/agent.yaml").write_text(yaml.safe_dump(record))
    with pytest.raises(CliError, match=re.escape(name)):
        recorded_agent(checkpoint)
    assert "him_evil" not in sys.modules
    assert not (checkpoint.parent / "x").exists()


def test_a_record_that_holds_itself_is_read(checkpoint: Path) -> None:
    (checkpoint.parent / "params/agent.yaml").write_text("a: &x {b: *x, c: [1]}\nd: &y [*y, *x]\n")
    assert set(recorded_agent(checkpoint)) == {"a", "d"}


def test_a_record_of_our_own_is_read(checkpoint: Path) -> None:
    record = {
        "class_name": "OnPolicyRunner",
        "actor": {"class_name": "himloco_rl.models:HIMActor", "hidden_dims": [512, 256]},
        "algorithm": {"class_name": "himloco_rl.algorithms:HIMPPO", "symmetry_cfg": {"data_augmentation_func": None}},
    }
    (checkpoint.parent / "params/agent.yaml").write_text(yaml.safe_dump(record))
    assert recorded_agent(checkpoint) == record


@pytest.mark.parametrize("module", ["ablations.learners", "himloco_lab.benchmarks.ablations.history_actor"])
def test_a_record_of_an_ablation_is_read_with_tools_on_the_path(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    record = {"actor": {"class_name": f"{module}:HistoryActor"}}
    (checkpoint.parent / "params/agent.yaml").write_text(yaml.safe_dump(record))
    assert recorded_agent(checkpoint) == {"actor": {"class_name": "ablations.learners:HistoryActor"}}
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not path.endswith("tools")])
    monkeypatch.delitem(sys.modules, "ablations", raising=False)
    with pytest.raises(CliError, match=r"'ablations.learners:HistoryActor'.*PYTHONPATH=tools"):
        recorded_agent(checkpoint)
