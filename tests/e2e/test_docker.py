# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The images, services and jobs: linted, compared with their schemas, and what they promise."""

from __future__ import annotations

import fnmatch
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dockerfile_parse import DockerfileParser

DOCKERFILES = ("docker/Dockerfile", "docker/Dockerfile.isaacsim")
COMPOSE = ("docker/compose.yaml", "docker/compose.cuda.yaml")
KUBERNETES = ("docker/cluster/kubernetes/train.yaml", "docker/cluster/kubernetes/volumes.yaml")


def tool(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment."""
    program = Path(sysconfig.get_path("scripts")) / command[0]
    return subprocess.run([program, *command[1:]], capture_output=True, text=True)


def instructions(repository: Path, name: str) -> list[dict[str, Any]]:
    """Return a Dockerfile's instructions, continued lines joined."""
    file: Any = (repository / name).open("rb")  # which it closes
    return [dict(one) for one in DockerfileParser(fileobj=file).structure]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_has_nothing_to_say(repository: Path, name: str) -> None:
    done = tool("hadolint", "--no-color", repository / name)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_images_are_pinned_watched_and_not_root(repository: Path, name: str) -> None:
    found = instructions(repository, name)
    arguments = {
        line["value"].partition("=")[0]: line["value"].partition("=")[2]
        for line in found
        if line["instruction"] == "ARG"
    }
    stages: dict[str, list[dict[str, Any]]] = {}
    bases = {}
    for line in found:
        if line["instruction"] == "FROM":
            base, _, stage = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], line["value"]).partition(" AS ")
            stages[stage], bases[stage] = list(stages.get(base, [])), base
            if base not in stages and base != "scratch":
                assert re.search(r":\d+(\.\d+){2}[^:@]*(@sha256:[0-9a-f]{64})?$", base), f"{base} is no exact version"
        elif stages:
            stages[list(stages)[-1]].append(line)
    finished = set(stages) - set(bases.values()) - {"wheels"}
    assert finished == ({"cpu", "cuda"} if name == "docker/Dockerfile" else {""})
    for stage in finished:
        last = {line["instruction"]: line["value"] for line in stages[stage]}
        user = re.sub(r"\$\{?(\w+)\}?", lambda match: arguments[match[1]], last["USER"])
        assert all(int(part) > 0 for part in user.split(":")), "a number, which Kubernetes can tell from root's"
        assert "healthy.py" in last["HEALTHCHECK"]
        assert json.loads(last["ENTRYPOINT"])[0] == "/usr/bin/tini"
        assert json.loads(last["CMD"])[-1] == "scripts/list_envs.py"


@pytest.mark.parametrize("name", DOCKERFILES)
def test_every_cache_belongs_to_the_user_of_its_step(repository: Path, name: str) -> None:
    user, mounts = "", 0
    for line in instructions(repository, name):
        if line["instruction"] == "USER":
            user = line["value"]
        for mount in re.findall(r"--mount=(\S*type=cache\S*)", line["value"]) if line["instruction"] == "RUN" else []:
            options = dict(part.split("=", 1) for part in mount.split(","))
            mounts += 1
            assert f"{options.get('uid')}:{options.get('gid')}" == user, f"{mount}: a cache is root's unless told"
            assert "mode" not in options, "says nothing about the folders in the cache"
    assert mounts


def test_what_the_cpu_image_leaves_out_is_locked_and_not_imported_here(repository: Path) -> None:
    lines = (repository / "docker/cpu_excludes.txt").read_text().splitlines()
    excluded = [line for line in lines if not line.startswith("#")]
    locked = re.findall(r"^([a-z0-9-]+)==", (repository / "requirements.lock").read_text(), re.MULTILINE)
    assert set(excluded) <= set(locked)
    listed = subprocess.run(["git", "-C", repository, "ls-files"], capture_output=True, text=True).stdout.split()
    imported = {
        word
        for path in listed
        if path.endswith(".py") and not path.startswith("tests/")
        for word in re.findall(r"^\s*(?:import|from) (\w+)", (repository / path).read_text(), re.MULTILINE)
    }
    assert {"torch", "numpy"} <= imported
    assert not imported & {name.replace("-", "_") for name in excluded}


