# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One line on stderr for what the user got wrong; a traceback only for what we got wrong."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

USAGE = 2
"""Exit code of a command line that cannot be right, as argparse has it."""
FAILURE = 1
"""Exit code of a command line that is right, on a machine or with files that are not."""
INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells report it."""
STOPPED = 128
"""Exit code of a training that saved after a signal, less the signal's number: 130 for Ctrl-C, 143 for SIGTERM."""


class CliError(SystemExit):
    """A mistake that the user can correct, in one sentence that names the culprit, the value seen and the remedy.

    It is a :class:`SystemExit` because Isaac Lab's ``launch_simulation`` closes the simulation quietly for those and
    prints a traceback for every other exception.
    """

    def __init__(self, message: str, code: int = USAGE):
        super().__init__(code)
        self.message = " ".join(message.split())

    def __str__(self) -> str:
        return self.message


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line and name the way out."""

    def error(self, message: str) -> NoReturn:
        """Raise a :class:`CliError`, where argparse would print thirty lines of usage first."""
        raise CliError(f"{message}; {self.prog} --help shows what there is")


_reasons_to_end_abruptly: list[str] = []


def end_abruptly(reason: str) -> None:
    """Let :func:`run_command` end this process without exit handlers; *reason* says what one would wait for."""
    _reasons_to_end_abruptly.append(reason)


def run_command(command: Callable[[list[str]], int | None], argv: list[str] | None = None) -> int:
    """Run *command* on *argv* (the process's own arguments when None), and say in one line what went wrong.

    Returns:
        What *command* returned, 0 for None; else :data:`USAGE`, :data:`FAILURE` or :data:`INTERRUPTED`.
    """
    code = _outcome(command, sys.argv[1:] if argv is None else argv)
    if _reasons_to_end_abruptly:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _outcome(command: Callable[[list[str]], int | None], argv: list[str]) -> int:
    """Run *command*, print what was wrong in one line, and return the exit code."""
    try:
        return command(argv) or 0
    except CliError as error:
        sys.stdout.flush()
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.code if isinstance(error.code, int) else FAILURE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        return INTERRUPTED


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return up to *count* of the *known* names that look most like *name*, the likeliest first."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.6)
    return [by_lower[match] for match in close]


def suggestion(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return ``"did you mean A or B?"``, or what there is to choose from when nothing comes near *name*.

    The *prefix*, such as ``"env.rewards."``, is written before every name.
    """
    known = list(known)
    close = nearest(name, known)
    if close:
        return f"did you mean {' or '.join(prefix + match for match in close)}?"
    shown = ", ".join(prefix + match for match in sorted(known)[:20])
    if not shown:
        return f"{prefix.rstrip('.')} has no keys" if prefix else "there is nothing to choose from"
    return f"there is {shown}" + (f" and {len(known) - 20} more" if len(known) > 20 else "")
