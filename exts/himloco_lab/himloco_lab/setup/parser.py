# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The argument parser of all commands."""

from __future__ import annotations

import argparse
from typing import NoReturn

from himloco_lab.errors import CliError


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line and name the way out."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print with a usage of thirty lines before it."""
        raise CliError(f"{message}; {self.prog} --help shows what there is")


def number(text: str) -> float:
    """Return the number that one of several after a flag stands for.

    Raises:
        argparse.ArgumentTypeError: If it is none, such as an override right behind the numbers.
    """
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number; overrides go before the flag") from None