@pytest.fixture(scope="module")
def slim(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the packages of an environment with torch alone, after docker/slim_cpu.sh."""
    if not shutil.which("ld") or not sys.platform.startswith("linux"):
        pytest.skip("no binutils here")
    import torch  # where it lies

    venv = tmp_path_factory.mktemp("slim") / "venv"
    packages, here = venv / "lib/python3.12/site-packages", Path(torch.__file__).parents[1]
    if not (here / "torch/lib/libtorch_cuda.so").exists():
        pytest.skip("torch is built without CUDA here")
    needed = ("libcudart", "libcupti", "libcufile")
    for path in sorted(here.glob("torch/**/*")) + sorted(here.glob("nvidia/cu13/lib/*")):
        if path.is_dir() or path.suffix == ".pyc" or (path.parts[-4] == "nvidia" and not path.name.startswith(needed)):
            continue
        link = packages / path.relative_to(here)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    (venv / "bin").mkdir()
    (venv / "bin/python").symlink_to("/bin/true")  # pip, which has nothing to remove
    done = subprocess.run([repository / "docker/slim_cpu.sh", venv], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return packages


def test_torch_computes_without_the_libraries_of_cuda(slim: Path) -> None:
    assert (slim / "torch/lib/libtorch_cuda.so").stat().st_size < 200_000
    assert not (slim / "nvidia/cu13/lib/libcublas.so.13").exists()
    program = """if True:
        import sys, torch, torch.distributed
        assert torch.__file__.startswith(sys.argv[1]), torch.__file__
        assert not torch.cuda.is_available() and torch.distributed.is_gloo_available()
        layer = torch.nn.Linear(3, 2)
        layer(torch.ones(4, 3)).sum().backward()
        print(layer.weight.grad.sum().item())
        try:
            torch.zeros(1, device="cuda")
        except RuntimeError as error:
            print("no CUDA" if "CUDA" in str(error) else error)
    """
    here = Path(sysconfig.get_path("purelib"))
    environment = {**os.environ, "PYTHONPATH": f"{slim}:{here}"}
    done = subprocess.run([sys.executable, "-S", "-c", program, slim], env=environment, capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["24.0", "no CUDA"], done.stderr


def test_every_copied_path_exists_and_is_in_the_context(repository: Path) -> None:
    ignored = [
        line.strip()
        for line in (repository / ".dockerignore").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    tracked = subprocess.run(["git", "-C", repository, "ls-files"], capture_output=True, text=True).stdout.split("\n")
    needed = [path for path in tracked if path and path != "docker/cluster/cluster.env"]
    for path in needed:
        parts = path.split("/")
        hit = [
            pattern
            for pattern in ignored
            for part in (parts if pattern.startswith("**/") else parts[:1])  # without it, at the top only
            if fnmatch.fnmatch(part, pattern.removeprefix("**/"))
        ]
        assert not hit, f"{path} is needed and ignored by {hit}"
    for line in instructions(repository, "docker/Dockerfile"):
        if line["instruction"] == "COPY" and "--from" not in line["value"]:
            for source in [word for word in line["value"].split() if not word.startswith("--")][:-1]:
                assert (repository / source).exists(), source


@pytest.mark.parametrize("names", [COMPOSE[:1], COMPOSE[1:]])
def test_compose_files_follow_the_compose_specification(repository: Path, names: tuple[str, ...]) -> None:
    done = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", *(repository / name for name in names))
    assert done.returncode == 0, done.stdout


def test_a_wrong_compose_file_would_be_seen(repository: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((repository / COMPOSE[0]).read_text().replace("    command:", "    comand:"))
    assert tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", wrong).returncode == 1


def test_services_keep_to_themselves(repository: Path) -> None:
    compose = yaml.safe_load((repository / COMPOSE[0]).read_text())
    assert set(compose["services"]) == {"train", "play", "tensorboard"}
    published = 0
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not {"privileged", "user", "pid", "ipc", "cap_add", "devices"} & set(service), name
        assert {volume.split(":")[0] for volume in service["volumes"]} == {"logs", "cache"}, "no folder of the host"
        for port in service.get("ports", []):
            published += 1
            assert re.fullmatch(r"127\.0\.0\.1:\$\{\w+:-(\d+)\}:\1", port), "this machine only"
    assert published == 2
    assert compose["services"]["train"]["network_mode"] == "none"
    for name, service in compose["services"].items():
        assert "docker/healthy.py" in service["healthcheck"]["test"], f"{name}: not every image keeps its own check"
    cuda = yaml.safe_load((repository / COMPOSE[1]).read_text())
    assert set(cuda["services"]) == set(compose["services"])
    assert all(service["image"] == "himloco_lab:cuda" for service in cuda["services"].values())


def test_services_start_commands_that_exist(repository: Path) -> None:
    from himloco_lab.setup import arguments

    services = yaml.safe_load((repository / COMPOSE[0]).read_text())["services"]
    parsers = {"train": arguments.train_parser, "play": arguments.play_parser}
    for name, parser in parsers.items():
        flag, script, *flags = services[name]["command"]
        assert flag == "-p"
        assert (repository / script).is_file()
        args, overrides = arguments.parse(parser(), [re.sub(r"\$\{\w+:-(.*)\}", r"\1", word) for word in flags])
        assert args.task == "Himloco-G1-Flat-v0"
        assert overrides == []


@pytest.mark.parametrize("version", ["1.33", "1.37"])
@pytest.mark.parametrize("name", KUBERNETES)
def test_kubernetes_files_follow_their_schemas(repository: Path, name: str, version: str) -> None:
    documents = list(yaml.safe_load_all((repository / name).read_text()))
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
    broken = json.loads(json.dumps(documents[0]).replace('"spec"', '"spce"'))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, version, strict=True)


def test_the_job_survives_preemption_and_may_do_little(repository: Path) -> None:
    job = yaml.safe_load((repository / KUBERNETES[0]).read_text())["spec"]
    assert job["completionMode"] == "Indexed"
    assert job["podFailurePolicy"]["rules"][0] == {
        "action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]
    }  # fmt: skip
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "podFailurePolicy wants it"
    assert pod["terminationGracePeriodSeconds"] >= 60
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    claims = {volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "emptyDir" not in volume}
    made = yaml.safe_load_all((repository / KUBERNETES[1]).read_text())
    assert claims == {claim["metadata"]["name"] for claim in made}


def test_the_job_gives_every_index_a_seed_of_its_own(repository: Path, tmp_path: Path) -> None:
    (container,) = yaml.safe_load((repository / KUBERNETES[0]).read_text())["spec"]["template"]["spec"]["containers"]
    (tmp_path / "docker/cluster").mkdir(parents=True)
    script = tmp_path / "docker/cluster/train_seed.sh"
    script.write_text('#!/bin/bash\nprintf "<%s>" "$@"\n')
    script.chmod(0o755)
    command = container["command"][2:] + container["args"]
    environment = {"PATH": os.environ["PATH"], "JOB_COMPLETION_INDEX": "3"}
    done = subprocess.run([*command, "a b"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "<Himloco-G1-Flat-v0><himloco_g1_flat><flat><4><a b>", done.stderr


def test_all_scripts_pass_shellcheck(repository: Path) -> None:
    listed = subprocess.run(["git", "-C", repository, "ls-files"], capture_output=True, text=True, check=True).stdout
    scripts = [path for path in map(repository.joinpath, listed.split()) if path.is_file() and is_shell(path)]
    assert {"himloco.sh", "install.sh", "job.slurm", "submit.sh"} <= {path.name for path in scripts}
    done = subprocess.run(
        [Path(sysconfig.get_path("scripts")) / "shellcheck", "-x", *scripts],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        return file.readline().startswith((b"#!/usr/bin/env bash", b"# shellcheck shell="))


# --- docker/healthy.py ---


@pytest.fixture
def healthy(repository: Path, tmp_path: Path):
    """Run the health check in an empty folder with the system's bare Python."""

    def command(*argv: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-I", "-S", repository / "docker/healthy.py", *argv],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    return command


def test_a_training_is_healthy_while_it_writes(healthy, tmp_path: Path) -> None:
    assert healthy("progress", "logs", "30") == (1, "nothing below logs yet\n")
    file = tmp_path / "logs/rsl_rl/g1/run_seed1/events"
    file.parent.mkdir(parents=True)
    file.touch()
    assert healthy("progress", "logs", "30") == (0, "")
    assert healthy("progress", "logs/rsl_rl/g1/*_seed1", "30") == (0, "")
    assert healthy("progress", "logs/rsl_rl/g1/*_seed2", "30")[0] == 1
    old = time.time() - 3600
    os.utime(file, (old, old))
    assert healthy("progress", "logs", "30") == (1, "nothing written below logs for 60 minutes\n")
    assert healthy("progress", "logs", "90") == (0, "")


def test_a_page_is_healthy_while_it_answers(healthy) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)  # answers 501
    port = str(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert healthy("port", port) == (1, f"port {port} answers 501\n")
    server.RequestHandlerClass = http.server.SimpleHTTPRequestHandler
    assert healthy("port", port)[0] == 0
    server.shutdown()
    server.server_close()
    code, told = healthy("port", port)
    assert code == 1
    assert "does not answer" in told


@pytest.mark.parametrize("argv", [[], ["pulse"], ["progress", "logs"], ["progress", "logs", "x"], ["port", "http"]])
def test_a_health_check_that_means_nothing_is_an_error(healthy, argv: list[str]) -> None:
    code, told = healthy(*argv)
    assert code == 2
    assert told.startswith("error: ")
