# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``docker_steps.py`` left in a root folder, run as a container would run it.

    unshare --mount --net --pid --fork \
        python tests/trials/docker_run.py docker/Dockerfile ROOT --target cpu -- ARGUMENTS

As root. The target's ENTRYPOINT gets the arguments behind ``--``, with its user, folder and environment, process number
1, and no network; ``--health`` runs its health check instead, ``--shell`` takes the arguments as a command. Not
collected by pytest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from dockerfile_parse import DockerfileParser


def instructions(dockerfile: Path, target: str) -> dict[str, str]:
    """Return a stage's instructions, of several of a kind the last."""
    found: dict[str, str] = {}
    stage = ""
    for line in DockerfileParser(str(dockerfile)).structure:
        if line["instruction"] == "FROM":
            stage = line["value"].partition(" AS ")[2]
        elif stage == target:
            found[line["instruction"]] = line["value"]
    return found


def main() -> None:
    """Become it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--health", action="store_true")
    parser.add_argument("--shell", action="store_true")
    ours = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    args, arguments = parser.parse_args(ours), sys.argv[len(ours) + 2 :]
    stage = instructions(args.dockerfile, args.target)
    entry = json.loads((args.root / "entry").read_text())
    for options in (["-t", "proc", "proc"], ["--rbind", "/dev"], ["--rbind", "/sys"]):
        subprocess.run(["mount", *options, str(args.root / Path(options[-1]).name)], check=True)
    if args.health:
        command = json.loads(stage["HEALTHCHECK"].partition("CMD")[2])
    else:
        command = [*([] if args.shell else json.loads(stage["ENTRYPOINT"])), *arguments]
    environment = [f"{name}={text}" for name, text in entry["env"].items()]
    enter = ["chroot", f"--userspec={entry['user']}", str(args.root), "/usr/bin/env", "-i", "HOME=/home/himloco"]
    shell = ["/bin/sh", "-c", f'cd {entry["folder"]} && exec "$@"', "sh"]
    os.execvp(enter[0], [*enter, *environment, *shell, *command])  # so that it is process number 1, as tini wants to be


if __name__ == "__main__":
    main()
