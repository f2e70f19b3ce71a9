# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Starts a command of ``himloco_lab.commands``, or says in one line why this Python cannot."""

import importlib
import sys


def launch(command: str, *args: str) -> int:
    """Run ``himloco_lab.commands.<command>.main(*args)`` and return its exit code.

    Only the standard library is needed here, so that even a wrong interpreter gets as far as the message.
    """
    script = f"./himloco.sh -p {sys.argv[0]}"
    if sys.version_info[:2] != (3, 12):
        version = ".".join(map(str, sys.version_info[:3]))
        print(f"error: {sys.executable} is Python {version}: Isaac Lab 3.0 needs 3.12; run {script}", file=sys.stderr)
        return 1
    try:
        module = importlib.import_module(f"himloco_lab.commands.{command}")
    except ModuleNotFoundError as error:
        package, _, submodule = (error.name or "").partition(".")
        if submodule and package in ("himloco_lab", "himloco_rl"):  # a bug of ours, which needs its traceback
            raise
        print(f"error: {sys.executable} has no package {error.name}: run {script}, which installs it", file=sys.stderr)
        return 1
    return module.main(*args)
