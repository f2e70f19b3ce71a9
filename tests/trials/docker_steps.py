# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where there is no docker engine: the steps of a Dockerfile, carried out in a root folder by chroot.

    debootstrap --variant=minbase bookworm ROOT     # and a Python 3.12 in ROOT/usr/local, as the base image has it
    unshare --mount python tests/trials/docker_steps.py docker/Dockerfile ROOT --target cuda --wheels DIR/wheels

As root, in a mount namespace of its own (so that nothing stays mounted). FROM a base is ROOT as it is, every later
stage goes on in it, and COPY --from another stage is nothing to do; RUN gets its cache and bind mounts as folders. It
is no builder: it shows that the steps work, and prints how long each took. Not collected by pytest.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from dockerfile_parse import DockerfileParser


def expand(text: str, variables: dict[str, str]) -> str:
    """Replace ``$NAME`` and ``${NAME}``, as docker does outside RUN."""
    return re.sub(r"\$\{?(\w+)\}?", lambda match: variables.get(match[1], ""), text)


class Root:
    """A root folder that plays an image being built."""

    def __init__(self, root: Path, context: Path, wheels: Path | None) -> None:
        self.root, self.context, self.wheels = root, context, wheels
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.arguments: dict[str, str] = {}
        self.user, self.folder, self.shell = "0:0", "/", ["/bin/sh", "-c"]
        self._mount("proc", "proc", "proc")
        for place in ("dev", "sys"):
            self._mount("--rbind", f"/{place}", place)

    def step(self, instruction: str, value: str) -> None:
        """Carry one instruction out."""
        known = {**self.arguments, **self.environment}
        if instruction == "ARG":
            name, _, default = value.partition("=")
            self.arguments.setdefault(name, expand(default, known))
        elif instruction == "ENV":
            for word in shlex.split(value):
                name, _, text = word.partition("=")
                self.environment[name] = expand(text, known)
        elif instruction == "SHELL":
            self.shell = json.loads(value)
        elif instruction == "USER":
            self.user = expand(value, known)
        elif instruction == "WORKDIR":
            self.folder = value
            (self.root / value.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif instruction == "COPY":
            self._copy([expand(word, known) for word in value.split()])
        elif instruction == "RUN":
            self._run(value)
        else:
            print(f"   (noted: {instruction} {value})", flush=True)

    def _copy(self, words: list[str]) -> None:
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
        *sources, target = [word for word in words if not word.startswith("--")]
        if "from" in options:
            return
        place = self.root / str(Path(self.folder) / target).lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        for source in sources:
            if source == ".":  # what git knows stands for .dockerignore
                listed = subprocess.run(
                    ["git", "-C", self.context, "ls-files", "-z"], capture_output=True, text=True, check=True
                )
                files = [name for name in listed.stdout.split("\0") if name]
            else:
                files = [source]
            for name in files:
                to = place / (name if source == "." else Path(name).name)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.context / name, to)
        if "chown" in options:
            subprocess.run(["chown", "-R", options["chown"], place], check=True)

    def _run(self, value: str) -> None:
        while match := re.match(r"--mount=(\S+)\s+", value):
            value = value[match.end() :]
            options = dict(part.split("=", 1) for part in match[1].split(","))
            target = options["target"].lstrip("/")
            (self.root / target).mkdir(parents=True, exist_ok=True)
            if options["type"] == "bind" and self.wheels is not None:
                self._mount("--bind", str(self.wheels), target)
            elif options["type"] == "cache":
                os.chmod(self.root / target, 0o777)
        environment = [f"{name}={text}" for name, text in {**self.arguments, **self.environment}.items()]
        home = "/root" if self.user.startswith("0") else "/home/himloco"
        command = ["chroot", f"--userspec={self.user}", str(self.root), "/usr/bin/env", "-i", f"HOME={home}"]
        subprocess.run([*command, *environment, *self.shell, f"cd {shlex.quote(self.folder)} && {value}"], check=True)

    def _mount(self, *arguments: str) -> None:
        *options, target = arguments
        if options[0] == "proc":
            options = ["-t", *options]
        (self.root / target).mkdir(exist_ok=True)
        subprocess.run(["mount", *options, str(self.root / target)], check=True)


def main() -> None:
    """Carry out the stages that lead to the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--wheels", type=Path, default=None, help="What --build-context wheels= would name.")
    parser.add_argument("--offline", action="store_true", help="Let steps that have the wheels reach no network.")
    args = parser.parse_args()
    stages: dict[str, list[tuple[str, str]]] = {}
    needs: dict[str, list[str]] = {}
    stage = ""
    for line in DockerfileParser(fileobj=args.dockerfile.open("rb")).structure:
        instruction, value = line["instruction"], line["value"]
        if instruction == "FROM":
            base, _, stage = value.partition(" AS ")
            stages[stage], needs[stage] = [], [base]
        elif stage and instruction != "COMMENT":
            stages[stage].append((instruction, value))
            needs[stage] += re.findall(r"--from=(\S+)", value) if instruction == "COPY" else []
    order: list[str] = []

    def visit(name: str) -> None:
        for other in needs.get(name, []):
            visit(other)
        if name in stages and name not in order:
            order.append(name)

    visit(args.target)
    root = Root(args.root.resolve(), args.dockerfile.resolve().parents[1], args.wheels)
    for name in order:
        for instruction, value in stages[name]:
            start = time.monotonic()
            print(f"== {name}: {instruction} {value[:90]}", flush=True)
            if args.offline and "from=wheels" in value:
                os.unshare(os.CLONE_NEWNET)
            root.step(instruction, value)
            if instruction == "RUN":
                print(f"   {time.monotonic() - start:.0f} s", flush=True)
    (args.root / "entry").write_text(json.dumps({"env": root.environment, "user": root.user, "folder": root.folder}))


if __name__ == "__main__":
    main()
